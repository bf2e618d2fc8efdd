/**
 * Found 2026-11-27: AWS reads `batchItemFailures` only where the event source mapping has ReportBatchItemFailures;
 * elsewhere it took the list for success, and the named records were lost.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundledConsumer } from '../support/bundle.ts';
import { newTopic } from '../support/cluster.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const start = await bundledConsumer(cluster);
const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });

/** Nobody listens there: every record fails for now. */
const SINK_DOWN = { CONSUME_SINK: 'http', CONSUME_SINK_URL: 'http://127.0.0.1:9/', CONSUME_RETRIES: '0' };

function event(eventSource: string, values: Record<number, string>) {
  const records = Object.entries(values).map(([offset, value]) => ({
    ...{
      topic,
      partition: 0,
      offset: Number(offset),
      timestamp: 1,
      timestampType: 'CREATE_TIME',
      headers: [],
    },
    value: Buffer.from(value).toString('base64'),
  }));
  return { eventSource, records: { [`${topic}-0`]: records } };
}

for (const source of ['aws:kafka', 'SelfManagedKafka']) {
  for (const variables of [{}, { CONSUME_PARTIAL_RESPONSE: 'false' }, { CONSUME_PARTIAL_RESPONSE: '' }]) {
    test(`${source}, ${JSON.stringify(variables)}: records that fail fail the call, with its code`, async () => {
      const runtime = start({ ...SINK_DOWN, ...variables });
      const result = await runtime.invoke(event(source, { 7: '1', 8: '2' }));
      assert.ok(!result.ok, JSON.stringify(result));
      assert.match(
        result.error.errorMessage,
        /^SINK_FAILED: 2 of 2 records failed: .+CONSUME_PARTIAL_RESPONSE/,
      );
    });
  }

  test(`${source}: with CONSUME_PARTIAL_RESPONSE=true they are named instead`, async () => {
    const runtime = start({ ...SINK_DOWN, CONSUME_PARTIAL_RESPONSE: 'true' });
    const result = await runtime.invoke(event(source, { 7: '1', 8: '2' }));
    assert.ok(result.ok, JSON.stringify(result));
    assert.deepEqual(result.result, {
      batchItemFailures: [7, 8].map((offset) => ({ itemIdentifier: { partition: `${topic}-0`, offset } })),
    });
  });
}

test('nothing failed: the list where it is asked for, else what was done', async () => {
  const done = { mode: 'push', processed: 1, failed: 0, deadLettered: 1 };
  const records = event('aws:kafka', { 0: '{"n":1}', 1: 'poison' });
  for (const [flag, answer] of [
    ['true', { batchItemFailures: [] }],
    ['false', done],
  ] as const) {
    const result = await start({ CONSUME_PARTIAL_RESPONSE: flag }).invoke(records);
    assert.deepEqual(result.ok && result.result, answer, JSON.stringify(result));
  }
  assert.equal((await readTopic(cluster, `${topic}.dead-letter`)).length, 2);
});

test('FunctionGraph is never answered with the list', async () => {
  const runtime = start({ CONSUME_PARTIAL_RESPONSE: 'true' });
  const result = await runtime.invoke({
    trigger_type: 'KAFKA',
    records: [{ topic_id: topic, messages: ['{"n":1}'] }],
  });
  assert.deepEqual(result.ok && result.result, { mode: 'push', processed: 1, failed: 0, deadLettered: 0 });
});

test('a value that is neither true nor false is CONFIG_INVALID', async () => {
  const result = await start({ CONSUME_PARTIAL_RESPONSE: 'yes' }).invoke(event('aws:kafka', { 0: '1' }));
  assert.match(
    JSON.stringify(result),
    /CONFIG_INVALID: configuration: CONSUME_PARTIAL_RESPONSE must be one of true, false/,
  );
});
