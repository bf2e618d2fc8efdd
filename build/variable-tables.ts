/** The tables of docs/configuration.md, from what the functions read and the meanings that they declare. */
import * as check from '../functions/connectivity-check/config.ts';
import * as consume from '../functions/consume-batch/config.ts';
import * as sinks from '../functions/consume-batch/sinks/open-sink.ts';
import * as http from '../functions/http/config.ts';
import * as produce from '../functions/produce/config.ts';
import * as access from '../src/access/config.ts';
import * as connection from '../src/kafka/connection/config.ts';
import * as fetch from '../src/kafka/fetch/config.ts';
import * as producer from '../src/kafka/produce/config.ts';
import * as log from '../src/log.ts';
import * as storage from '../src/object-storage/config.ts';
import * as database from '../src/postgres/config.ts';
import { type Meanings, Variables } from '../src/variables.ts';
import { readersOf } from './function-readers.ts';

/** A method of `Variables`, and its arguments after the variable's name. */
interface Reading {
  reader: string;
  parameters: unknown[];
}

/** In the order of the page, by its headings. */
const sections: Readonly<Record<string, readonly Meanings[]>> = {
  'Every function': [connection.meanings, access.meanings, log.meanings],
  Publishing: [producer.meanings, produce.meanings],
  'consume-batch': [
    fetch.meanings,
    consume.meanings,
    sinks.meanings,
    ...(await sinkMeanings()),
    database.meanings,
    storage.meanings,
  ],
  'connectivity-check': [check.meanings],
  'The HTTP server': [http.meanings],
};

const meanings: Meanings = Object.assign({}, ...Object.values(sections).flat());

/** Names of variables that must not be in a bundle. */
export const secretVariables: ReadonlySet<string> = new Set(
  Object.keys(meanings).filter((name) => meanings[name]?.secret),
);

/** Declared beside the code of a sink; most sinks have none. */
async function sinkMeanings(): Promise<Meanings[]> {
  const modules = sinks.sinkNames.map(async (name) => {
    const module: { meanings?: Meanings } = await import(
      `../functions/consume-batch/sinks/${name}/${name}.ts`
    );
    return module.meanings ?? {};
  });
  return Promise.all(modules);
}

/** How each variable is read, by its name. Some are only read if another one is set. */
export function variablesRead(): Map<string, Reading> {
  const found = new Map<string, Reading>();
  const logins = ['SCRAM-SHA-512', 'OAUTHBEARER'].map((KAFKA_SASL_MECHANISM) => ({ KAFKA_SASL_MECHANISM }));
  for (const choice of [...sinks.sinkNames.map((CONSUME_SINK) => ({ CONSUME_SINK })), ...logins]) {
    const setting: Record<string, string> = { ...choice, WEBHOOK_SECRET: 'a-secret' };
    const variables = noting(new Variables((name) => setting[name]), (name, reading) =>
      found.set(name, found.get(name) ?? reading),
    );
    for (const read of readersOf('http', { pulls: true })) read(variables);
  }
  return found;
}

/** The same variables; notes each method that is called from outside. */
function noting(variables: Variables, note: (name: string, reading: Reading) => void): Variables {
  return new Proxy(variables, {
    get(target, reader: keyof Variables) {
      const member: unknown = target[reader];
      if (typeof member !== 'function') return member;
      return (name: string, ...parameters: unknown[]) => {
        if (reader in valuesOf) note(name, { reader, parameters });
        return member.call(target, name, ...parameters);
      };
    },
  });
}

/** What a variable may hold, by the method that reads it. */
const valuesOf: Readonly<Record<string, (first: unknown, second: unknown) => string>> = {
  addresses: () => '`host:port,…`',
  certificateFile: () => 'a file: PEM, DER, PKCS7',
  certificates: () => 'PEM',
  flag: () => '`true`, `false`',
  headerName: () => "a header's name",
  headerPatterns: () => 'names and `prefix*`, separated by commas',
  headers: () => 'a JSON object',
  httpUrl: () => 'a URL',
  integer(_fallback, bounds) {
    const { min = 0, max } = (bounds ?? {}) as { min?: number; max?: number };
    return max === undefined ? `from ${written(min)}` : `${written(min)} to ${written(max)}`;
  },
  list: () => 'separated by commas',
  networks: () => 'addresses and CIDRs, separated by commas',
  privateKey: () => 'PEM',
  oneOf: (allowed) => (allowed as string[]).filter(Boolean).map(code).join(', '),
  required: () => 'text',
  secret: () => 'text',
  secureUrl: () => 'a URL',
  text: () => 'text',
  textOrNone: () => 'a topic, `none`',
  topic: () => 'a topic',
  topicPatterns: () => 'names and `prefix*`, separated by commas',
};

/** The page with the right table in each section. Throws if a variable is declared but not read, or read but not declared. */
export function withVariableTables(page: string): string {
  const read = variablesRead();
  const undeclared = [...read.keys()].filter((name) => !(name in meanings));
  const unread = Object.keys(meanings).filter((name) => !read.has(name));
  if (undeclared.length > 0) throw new Error(`no meaning is declared: ${undeclared.join(', ')}`);
  if (unread.length > 0) throw new Error(`nothing reads ${unread.join(', ')}`);
  return page.replace(/^## (.+)\n\n([\s\S]*?)(?:^\|.*\n)+/gm, (all, heading: string, prose: string) => {
    const declared = sections[heading];
    if (!declared) return all;
    const rows = Object.keys(Object.assign({}, ...declared)).map((name) => row(name, read.get(name)));
    const head = '| variable | default | values | meaning |\n| --- | --- | --- | --- |\n';
    return `## ${heading}\n\n${prose}${head}${rows.join('')}`;
  });
}

function row(name: string, reading: Reading | undefined): string {
  const { meaning = '', unset, secret } = meanings[name] ?? {};
  const { reader = '', parameters = [] } = reading ?? {};
  const values = valuesOf[reader]?.(parameters[0], parameters[1]);
  const text = secret ? `${meaning} (secret)` : meaning;
  return `| \`${name}\` | ${unset ?? fallbackOf(reader, parameters)} | ${values} | ${text} |\n`;
}

function fallbackOf(reader: string, parameters: readonly unknown[]): string {
  if (reader === 'required' || reader === 'addresses') return 'required';
  const fallback = parameters[reader === 'oneOf' ? 1 : 0];
  if (typeof fallback === 'number') return written(fallback);
  return fallback === undefined ? 'none' : code(String(fallback));
}

function written(number: number): string {
  const mib = number / 2 ** 20;
  return mib >= 1 && Number.isInteger(mib) ? `${mib} MiB` : number.toLocaleString('en');
}

function code(text: string): string {
  return `\`${text}\``;
}
