import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { committedOffsets } from '../support/group.ts';
import { numbered, numbersOf, publish, readTopic, upTo } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

const WAIT_MS = 2_500;

const publishTo = (topic: string, records: ReturnType<typeof numbered>, partition: number) =>
  publish(
    cluster,
    topic,
    records.map((record) => ({ ...record, partition })),
  );

async function setUp(config: Parameters<typeof newConsumer>[2] = {}) {
  const topic = await newTopic(cluster, { partitions: 2, beside: ['out'] });
  const handled = new EventEmitter();
  const consumer = newConsumer(cluster, topic, { handle: () => void handled.emit('record'), ...config });
  return {
    ...{ topic, ...consumer, next: () => once(handled, 'record') },
    committed: async () => [...(await committedOffsets(cluster, topic)).values()].sort((a, b) => a - b),
  };
}

describe('CONSUME_WAIT_MS', () => {
  test('what comes while the pull waits at the end is handled, committed and told', async () => {
    const { topic, pull, next, handled, committed } = await setUp();
    await publishTo(topic, numbered(1), 0);
    const first = next();
    const pulling = pull({}, { waitMs: WAIT_MS });
    await first;
    // The one partition was at its end from the start, the other one has just come to it.
    for (const [n, partition] of [0, 1, 1].entries()) {
      const another = next();
      await publishTo(topic, numbered(1, n + 1), partition);
      await another;
    }
    const { processed, more, partitions } = await pulling;
    assert.deepEqual([processed, more, numbersOf(handled)], [4, false, upTo(4)]);
    assert.deepEqual(
      partitions.map(({ from, to, end, lag }) => [from, to, end, lag]),
      [
        [0, 2, 2, 0],
        [0, 2, 2, 0],
      ],
    );
    assert.deepEqual(await committed(), [2, 2]);
  });

  test('what came between the look at the end and the fetch is not passed over', async () => {
    const { topic, pull, handled } = await setUp({ handle: async () => void (await wait(20)) });
    const pulling = pull({}, { waitMs: WAIT_MS });
    for (let n = 0; n < 20; n++) await publishTo(topic, numbered(1, n), 0);
    await pulling;
    await pull();
    assert.deepEqual(numbersOf(handled), upTo(20));
  });

  test('a pull for which nothing comes ends by itself', async () => {
    const { pull, committed } = await setUp();
    const { processed, more } = await pull({}, { waitMs: 300 });
    // Where it would go on, as every pull of an empty partition does.
    assert.deepEqual([processed, more, await committed()], [0, false, [0, 0]]);
  });

  test('the budget of records and the remaining time end the wait', async () => {
    const { topic, pull, next } = await setUp();
    const first = next();
    const pulling = pull({}, { waitMs: 60_000, maxRecords: 1 }, 30_000);
    await publishTo(topic, numbered(1), 0);
    await first;
    assert.equal((await pulling).processed, 1);
    assert.equal((await pull({}, { waitMs: 60_000 }, 1_500)).processed, 0);
  });

  test('with the topic sink, a partition where nothing waited begins its transactions when something comes', async () => {
    const { topic, pull, committed } = await setUp({ sink: { name: 'topic', topic: '{topic}.out' } });
    await pull();
    const pulling = pull({}, { waitMs: WAIT_MS });
    await publishTo(topic, numbered(5), 1);
    assert.equal((await pulling).processed, 5);
    assert.equal((await pull()).processed, 0);
    assert.deepEqual(numbersOf(await readTopic(cluster, `${topic}.out`)), upTo(5));
    assert.deepEqual(await committed(), [0, 5]);
  });

  test('two pulls that wait beside each other hand on each record once with the topic sink', async () => {
    const { topic, pull } = await setUp({ sink: { name: 'topic', topic: '{topic}.out' } });
    const other = newConsumer(cluster, topic, { sink: { name: 'topic', topic: '{topic}.out' } });
    const both = Promise.all([pull({}, { waitMs: WAIT_MS }), other.pull({}, { waitMs: WAIT_MS })]);
    for (let n = 0; n < 20; n++) await publishTo(topic, numbered(1, n), n % 2);
    await both;
    await pull();
    assert.deepEqual(numbersOf(await readTopic(cluster, `${topic}.out`)), upTo(20));
  });
});
