/**
 * Found 2026-11-27 (B11): an answer of 401, 403, 404, 405 or 3xx of the http sink, and of 413 for a batch, made
 * dead letters of whole batches. An expired token emptied a topic into another one.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ConsumeConfig } from '../../functions/consume-batch/config.ts';
import { newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { committedOffsets } from '../support/group.ts';
import { startReceiver } from '../support/http.ts';
import { numbered, publish, readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const RECORDS = 30;
const cluster = await sharedCluster();

/** Answers each POST with the status that it is told to; what came with a 200 is taken. */
async function newSink(statusOf: (body: string, count: number) => number) {
  const taken: number[] = [];
  const { sink, posts } = await startReceiver(({ text, records }, number) => {
    const status = statusOf(text, number);
    if (status === 200) taken.push(...records.map(({ value }) => (value as { n: number }).n));
    return { status, headers: { location: '/elsewhere' } };
  });
  return { sink, taken, posts: () => posts.length };
}

async function consumerOf(sink: ConsumeConfig['sink'], config: Partial<ConsumeConfig> = {}) {
  const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });
  await publish(cluster, topic, numbered(RECORDS));
  const consumer = newConsumer(cluster, topic, { sink, ...config });
  return {
    ...consumer,
    topic,
    committed: async () => (await committedOffsets(cluster, topic)).get(0),
    deadLetters: async () =>
      (await readTopic(cluster, `${topic}.dead-letter`)).map(({ value }) => String(value)),
  };
}

const all = Array.from({ length: RECORDS }, (_, n) => n);

describe('a sink that refuses whoever asks', { concurrency: 4 }, () => {
  for (const status of [300, 301, 302, 303, 307, 308, 401, 403, 404, 405, 407]) {
    test(`${status}: the call stops, the records stay where they are, and all come once it is well`, async () => {
      let isWell = false;
      const { sink, taken, posts } = await newSink(() => (isWell ? 200 : status));
      const { pull, committed, deadLetters } = await consumerOf(sink);
      await assert.rejects(pull(), (error) => {
        failsWith('SINK_FAILED')(error);
        assert.match(String(error), new RegExp(`the sink answered ${status}.*CONSUME_SINK_URL`));
        return true;
      });
      assert.deepEqual(
        [posts(), await committed(), await deadLetters()],
        [1, -1, []],
        'asked once, nothing moved',
      );
      isWell = true;
      assert.equal((await pull()).processed, RECORDS);
      assert.deepEqual([taken, await deadLetters()], [all, []]);
    });
  }

  test('in the middle of a pull: what it took before is committed', async () => {
    const { sink } = await newSink((_body, count) => (count === 1 ? 200 : 401));
    const { pull, topic, committed, deadLetters } = await consumerOf(sink);
    await publish(cluster, topic, numbered(600, RECORDS));
    await assert.rejects(pull(), failsWith('SINK_FAILED'));
    assert.ok(Number(await committed()) > 0);
    assert.deepEqual(await deadLetters(), []);
  });

  for (const order of ['key', 'none'] as const) {
    test(`records side by side (CONSUME_ORDER=${order}): it is not asked again and again`, async () => {
      const { sink, posts } = await newSink(() => 403);
      const { pull, topic, deadLetters } = await consumerOf(sink, { order, concurrency: 1 });
      await publish(cluster, topic, numbered(2_000, RECORDS));
      await assert.rejects(pull(), failsWith('SINK_FAILED'));
      assert.deepEqual([posts(), await deadLetters()], [1, []]);
    });
  }

  test('pushed records that will be delivered again fail; those that will not are dead letters', async () => {
    const { sink } = await newSink(() => 401);
    const { consumer, topic, deadLetters } = await consumerOf(sink);
    const records = [1, 2].map((n) => ({ topic, key: null, value: Buffer.from(`{"n":${n}}`), headers: [] }));
    const deadline = Date.now() + 5_000;
    const again = await consumer.push(records, { isRedelivered: true, deadline });
    assert.deepEqual(
      again.failures.map(({ failure }) => failure.code),
      ['SINK_FAILED', 'SINK_FAILED'],
    );
    assert.deepEqual(await deadLetters(), []);
    const never = await consumer.push(records, { isRedelivered: false, deadline });
    assert.deepEqual(never.failures, []);
    assert.deepEqual(await deadLetters(), ['{"n":1}', '{"n":2}']);
  });
});

describe('a sink that takes no large batches', () => {
  for (const status of [413, 414]) {
    test(`${status}: the batch is split, and only a record that is too large alone is a dead letter`, async () => {
      const { sink, taken, posts } = await newSink((body) =>
        body.length > 500 || body.includes('"n":17}') ? status : 200,
      );
      const { pull, committed, deadLetters } = await consumerOf(sink);
      const answer = await pull();
      assert.deepEqual([answer.processed, answer.deadLettered], [RECORDS - 1, 1]);
      assert.deepEqual(
        taken,
        all.filter((n) => n !== 17),
        'in order, each once',
      );
      assert.deepEqual([await committed(), await deadLetters()], [RECORDS, ['{"n":17}']]);
      assert.ok(posts() < 3 * RECORDS, `${posts()} posts`);
    });
  }

  test('no body is larger than a megabyte, whatever the format makes of the bytes', async () => {
    const lengths: number[] = [];
    const { sink } = await newSink((body) => {
      lengths.push(body.length);
      return 200;
    });
    const { pull, topic } = await consumerOf({ ...sink, format: 'base64' });
    const values = Array.from({ length: 8 }, () => ({ key: 'k', value: Buffer.alloc(200_000, 255) }));
    for (const value of values) await publish(cluster, topic, [value]);
    assert.equal((await pull()).processed, RECORDS + 8);
    assert.ok(Math.max(...lengths) <= 1_000_000, `${lengths}`);
  });
});
