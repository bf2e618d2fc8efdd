import assert from 'node:assert/strict';
import type { ProduceConfig } from '../../functions/produce/config.ts';
import { ApiKeys } from '../../src/access/api-keys.ts';
import type { HttpRequest, HttpResponse } from '../../src/http/message.ts';
import { errorTable } from './errors.ts';

export const JSON_TYPE = 'application/json';
export const VENDOR_TYPE = 'application/vnd.kafka.v2+json';
export const JSON_V2 = 'application/vnd.kafka.json.v2+json';
export const BINARY_V2 = 'application/vnd.kafka.binary.v2+json';
export const TEXT_V2 = 'application/vnd.kafka.text.v2+json';

export const produceDefaults: ProduceConfig = {
  routes: 'all',
  keys: new ApiKeys(new Map()),
  defaultTopic: undefined,
  isTopicAllowed: (topic) => !topic.startsWith('__'),
  maxBodyBytes: 6 * 1024 * 1024,
  partitionKeyIsKey: false,
  webhook: { signature: undefined, keyHeader: undefined, keyPointer: undefined, copiesHeader: () => false },
};

/** A POST to a topic, or what `changes` make of it; an object as the body is sent as JSON. */
export function post(
  topic: string,
  body: unknown,
  changes: Omit<Partial<HttpRequest>, 'body'> = {},
): HttpRequest {
  const raw = Buffer.isBuffer(body) || typeof body === 'string';
  return {
    method: 'POST',
    path: `/topics/${topic}`,
    query: {},
    headers: {},
    requestId: 'request-1',
    body: Buffer.from(raw ? body : JSON.stringify(body)),
    ...changes,
  };
}

export interface OffsetEntry {
  partition: number | null;
  offset: number | null;
  error_code: number | null;
  error: string | null;
  code?: string;
  retriable?: boolean;
  delivery?: string;
}

export interface AnswerBody {
  offsets?: OffsetEntry[];
  key_schema_id?: null;
  value_schema_id?: null;
  error_code?: number;
  message?: string;
  code?: string;
  retriable?: boolean;
  delivery?: string;
  validation_errors?: { path: string; message: string }[];
}

export function bodyOf({ body }: { body: string }): AnswerBody {
  return JSON.parse(body) as AnswerBody;
}

/** Where the records of a wholly successful answer stand, as `partition/offset`. */
export function acknowledged(response: HttpResponse): string[] {
  assert.equal(response.status, 200, response.body);
  const { offsets = [], ...rest } = bodyOf(response);
  assert.deepEqual(rest, { key_schema_id: null, value_schema_id: null });
  return offsets.map(({ partition, offset, ...none }) => {
    assert.deepEqual(none, { error_code: null, error: null });
    return `${partition}/${offset}`;
  });
}

/** The answer is this failure, as the error table has it and in every other respect of the contract. */
export function assertFailure(response: HttpResponse, code: string): AnswerBody {
  const kind = errorTable.find((row) => row.code === code);
  assert.ok(kind, `${code} is in the table`);
  const answer = bodyOf(response);
  assert.equal(answer.code, code, response.body);
  const { error_code, retriable, delivery, message } = answer;
  assert.deepEqual(
    { status: response.status, errorCode: error_code, retriable, delivery },
    {
      status: kind.status,
      errorCode: kind.errorCode,
      retriable: kind.retriable,
      delivery: kind.delivery,
    },
  );
  assert.ok(message, 'a message');
  assert.doesNotMatch(response.body, /\.ts:|node:internal|127\.0\.0\.1|localhost/, 'no stack and no address');
  assert.equal(answer.validation_errors !== undefined, code === 'INVALID_RECORD' && !answer.offsets);
  if (kind.retriable) assert.match(response.headers['retry-after'] ?? '', /^[1-9]\d*$/);
  else assert.equal(response.headers['retry-after'], undefined);
  assert.match(response.headers['content-type'] ?? '', /^application\/(vnd\.kafka\.v2\+)?json$/);
  return answer;
}
