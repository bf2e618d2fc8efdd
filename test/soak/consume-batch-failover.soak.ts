import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { newConsumer, pullAll } from '../support/consumer.ts';
import { numbered, numbersOf, publish, readTopic, upTo } from '../support/records.ts';

const cluster = await kafkaForTests({ brokers: 3 });

test('brokers are killed one after the other while the topic sink is at work: exactly once', async () => {
  const topic = await newTopic(cluster, { partitions: 3, replicationFactor: 3 });
  await cluster.createTopic(`${topic}.out`, { partitions: 3, replicationFactor: 3 });
  await publish(cluster, topic, numbered(6_000));
  const sink = { name: 'topic', topic: '{topic}.out' } as const;
  const { pull } = newConsumer(cluster, topic, { sink });
  for (const broker of [1, 2, 3]) {
    const killed = pull({ maxRecords: 2_000 }, {}, 60_000).catch((error: { retriable?: boolean }) => {
      if (!error.retriable) throw error;
    });
    await cluster.stopBroker(broker, 'SIGKILL');
    await killed;
    await cluster.startBroker(broker);
  }
  await pullAll(() => pull({}, {}, 60_000));
  assert.deepEqual(numbersOf(await readTopic(cluster, `${topic}.out`)), upTo(6_000));
});
