// The test of this folder's example. Rewrite it with the files beside it; `npm test` runs it, too.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ConsumerRecord } from '../../../src/record.ts';
import type { RecordContext } from '../records/pipeline.ts';
import { PermanentError, PoisonError } from '../records/record-failure.ts';
import { handleRecord } from './handle-record.ts';
import { transformRecord } from './transform-record.ts';

const lines: string[] = [];
const log = (message: string) => void lines.push(message);
const context: RecordContext = {
  log: { debug: log, info: log, warn: log, error: log },
  deadline: Date.now() + 60_000,
  signal: new AbortController().signal,
  requestId: 'test',
  traceparent: undefined,
  environment: () => undefined,
  resources: undefined,
};

function record(value: string | Buffer | null): ConsumerRecord {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return { topic: 'orders', partition: 0, offset: 1, timestamp: 1, key: null, value: bytes, headers: [] };
}

describe('handleRecord', () => {
  test('hands on orders and passes tombstones', async () => {
    await handleRecord(record('{"id":"o-1","total":1.5,"more":true}'), context);
    await handleRecord(record(null), context);
    assert.deepEqual(lines, ['order']);
  });

  test('what is not JSON, or not UTF-8, is poison; what breaks the schema is permanent', async () => {
    await assert.rejects(handleRecord(record('{'), context), PoisonError);
    await assert.rejects(handleRecord(record(Buffer.from([0x22, 0xff, 0x22])), context), PoisonError);
    await assert.rejects(handleRecord(record('{"total":-1}'), context), PermanentError);
    await assert.rejects(handleRecord(record('7'), context), PermanentError);
  });
});

test('transformRecord passes records on as they are', () => {
  const order = record('{"id":1}');
  assert.equal(transformRecord(order, context), order);
});
