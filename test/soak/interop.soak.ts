/**
 * What is published here the clients of others read byte for byte, over SASL_SSL; and what KafkaJS publishes is
 * pulled. The other clients' publishing is in the normal tests.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { clients, kafkajsClient, publishWith, readWith } from '../support/clients/clients.ts';
import { fingerprint, records } from '../support/clients/records.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { newProducer } from '../support/producer.ts';

const SET_UP_MS = 300_000;
const MIB = 1024 * 1024;
const cluster = await kafkaForTests({ properties: { 'message.max.bytes': `${8 * MIB}` } });
const expected = records.map(fingerprint);

for (const client of [...clients, kafkajsClient]) {
  describe(client.name, () => {
    let reason: string | undefined;
    before(
      async () => {
        reason = await client.missing();
      },
      { timeout: SET_UP_MS },
    );

    for (const compression of ['none', 'gzip', 'lz4'] as const) {
      test(`reads what is published here with ${compression}`, async (t) => {
        if (reason) return t.skip(reason);
        const topic = await newTopic(cluster, { partitions: 1 });
        const options = { compression, maxRequestSize: 8 * MIB, batchSize: 4 * MIB };
        const { producer } = newProducer(connectionConfigFor(cluster), options);
        const outcomes = await producer.send(
          records.map((record) => ({ topic, partition: 0, ...record })),
          Date.now() + 20_000,
        );
        assert.deepEqual(
          outcomes.filter((outcome) => outcome instanceof Error),
          [],
        );
        const read = await readWith(client, cluster, topic, records.length);
        assert.deepEqual(read.map(fingerprint), expected);
      });
    }
  });
}

describe(`${kafkajsClient.name} publishes`, () => {
  for (const codec of kafkajsClient.codecs) {
    test(codec, async (t) => {
      const reason = await kafkajsClient.missing();
      if (reason) return t.skip(reason);
      const topic = await newTopic(cluster, { partitions: 1 });
      await publishWith(kafkajsClient, cluster, topic, { codec, records });
      const { pull, handled } = newConsumer(cluster, topic);
      await pull();
      assert.deepEqual(handled.map(fingerprint), expected);
    });
  }
});
