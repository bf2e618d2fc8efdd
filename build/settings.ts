import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { findPrivateKey } from '../src/private-key-reader.ts';
import { bundledPath, Variables } from '../src/variables.ts';
import { ownFunctions, readersOf } from './function-readers.ts';
import { BuildRefused } from './refused.ts';
import { secretVariables, variablesRead } from './variable-tables.ts';

type Settings = Readonly<Record<string, string>>;

const ENDING = '.env';
const COMMON = 'common';

/** A variable, and the file that it was read from. */
interface Setting {
  value: string;
  file: string;
}

/**
 * The settings of each of these functions, by name, over those of all functions (`common.env`). Throws BuildRefused for
 * secrets, and for values that the function would refuse.
 */
export async function settingsOf(
  functions: readonly string[],
  directory: string,
): Promise<Map<string, Settings>> {
  const files = await settingsFiles(directory);
  const known = [COMMON, 'http', ...functions];
  const problems = [...files.keys()]
    .filter((name) => !known.includes(name))
    .map((name) => `${join(directory, name + ENDING)} is of no function: ${known.join(', ')}`);
  const found = new Map<string, Settings>();
  for (const name of new Set([...functions, 'http'])) {
    const settings = merged(name, files, problems);
    for (const problem of problemsOf(name, settings)) problems.push(`${directory}/${problem}`);
    found.set(name, Object.fromEntries([...settings].map(([variable, { value }]) => [variable, value])));
  }
  if (problems.length > 0) throw new BuildRefused([...new Set(problems)]);
  return found;
}

/** The files that `file:` values name. Their paths are the same in the checkout and in the bundle. */
export function filesOf(settings: Settings): string[] {
  const read = variablesRead();
  const paths = Object.entries(settings).map(([name, value]) =>
    ['certificates', 'privateKey'].includes(read.get(name)?.reader ?? '') ? bundledPath(value) : undefined,
  );
  return [...new Set(paths.filter((path) => path !== undefined))];
}

async function settingsFiles(directory: string): Promise<Map<string, Settings>> {
  const names = existsSync(directory) ? (await readdir(directory)).sort() : [];
  const files = names.filter((name) => name.endsWith(ENDING) && name !== ENDING);
  const read = files.map(async (file) => {
    const settings = parseEnv(await readFile(join(directory, file), 'utf8')) as Settings;
    return [file.slice(0, -ENDING.length), settings] as const;
  });
  return new Map(await Promise.all(read));
}

/** Later files win. The HTTP server has the settings of all functions, which must not differ unless its own file decides. */
function merged(
  name: string,
  files: ReadonlyMap<string, Settings>,
  problems: string[],
): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  for (const source of [COMMON, ...(name === 'http' ? ownFunctions : [name])]) {
    const file = source + ENDING;
    for (const [variable, value] of Object.entries(files.get(source) ?? {})) {
      const other = settings.get(variable);
      const isDecided = source === 'http' || files.get('http')?.[variable] !== undefined;
      if (other && other.file !== COMMON + ENDING && other.value !== value && !isDecided) {
        problems.push(
          `${variable} differs between ${other.file} and ${file}: say in http${ENDING} which it is there`,
        );
      }
      settings.set(variable, { value, file });
    }
  }
  return settings;
}

/** What the function itself would say of these settings. Variables that are missing here are set elsewhere. */
function problemsOf(name: string, settings: ReadonlyMap<string, Setting>): string[] {
  const variables = new Variables((variable) => settings.get(variable)?.value);
  for (const read of readersOf(name, { pulls: true })) read(variables);
  const wrong = variables.problems.flatMap((sentence) => {
    const setting = settings.get(sentence.split(' ', 1)[0] ?? '');
    return setting ? [`${setting.file}: ${sentence}`] : [];
  });
  const exposed = [...settings].flatMap(([variable, { value, file }]) => {
    const problem = exposure(variable, value);
    return problem === undefined ? [] : [`${file}: ${variable} ${problem}`];
  });
  return [...wrong, ...exposed];
}

/** Why a value must not be in a bundle, which can be read. An encrypted key may, as its password is elsewhere. */
function exposure(variable: string, value: string): string | undefined {
  const path = bundledPath(value);
  if (path !== undefined && variablesRead().get(variable)?.reader === 'privateKey') {
    if (isEncryptedKey(path)) return undefined;
    return 'names no encrypted key, and a bundle can be read: encrypt it (openssl pkcs8 -topk8 -v2 aes-256-cbc -in key.pem), or keep the key itself in the encrypted variables';
  }
  if (!isSecret(variable, value)) return undefined;
  return 'is a secret, and a bundle can be read: it belongs in the encrypted variables';
}

function isEncryptedKey(path: string): boolean {
  try {
    return findPrivateKey(readFileSync(path)).isEncrypted;
  } catch {
    return false;
  }
}

/** Our secrets are declared; those of the user are guessed by the name, a URL's password, or a private key. */
function isSecret(variable: string, value: string): boolean {
  return (
    secretVariables.has(variable) ||
    /(^|_)(PASSWORD|SECRET|TOKEN|CREDENTIALS?|API_KEYS?|ACCESS_KEY|PRIVATE_KEY)(_|$)/.test(variable) ||
    /:\/\/[^/\s:@]*:[^/\s@]+@/.test(value) ||
    value.includes('PRIVATE KEY-----')
  );
}
