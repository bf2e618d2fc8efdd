import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { CertificateRefused, pemOf, readCertificates } from './certificate-reader.ts';
import { isCredentialHeader } from './credential-headers.ts';
import { Failure } from './errors.ts';
import { findPrivateKey, openPrivateKey, PrivateKeyRefused } from './private-key-reader.ts';
import { IDEMPOTENCY_PREFIX, isReservedHeader } from './reserved-headers.ts';
import { Secret } from './secret.ts';
import { bundleFolder } from './settings.ts';
import { isTopicName, isTopicPattern, matchesTopic, TOPIC_NAME_RULE } from './topic.ts';

/** Reads one variable: from the platform's user data, then from the process's environment. */
export type Environment = (name: string) => string | undefined;

export interface Address {
  host: string;
  port: number;
}

/** `host:port`, with an IPv6 address in brackets. */
export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The parts of docs/configuration.md that the reading code doesn't tell. */
export interface Meaning {
  meaning: string;
  /** Shown as the default where that is not a constant. */
  unset?: string;
  /** It must neither be in a bundle nor be shown. */
  secret?: true;
}

/** By the variable's name. Declared beside the code that reads it, and not bundled. */
export type Meanings = Readonly<Record<string, Meaning>>;

const MAX_INT32 = 2 ** 31 - 1;
const HEADER_NAME = /^[\w!#$%&'+.^`|~-]+$/;

/**
 * Reads a configuration with `parse`. Everything missing or malformed is reported in one Failure CONFIG_INVALID, by
 * variable name and without values, since a value may be a secret.
 */
export function readConfig<T>(environment: Environment, parse: (variables: Variables) => T): T {
  const variables = new Variables(environment);
  const config = parse(variables);
  if (variables.problems.length > 0) {
    throw new Failure('CONFIG_INVALID', `configuration: ${variables.problems.join('; ')}`);
  }
  return config;
}

/** Reads typed variables. A wrong one is noted in `problems`, and a harmless value returned. */
export class Variables {
  readonly problems: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Notes only the first problem of a variable, which may be read more than once. */
  reject(name: string, problem: string): void {
    if (!this.problems.some((known) => known.startsWith(`${name} `)))
      this.problems.push(`${name} ${problem}`);
  }

  /** Rejects blanks where they would open what the variable should close (CWE-636). */
  notBlank(name: string): void {
    const value = this.#environment(name);
    if (value && value.trim() === '') this.reject(name, 'must not be blank: give it a value, or remove it');
  }

  /** Undefined where unset. The consoles of both clouds store an emptied field as an empty string. */
  text(name: string): string | undefined;
  text(name: string, fallback: string): string;
  text(name: string, fallback?: string): string | undefined {
    return this.#environment(name)?.trim() || fallback;
  }

  /** A credential that may be left out. Not trimmed, but not blank either. */
  secret(name: string): Secret | undefined {
    this.notBlank(name);
    const value = this.#environment(name);
    return value ? new Secret(value) : undefined;
  }

  required(name: string): string {
    // Not trimmed: a password may end in a space.
    const value = this.#environment(name);
    if (value === undefined || value === '') {
      this.reject(name, 'is required');
      return '';
    }
    return value;
  }

  oneOf<T extends string, F extends T | undefined>(name: string, allowed: readonly T[], fallback: F): T | F {
    const value = this.#environment(name)?.trim();
    if (value === undefined) return fallback;
    const match = allowed.find((candidate) => candidate.toLowerCase() === value.toLowerCase());
    if (match === undefined && value !== '') {
      this.reject(name, `must be one of ${allowed.filter(Boolean).join(', ')}`);
    }
    return match ?? fallback;
  }

  flag(name: string): boolean | undefined;
  flag(name: string, fallback: boolean): boolean;
  flag(name: string, fallback?: boolean): boolean | undefined {
    const value = this.oneOf(name, ['true', 'false'], undefined);
    return value === undefined ? fallback : value === 'true';
  }

  integer<F extends number | undefined>(
    name: string,
    fallback: F,
    { min = 0, max = MAX_INT32 } = {},
  ): number | F {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    this.reject(name, `must be a whole number from ${min} to ${max}`);
    return fallback;
  }

  /** Empty where unset. Blanks and commas alone must not open what the list should close (CWE-636). */
  list(name: string): string[] {
    const value = this.#environment(name) ?? '';
    const items = value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    if (value !== '' && items.length === 0) {
      this.reject(name, 'must name something: it holds blanks and commas alone');
    }
    return items;
  }

  /** Undefined where the variable is `none` or empty. */
  textOrNone(name: string, fallback: string): string | undefined {
    const value = this.#environment(name)?.trim();
    return value === undefined ? fallback : value === '' || value === 'none' ? undefined : value;
  }

  /** Checks a topic name with `{topic}` for the source topic. It must not lead back to one of `sources`. */
  topicTemplate(name: string, template: string | undefined, sources: readonly string[]): void {
    if (template === undefined || template === '') return;
    const resolved = (sources.length > 0 ? sources : ['t']).map((topic) =>
      template.replaceAll('{topic}', topic),
    );
    if (!resolved.every(isTopicName)) {
      this.reject(name, `must be a topic name, {topic} allowed: ${TOPIC_NAME_RULE}`);
    } else if (resolved.some((topic) => sources.includes(topic))) {
      this.reject(name, 'must not be one of CONSUME_TOPICS: what is written there would be consumed again');
    }
  }

  httpUrl(name: string, sink = 'http'): string {
    const text = this.text(name);
    if (text === undefined) this.reject(name, `is required with CONSUME_SINK=${sink}`);
    else if (!isHttpUrl(text)) this.reject(name, 'must be an http:// or https:// URL without a user name');
    return text ?? '';
  }

  /** A URL to which a credential may be sent. */
  secureUrl(name: string): string {
    this.notBlank(name);
    const text = this.required(name).trim();
    if (text !== '' && !isSecureUrl(text)) {
      this.reject(
        name,
        'must be an https:// URL without user name and fragment; http:// is for this machine alone',
      );
    }
    return text;
  }

  /** Reads a JSON object of header names and values, which are secrets. */
  headers(name: string): Record<string, Secret> {
    const text = this.text(name);
    if (text === undefined) return {};
    try {
      const entries = Object.entries(JSON.parse(text) as Record<string, string>);
      // Checks names and values by the platform's rules, whose message would repeat the value.
      new Headers(entries);
      if (text.startsWith('{') && entries.every(([, value]) => typeof value === 'string')) {
        return Object.fromEntries(entries.map(([key, value]) => [key, new Secret(value)]));
      }
    } catch {}
    this.reject(name, 'must be a JSON object of header names and values, like {"Authorization":"Bearer …"}');
    return {};
  }

  /** The name of a request header, in lower case. */
  headerName(name: string): string | undefined {
    const header = this.text(name);
    if (header !== undefined && !HEADER_NAME.test(header)) this.reject(name, 'must be the name of a header');
    return header?.toLowerCase();
  }

  /**
   * Reads names and `prefix*` patterns of request headers, in any case, that are copied to a record. A pattern
   * doesn't match headers with credentials. Nothing matches Idempotency-Key and a trace, which go with every record.
   */
  headerPatterns(name: string): (header: string) => boolean {
    const patterns = this.list(name).map((pattern) => pattern.toLowerCase());
    if (patterns.some((pattern) => !HEADER_NAME.test(pattern.replace(/(.)\*$/, '$1')) && pattern !== '*')) {
      this.reject(name, 'must hold names of headers and prefix* patterns, separated by commas');
    }
    if (patterns.some(isReservedHeader)) {
      this.reject(name, 'must not name __connect.errors.… or idempotency-… headers, which are reserved');
    }
    const matches = (header: string) => (pattern: string) =>
      pattern.endsWith('*')
        ? header.startsWith(pattern.slice(0, -1)) && !isCredentialHeader(header)
        : header === pattern;
    return (header) => !isOfRequest(header) && patterns.some(matches(header));
  }

  topic(name: string): string | undefined {
    const topic = this.text(name);
    if (topic !== undefined && !isTopicName(topic))
      this.reject(name, `must be a topic name: ${TOPIC_NAME_RULE}`);
    return topic;
  }

  /** Reads names and `prefix*` patterns. */
  topicPatterns(name: string): (topic: string) => boolean {
    const patterns = this.list(name);
    if (!patterns.every(isTopicPattern)) {
      this.reject(name, 'must hold topic names and prefix* patterns, separated by commas');
    }
    const all = patterns.length === 0 ? ['*'] : patterns;
    return (topic) => all.some((pattern) => matchesTopic(pattern, topic));
  }

  /** Reads networks such as `10.0.0.0/8,fd00::/8`, or single addresses; undefined where unset. */
  networks(name: string): BlockList | undefined {
    const items = this.list(name);
    if (items.length === 0) return undefined;
    const networks = new BlockList();
    for (const item of items) {
      const [address = '', prefix, ...rest] = item.split('/');
      const family = isIP(address);
      const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
      if (
        family === 0 ||
        rest.length > 0 ||
        !/^\d+$/.test(prefix ?? '0') ||
        bits > (family === 6 ? 128 : 32)
      ) {
        this.reject(name, 'must hold addresses and networks such as 10.0.0.0/8, separated by commas');
        break;
      }
      networks.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
    }
    return networks;
  }

  addresses(name: string): Address[] {
    const items = this.list(name);
    if (items.length === 0) this.reject(name, 'is required');
    const addresses = items.map(parseAddress);
    if (addresses.includes(undefined)) {
      this.reject(name, 'must be host:port,host:port (an IPv6 address in brackets, ports from 1 to 65535)');
    }
    return addresses.filter((address) => address !== undefined);
  }

  /** Reads certificates from a text (see `certificate-reader.ts`) or a file in the bundle, as plain PEM. */
  certificates(name: string): string | undefined {
    return this.#content(name, (content) => pemOf(readCertificates(content)));
  }

  certificateFile(name: string): string | undefined {
    const path = this.text(name);
    return path === undefined
      ? undefined
      : this.#file(name, path, (content) => pemOf(readCertificates(content)));
  }

  /**
   * Reads a private key from a text (see `private-key-reader.ts`) or a file in the bundle. Where it is encrypted,
   * `passphrase` is the value of the variable `passphraseName`.
   */
  privateKey(name: string, passphraseName: string, passphrase: Secret | undefined): KeyObject | undefined {
    const found = this.#content(name, findPrivateKey);
    if (!found) return undefined;
    if (found.isEncrypted && !passphrase) {
      this.reject(passphraseName, `is required: the key in ${name} is encrypted`);
      return undefined;
    }
    const key = openPrivateKey(found, passphrase?.reveal());
    if (key) return key;
    if (found.isEncrypted) this.reject(passphraseName, `does not open the key in ${name}`);
    else this.reject(name, 'holds a private key that is altered, or of a kind that is not known');
    return undefined;
  }

  /** What `read` makes of a text, or of the file in the bundle that `file:` names. */
  #content<T>(name: string, read: (content: Buffer) => T): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const path = bundledPath(text);
    if (path === undefined) return this.#read(name, Buffer.from(text), read);
    const isWithin = !isAbsolute(path) && !path.split(/[\\/]/).includes('..');
    if (isWithin) return this.#file(name, join(bundleFolder, path), read);
    this.reject(name, 'must be file: and a path in the bundle, without ..');
    return undefined;
  }

  #file<T>(name: string, path: string, read: (content: Buffer) => T): T | undefined {
    try {
      return this.#read(name, readFileSync(path), read, 'names a file that ');
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? ` (${error.code})` : '';
      this.reject(name, `names a file that cannot be read${reason}`);
      return undefined;
    }
  }

  #read<T>(name: string, content: Buffer, read: (content: Buffer) => T, subject = ''): T | undefined {
    try {
      return read(content);
    } catch (error) {
      if (!(error instanceof CertificateRefused || error instanceof PrivateKeyRefused)) throw error;
      this.reject(name, `${subject}${error.message}`);
      return undefined;
    }
  }
}

/** For `file:<path>`, the path of a file that the build puts beside the bundle. */
export function bundledPath(value: string): string | undefined {
  return /^file:(.*)$/.exec(value)?.[1];
}

/** Whether every route gives this request header to its records. */
function isOfRequest(header: string): boolean {
  return header.startsWith(IDEMPOTENCY_PREFIX) || header === 'traceparent' || header === 'tracestate';
}

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

function isSecureUrl(text: string): boolean {
  if (!isHttpUrl(text) || text.includes('#')) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}
