import { hash } from 'node:crypto';
import type { HttpRequest, RequestHead } from '../../src/http/message.ts';
import type { Header, ProducerRecord } from '../../src/record.ts';
import { IDEMPOTENCY_PREFIX } from '../../src/reserved-headers.ts';
import { invalid } from './invalid.ts';

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;
/** Of the SHA-256, which is 64 long. */
const DIGEST_LENGTH = 32;
/** Stands where a caller has no name; no name begins so. */
const NOBODY = '-';

/** Throws INVALID_RECORD for an Idempotency-Key that is none. */
export function checkIdempotencyKey({ headers }: RequestHead): void {
  const key = headers['idempotency-key'];
  if (key === undefined || IDEMPOTENCY_KEY.test(key)) return;
  throw invalid([{ path: 'idempotency-key', message: 'must be 1 to 255 visible ASCII characters' }]);
}

/**
 * Adds what tells a repeated request from a new one: the key, and `<caller>/<index>/<digest of the body>` as its
 * scope. So the readers of the records can see that a record came before.
 */
export function withIdempotency(
  records: ProducerRecord[],
  { headers, caller, body }: HttpRequest,
): ProducerRecord[] {
  const key = headers['idempotency-key'];
  if (key === undefined) return records;
  const digest = hash('sha256', body).slice(0, DIGEST_LENGTH);
  const keyHeader = header('key', key);
  return records.map((record, index) => {
    const scope = header('scope', `${caller?.name ?? NOBODY}/${index}/${digest}`);
    return { ...record, headers: [...record.headers, keyHeader, scope] };
  });
}

function header(name: 'key' | 'scope', value: string): Header {
  return { key: IDEMPOTENCY_PREFIX + name, value: Buffer.from(value) };
}
