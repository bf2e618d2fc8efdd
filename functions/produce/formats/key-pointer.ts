import { invalid } from '../invalid.ts';
import { readDocument } from './rest-proxy.ts';

const LONE_SURROGATE = /\p{Surrogate}/u;

/** A JSON pointer (RFC 6901) to a member or an element. */
export const JSON_POINTER = /^(\/([^~/]|~[01])*)+$/;

/**
 * The record's key from its place in a JSON document: the content of a string, or a number's own text. Throws
 * INVALID_RECORD for anything else: a record without its key could overtake earlier ones of the same key.
 */
export function keyAt(pointer: string, document: Buffer): Buffer {
  const path = pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  const source = readDocument(document, (json) => json.at(path));
  const first = source?.[0] ?? 0;
  if (source && /[-\d]/.test(String.fromCharCode(first))) return source;
  const text: unknown = source && first === '"'.charCodeAt(0) ? JSON.parse(`${source}`) : undefined;
  if (typeof text === 'string' && !LONE_SURROGATE.test(text)) return Buffer.from(text);
  const problem = source ? 'must be a string or a number' : 'is missing';
  throw invalid([
    { path: `body${pointer}`, message: `${problem}: it is the record's key (WEBHOOK_KEY_POINTER)` },
  ]);
}
