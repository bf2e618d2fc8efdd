import { isUtf8 } from 'node:buffer';

const LATIN1_ONLY = /^[\0-\xff]*$/;

/**
 * The bytes of a header's value. node:http turns each byte into a character, and a gateway's event has the text
 * itself. So characters that are the bytes of valid UTF-8 are taken for bytes.
 */
export function headerBytes(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return LATIN1_ONLY.test(value) && isUtf8(bytes) ? bytes : Buffer.from(value);
}
