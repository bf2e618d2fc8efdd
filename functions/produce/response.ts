import { Failure } from '../../src/errors.ts';
import { acceptedTypes } from '../../src/http/accept.ts';
import {
  failureResponse,
  failureVerdict,
  type HttpResponse,
  JSON_TYPE,
  jsonResponse,
  mediaType,
  type RequestHead,
} from '../../src/http/message.ts';
import type { RecordMetadata } from '../../src/record.ts';

export const VENDOR_TYPE = 'application/vnd.kafka.v2+json';
const ACCEPTABLE = [VENDOR_TYPE, 'application/vnd.kafka+json', JSON_TYPE, 'application/*', '*/*'];

/** The type of the response: the vendor's where the request's own type or Accept is the vendor's. */
export function answerType(request: RequestHead): string {
  const { accept, 'content-type': contentType } = request.headers;
  const types = [mediaType(contentType), ...acceptedTypes(accept)];
  return types.some((type) => type.startsWith('application/vnd.kafka')) ? VENDOR_TYPE : JSON_TYPE;
}

/** Whether the caller accepts one of our types. */
export function acceptsAnswer(request: RequestHead): boolean {
  return acceptedTypes(request.headers.accept).some((type) => ACCEPTABLE.includes(type) || type === '');
}

/** The answer to a request that failed as a whole, in the type that its caller reads. */
export function refusal(failure: Failure, request: RequestHead | undefined): HttpResponse {
  return failureResponse(failure, request && answerType(request));
}

/** An entry for each record, in the request's order. The status depends on how many were acknowledged. */
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
