import { hash } from 'node:crypto';
import type { HttpRequest, RequestHead } from '../../src/http/message.ts';
import type { Header, ProducerRecord } from '../../src/record.ts';
import { IDEMPOTENCY_KEY_HEADER, IDEMPOTENCY_SCOPE_HEADER } from '../../src/reserved-headers.ts';
import type { Trace } from '../../src/trace.ts';
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
 * Adds what a request says of all its records: its trace, unless a record has one of its own, and what tells a repeated
 * request from a new one: its key, and the scope of that.
 */
export function withRequestHeaders(
  records: ProducerRecord[],
  { headers: { 'idempotency-key': key }, caller, body }: HttpRequest,
  trace: Trace | undefined,
): ProducerRecord[] {
  if (key === undefined && trace === undefined) return records;
  const traced = trace ? headersOf({ traceparent: trace.traceparent, tracestate: trace.tracestate }) : [];
  const digest = key === undefined ? '' : hash('sha256', body).slice(0, DIGEST_LENGTH);
  return records.map((record, index) => {
    const isTraced = record.headers.some((header) => /^trace(parent|state)$/i.test(header.key));
    const repeatable = headersOf({
      [IDEMPOTENCY_KEY_HEADER]: key,
      [IDEMPOTENCY_SCOPE_HEADER]: key && `${caller?.name ?? NOBODY}/${index}/${digest}`,
    });
    return { ...record, headers: [...record.headers, ...(isTraced ? [] : traced), ...repeatable] };
  });
}

function headersOf(texts: Readonly<Record<string, string | undefined>>): Header[] {
  return Object.entries(texts).flatMap(([key, text]) =>
    text === undefined ? [] : [{ key, value: Buffer.from(text) }],
  );
}
