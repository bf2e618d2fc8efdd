/** Found 2026-11-27 (D1): a partition that was just added was unknown for up to a second: what was known of it was that old. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { createPublish } from '../../functions/produce/publish.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { recordingLog } from '../support/log.ts';
import { acknowledged, assertFailure, post, produceDefaults } from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const { producer } = newProducer(connectionConfigFor(cluster));
const publish = createPublish({ producer, config: produceDefaults, log: recordingLog() });
const admin = new Kafka({
  brokers: cluster.bootstrapServers.PLAINTEXT.split(','),
  logLevel: logLevel.NOTHING,
}).admin();
await admin.connect();
after(() => admin.disconnect());

test('partitions that are added are published to at once', async () => {
  const topic = await newTopic(cluster, { partitions: 1 });
  const to = (partition: number) =>
    publish(post(topic, { records: [{ value: 1, partition }] }), Date.now() + 10_000);
  assert.deepEqual(acknowledged(await to(0)), ['0/0']);
  for (let count = 2; count < 8; count++) {
    assertFailure(await to(count - 1), 'UNKNOWN_PARTITION');
    await admin.createPartitions({ topicPartitions: [{ topic, count }] });
    for (;;) {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      if (topics[0]?.partitions.length === count && topics[0].partitions.every(({ leader }) => leader >= 0))
        break;
    }
    assert.deepEqual(acknowledged(await to(count - 1)), [`${count - 1}/0`]);
  }
});
