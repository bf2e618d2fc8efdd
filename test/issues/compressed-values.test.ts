/**
 * Found 2026-11-27 (B10): the topic sink ignored KAFKA_COMPRESSION_TYPE, so that a value of 3 MB, which its
 * topic holds compressed and max.message.bytes counts as that, stopped the partition.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { consoleConsumer } from '../../local/kafka/tools.ts';
import { bundledConsumer } from '../support/bundle.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { newProducer } from '../support/producer.ts';
import { runReplay } from '../support/replay.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const MIB = 1024 * 1024;
const cluster = await sharedCluster();
const start = await bundledConsumer(cluster);

/** 3 MB of JSON that compress well, one record of its topic among small ones. */
const large = Buffer.from(
  JSON.stringify(Array.from({ length: 100_000 }, (_, n) => ({ n, name: 'somebody' }))),
);
const threeValues = [Buffer.from('1'), large, Buffer.from('2')];

/** Nothing has more than the default of max.message.bytes. */
async function topicWithLargeValue(compression: 'gzip' | 'lz4', values = threeValues): Promise<string> {
  const topic = await newTopic(cluster, { partitions: 1 });
  for (const name of [`${topic}.out`, `${topic}.dead-letter`]) {
    await cluster.createTopic(name, { partitions: 1 });
  }
  const config = { compression, maxRequestSize: 16 * MIB, batchSize: 16 * MIB };
  const { producer } = newProducer(connectionConfigFor(cluster), config);
  const records = values.map((value) => ({ topic, key: null, value, headers: [] }));
  const outcomes = await producer.send(records, Date.now() + 20_000);
  assert.deepEqual(
    outcomes.map((outcome) => 'offset' in outcome && outcome.offset),
    [...values.keys()],
  );
  return topic;
}

/** As Kafka's own consumer reads them: kafkajs has no lz4. */
async function committedValues(topic: string, count: number): Promise<(Buffer | null)[]> {
  const options = { topic, isolationLevel: 'read_committed', maxMessages: count } as const;
  return (await consoleConsumer(cluster, { ...options, timeoutMs: 20_000 })).map(({ value }) => value);
}

describe('a value of 3 MB that its topic holds compressed', () => {
  for (const compression of ['gzip', 'lz4'] as const) {
    test(`KAFKA_COMPRESSION_TYPE=${compression}: it goes through the topic sink`, async () => {
      const topic = await topicWithLargeValue(compression);
      const runtime = start({
        ...{ KAFKA_GROUP_ID: `${topic}-g`, CONSUME_TOPICS: topic, KAFKA_COMPRESSION_TYPE: compression },
        ...{ CONSUME_SINK: 'topic', CONSUME_SINK_TOPIC: '{topic}.out' },
      });
      const result = await runtime.invoke({});
      assert.ok(result.ok, JSON.stringify(result));
      const { processed, deadLettered } = result.result as Record<string, number>;
      assert.deepEqual([processed, deadLettered], [3, 0]);
      assert.deepEqual(await committedValues(`${topic}.out`, 3), threeValues);
    });

    test(`KAFKA_COMPRESSION_TYPE=${compression}: it fits into the dead-letter topic, in a transaction too`, async () => {
      const topic = await topicWithLargeValue(compression);
      const small = await newTopic(cluster, { partitions: 1, config: { 'max.message.bytes': '10000' } });
      for (const sink of [{ name: 'handler' } as const, { name: 'topic', topic: small } as const]) {
        const { pull } = newConsumer(
          cluster,
          { groupId: `${topic}-${sink.name}`, topics: [topic] },
          { sink, producer: { compression }, handle: refuseLarge },
        );
        assert.equal((await pull()).deadLettered, 1);
      }
      assert.deepEqual(await committedValues(`${topic}.dead-letter`, 2), [large, large]);
    });
  }

  test('replay takes it back, and the dry run knows whether it will', async () => {
    const topic = await topicWithLargeValue('gzip');
    const arguments_ = ['--topic', topic, '--to', `${topic}.out`];
    const dryRun = (variables = {}) => runReplay(cluster, [...arguments_, '--dry-run'], variables);
    const compressed = { KAFKA_COMPRESSION_TYPE: 'gzip' };
    const refused = await dryRun();
    assert.match(refused.stderr, /RECORD_TOO_LARGE: .*@1: .*KAFKA_COMPRESSION_TYPE is none/);
    assert.equal(refused.code, 1);
    assert.equal((await dryRun(compressed)).code, 0);
    const { code, stderr } = await runReplay(cluster, arguments_, compressed);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await committedValues(`${topic}.out`, 3), threeValues);
  });

  test('KAFKA_COMPRESSION_TYPE=lz4: and so does one of 6 MB, which are several blocks of an lz4 frame', async () => {
    const huge = Buffer.from(JSON.stringify(Array.from({ length: 1_000_000 }, (_, n) => n % 100_000 === 0)));
    const topic = await topicWithLargeValue('gzip', [huge]);
    const { pull } = newConsumer(cluster, topic, {
      sink: { name: 'topic', topic: '{topic}.out' },
      producer: { compression: 'lz4' },
    });
    assert.equal((await pull()).processed, 1);
    assert.deepEqual(await committedValues(`${topic}.out`, 1), [huge]);
  });

  for (const sink of [{ name: 'handler' }, { name: 'topic', topic: '{topic}.out' }] as const) {
    test(`without it (${sink.name}): DEAD_LETTER_FAILED says what to set`, async () => {
      const topic = await topicWithLargeValue('gzip');
      const { pull } = newConsumer(cluster, topic, { sink, handle: refuseLarge });
      await assert.rejects(pull(), (error) => {
        failsWith('DEAD_LETTER_FAILED')(error);
        assert.match(String(error), /KAFKA_COMPRESSION_TYPE/);
        return true;
      });
    });
  }
});

function refuseLarge({ value }: { value: Buffer | null }): void {
  if (Number(value?.length) > MIB) throw new Error('too large to handle');
}
