import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PoisonError } from '../../functions/consume-batch/records/record-failure.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { newConsumer, pullAll } from '../support/consumer.ts';
import { administer, numbered, numbersOf, publish, readTopic, upTo } from '../support/records.ts';

const cluster = await kafkaForTests({ brokers: 3 });

async function leaderOf(topic: string): Promise<number> {
  const { topics } = await administer(cluster, (admin) => admin.fetchTopicMetadata({ topics: [topic] }));
  return topics[0]?.partitions[0]?.leader ?? -1;
}

test('the leader is killed in mid-pull: nothing lost, in order', async () => {
  const topic = await newTopic(cluster, { partitions: 1, replicationFactor: 3 });
  await publish(cluster, topic, numbered(5_000));
  const leader = await leaderOf(topic);
  let killed: Promise<void> | undefined;
  const { pull, handled } = newConsumer(cluster, topic, {
    handle: async ({ offset }) => {
      // Not waited for: the pull goes on while the leader goes.
      if (offset === 700) killed ??= cluster.stopBroker(leader, 'SIGKILL');
    },
  });
  await pullAll(() => pull({}, {}, 60_000));
  await killed;
  await cluster.startBroker(leader);
  assert.deepEqual([...new Set(numbersOf(handled))], upTo(5_000));
});

test("the dead-letter topic's leader is killed in mid-pull: every dead letter arrives", async () => {
  const topic = await newTopic(cluster, { partitions: 1, replicationFactor: 3 });
  await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1, replicationFactor: 3 });
  await publish(cluster, topic, numbered(300));
  const leader = await leaderOf(`${topic}.dead-letter`);
  let killed: Promise<void> | undefined;
  const { pull, handled } = newConsumer(cluster, topic, {
    handle: async ({ offset = 0 }) => {
      if (offset === 100) killed ??= cluster.stopBroker(leader, 'SIGKILL');
      if (offset % 3 === 0) throw new PoisonError('every third');
    },
  });
  await pullAll(() => pull({}, {}, 60_000));
  await killed;
  await cluster.startBroker(leader);
  const dead = new Set(numbersOf(await readTopic(cluster, `${topic}.dead-letter`)));
  assert.deepEqual(
    [...dead],
    upTo(300).filter((n) => n % 3 === 0),
  );
  assert.deepEqual(
    [...new Set(numbersOf(handled))],
    upTo(300).filter((n) => n % 3 !== 0),
  );
});
