/** A codec that is a library lies in a file of its own beside the bundle, which loads it when a batch needs it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bundledConsumer } from '../support/bundle.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { newProducer } from '../support/producer.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const start = await bundledConsumer(cluster);
const value = Buffer.from('the same again, '.repeat(100));

describe('a bundle pulls what the broker has compressed', () => {
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
    test(codec, async () => {
      const topic = await newTopic(cluster, { partitions: 1, config: { 'compression.type': codec } });
      const { producer } = newProducer(connectionConfigFor(cluster));
      const records = [1, 2, 3].map(() => ({ topic, key: null, value, headers: [] }));
      await producer.send(records, Date.now() + 20_000);
      const runtime = start({ KAFKA_GROUP_ID: `${topic}-g`, CONSUME_TOPICS: topic, CONSUME_SINK: 'log' });
      const result = await runtime.invoke({});
      assert.ok(result.ok, JSON.stringify(result));
      assert.equal((result.result as { processed: number }).processed, 3);
    });
  }
});
