import { Failure } from '../../src/errors.ts';
import {
  failureResponse,
  failureVerdict,
  type HttpRequest,
  type HttpResponse,
  JSON_TYPE,
  jsonResponse,
  mediaType,
} from '../../src/http.ts';
import type { RecordMetadata } from '../../src/record.ts';

const VENDOR_TYPE = 'application/vnd.kafka.v2+json';
const ACCEPTABLE = [VENDOR_TYPE, 'application/vnd.kafka+json', JSON_TYPE, 'application/*', '*/*'];

/** The type that answers to this request have; `undefined` where the caller accepts none that we speak. */
export function answerType({ headers }: HttpRequest): string | undefined {
  const accepted = (headers.accept ?? '*/*').split(',').filter((range) => !/;\s*q=0(\.0*)?\s*$/.test(range));
  const types = accepted.map(mediaType);
  if (!types.some((type) => ACCEPTABLE.includes(type) || type === '')) return undefined;
  const isVendor = [mediaType(headers['content-type']), ...types].some((type) =>
    type.startsWith('application/vnd.kafka'),
  );
  return isVendor ? VENDOR_TYPE : JSON_TYPE;
}

/** One entry a record, in the request's order; the status follows from how many were acknowledged. */
export function offsetsResponse(outcomes: readonly (RecordMetadata | Failure)[], type: string): HttpResponse {
  const failures = outcomes.filter((outcome) => outcome instanceof Failure);
  const offsets = outcomes.map((outcome) =>
    outcome instanceof Failure
      ? { partition: null, offset: null, error: outcome.message, ...failureVerdict(outcome) }
      : { partition: outcome.partition, offset: outcome.offset, error_code: null, error: null },
  );
  if (failures.length === outcomes.length) {
    const decisive = failures.find(({ delivery }) => delivery === 'unknown') ?? failures[0];
    if (decisive) return failureResponse(decisive, type, { offsets });
  }
  const status = failures.length === 0 ? 200 : 207;
  return jsonResponse(status, { offsets, key_schema_id: null, value_schema_id: null }, type);
}
