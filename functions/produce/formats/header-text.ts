import { isUtf8 } from 'node:buffer';

const LATIN1_ONLY = /^[\0-\xff]*$/;

/**
 * A header value's bytes. node:http hands each byte over as a character of its own, a gateway's event the
 * text itself: characters that are the bytes of valid UTF-8 are taken for such bytes.
 */
export function headerBytes(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return LATIN1_ONLY.test(value) && isUtf8(bytes) ? bytes : Buffer.from(value);
}
