import { isTopicPattern } from '../topic.ts';
import type { Meanings, Variables } from '../variables.ts';
import { ApiKeys } from './api-keys.ts';
import type { Caller } from './caller.ts';

export const meanings = {
  HTTP_API_KEYS: {
    secret: true,
    meaning:
      'who may call over HTTP: `<SHA-256 of a key, in hex>`, or `<SHA-256>=<name>:<scope>+<scope>`; a key is shown as `Authorization: Bearer` or `X-Api-Key`, and [what it may do](callers.md) follows from its scopes: `publish:<topic>` (also `prefix*`), `pull`, `check`, `metrics`; without scopes, everything',
  },
} as const satisfies Meanings;

/** Of the empty key, which anybody can show. */
const HASH_OF_NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const ENTRY = /^([0-9a-f]{64})(?:=([a-z0-9][\w.-]{0,63})(?::(.+))?)?$/i;
const SHAPE =
  'must hold SHA-256 hashes of keys in hex, alone or as <hash>=<name>:<scope>+<scope>, of publish:<topic or prefix*>, pull, check and metrics, separated by commas';

export function apiKeys(variables: Variables): ApiKeys {
  const keys = new Map<string, Caller>();
  for (const [index, entry] of variables.list('HTTP_API_KEYS').entries()) {
    const [, hash = '', name, scopeList] = ENTRY.exec(entry) ?? [];
    const scopes = scopeList?.split('+');
    const key = hash.toLowerCase();
    const reject = (problem: string) => variables.reject('HTTP_API_KEYS', `${problem} (entry ${index + 1})`);
    if (hash === '' || scopes?.some((scope) => !isScope(scope))) reject(SHAPE);
    else if (key === HASH_OF_NOTHING)
      reject('must not hold the hash of an empty key, which anybody can show');
    else if (keys.has(key)) reject('must hold a key once, because each key has one caller');
    else if ([...keys.values()].some((other) => isNamesake(other, { name, scopes }))) {
      reject('must give the same scopes to keys of the same name');
    }
    keys.set(key, { name, scopes });
  }
  return new ApiKeys(keys);
}

/** Otherwise a new key could silently do more than the one that it replaces. */
function isNamesake(a: Caller, b: Caller): boolean {
  return a.name !== undefined && a.name === b.name && a.scopes?.join() !== b.scopes?.join();
}

function isScope(scope: string): boolean {
  const [, pattern] = /^publish:(.+)$/.exec(scope) ?? [];
  return pattern === undefined ? ['pull', 'check', 'metrics'].includes(scope) : isTopicPattern(pattern);
}
