import { isUtf8 } from 'node:buffer';
import { PoisonError } from './record-failure.ts';

export interface JsonValue {
  /** As it came, big numbers and all. */
  text: string;
  /** For its members' names: its numbers may have lost digits. */
  value: unknown;
}

/** Proven to be one JSON text, which can stand inside another. Throws PoisonError. */
export function jsonValue(bytes: Buffer): JsonValue {
  const text = utf8Text(bytes);
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    throw new PoisonError('the value is not JSON');
  }
}

/** Throws PoisonError, because other bytes would become other characters. */
export function utf8Text(bytes: Buffer, what: 'key' | 'value' = 'value'): string {
  if (!isUtf8(bytes)) throw new PoisonError(`the ${what} is not UTF-8`);
  return bytes.toString();
}
