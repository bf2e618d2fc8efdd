import assert from 'node:assert/strict';
import { Failure } from '../../src/errors.ts';

/** The error table of the HTTP contract, written down a second time: what callers rely on changes in two places or in none. */
export const errorTable = [
  { code: 'MALFORMED_REQUEST', status: 400, errorCode: 400, retriable: false, delivery: 'none' },
  { code: 'API_KEY_REFUSED', status: 401, errorCode: 40102, retriable: false, delivery: 'none' },
  { code: 'SIGNATURE_INVALID', status: 401, errorCode: 40102, retriable: false, delivery: 'none' },
  { code: 'TOPIC_NOT_AUTHORIZED', status: 403, errorCode: 40301, retriable: false, delivery: 'none' },
  { code: 'TOPIC_NOT_ALLOWED', status: 403, errorCode: 40301, retriable: false, delivery: 'none' },
  { code: 'NOT_PERMITTED', status: 403, errorCode: 40302, retriable: false, delivery: 'none' },
  { code: 'UNKNOWN_TOPIC', status: 404, errorCode: 40401, retriable: false, delivery: 'none' },
  { code: 'UNKNOWN_PARTITION', status: 404, errorCode: 40402, retriable: false, delivery: 'none' },
  { code: 'UNKNOWN_ROUTE', status: 404, errorCode: 404, retriable: false, delivery: 'none' },
  { code: 'METHOD_NOT_ALLOWED', status: 405, errorCode: 405, retriable: false, delivery: 'none' },
  { code: 'NOT_ACCEPTABLE', status: 406, errorCode: 40601, retriable: false, delivery: 'none' },
  { code: 'REQUEST_TIMEOUT', status: 408, errorCode: 408, retriable: true, delivery: 'none' },
  { code: 'RECORD_TOO_LARGE', status: 413, errorCode: 41301, retriable: false, delivery: 'none' },
  { code: 'BODY_TOO_LARGE', status: 413, errorCode: 413, retriable: false, delivery: 'none' },
  { code: 'UNSUPPORTED_MEDIA_TYPE', status: 415, errorCode: 415, retriable: false, delivery: 'none' },
  { code: 'EXPECTATION_FAILED', status: 417, errorCode: 417, retriable: false, delivery: 'none' },
  { code: 'INVALID_RECORD', status: 422, errorCode: 422, retriable: false, delivery: 'none' },
  { code: 'THROTTLED', status: 429, errorCode: 42901, retriable: true, delivery: 'none' },
  { code: 'QUEUE_FULL', status: 429, errorCode: 42901, retriable: true, delivery: 'none' },
  { code: 'HEADERS_TOO_LARGE', status: 431, errorCode: 431, retriable: false, delivery: 'none' },
  { code: 'INTERNAL', status: 500, errorCode: 500, retriable: false, delivery: 'unknown' },
  { code: 'CONFIG_INVALID', status: 500, errorCode: 50001, retriable: false, delivery: 'none' },
  { code: 'NOT_IMPLEMENTED', status: 501, errorCode: 501, retriable: false, delivery: 'none' },
  { code: 'AUTHENTICATION_FAILED', status: 503, errorCode: 50303, retriable: false, delivery: 'none' },
  { code: 'BROKER_UNREACHABLE', status: 503, errorCode: 50302, retriable: true, delivery: 'none' },
  { code: 'NO_LEADER', status: 503, errorCode: 50003, retriable: true, delivery: 'none' },
  { code: 'NOT_ENOUGH_REPLICAS', status: 503, errorCode: 50003, retriable: true, delivery: 'none' },
  { code: 'ACK_TIMEOUT', status: 504, errorCode: 50401, retriable: true, delivery: 'unknown' },
  { code: 'CONNECTION_LOST', status: 504, errorCode: 50401, retriable: true, delivery: 'unknown' },
] as const;

/** The further codes of a pull, of which the contract names the status alone. */
export const pullStatuses: Readonly<Record<string, number>> = {
  GROUP_ACTIVE: 409,
  OFFSET_OUT_OF_RANGE: 409,
  SINK_FAILED: 502,
  DEAD_LETTER_FAILED: 502,
  BATCH_UNREADABLE: 502,
};

/** For `assert.rejects`. */
export function failsWith(code: string, message = /(?:)/): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof Failure, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}
