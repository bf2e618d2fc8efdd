import { isUtf8 } from 'node:buffer';
import type { ConsumerRecord } from '../../../../src/record.ts';
import { IDEMPOTENCY_KEY_HEADER, IDEMPOTENCY_SCOPE_HEADER } from '../../../../src/reserved-headers.ts';

const KEY = /^\P{Cc}{1,255}$/u;
const SCOPE = /^([\w.-]{1,64})\/(\d{1,9})\/([0-9a-f]{32})$/;

/** Which record of which request it is. */
export interface Idempotency {
  /** `-` where the caller has no name. */
  caller: string;
  /** The request's Idempotency-Key. */
  key: string;
  /** Of the record among the request's. */
  index: number;
  /** Of the request's body. */
  digest: string;
}

/**
 * As produce writes it into the headers of each record of a request with an Idempotency-Key. Undefined where they are
 * missing, or not as produce writes them: somebody else may use these names, and then nothing is known of repeats.
 */
export function idempotencyOf({ headers }: ConsumerRecord): Idempotency | undefined {
  const key = textOf(headers, IDEMPOTENCY_KEY_HEADER);
  const [, caller, index, digest] = SCOPE.exec(textOf(headers, IDEMPOTENCY_SCOPE_HEADER)) ?? [];
  if (!KEY.test(key) || caller === undefined || digest === undefined) return undefined;
  return { caller, key, index: Number(index), digest };
}

/** Empty where the header is not there once, with a text. */
function textOf(headers: ConsumerRecord['headers'], name: string): string {
  const [header, ...more] = headers.filter(({ key }) => key === name);
  return header?.value && more.length === 0 && isUtf8(header.value) ? header.value.toString() : '';
}
