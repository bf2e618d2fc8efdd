import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PoisonError } from '../../functions/consume-batch/record-failure.ts';
import { kafkaForTests, newTopic, readTopic } from '../kafka.ts';
import { kafkajs, newConsumer, publish } from './consuming.ts';

const cluster = await kafkaForTests({ brokers: 3 });

async function leaderOf(topic: string): Promise<number> {
  const admin = kafkajs(cluster).admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  await admin.disconnect();
  return topics[0]?.partitions[0]?.leader ?? -1;
}

function numbered(count: number): { key: string; value: string }[] {
  return Array.from({ length: count }, (_, n) => ({ key: `${n}`, value: `{"n":${n}}` }));
}

function numbersOf(records: readonly { value: Buffer | null }[]): number[] {
  return records.map(({ value }) => JSON.parse(String(value)).n).sort((a, b) => a - b);
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

/** Pulls until nothing is left; a pull that met the fail-over itself may end with a retriable failure. */
async function pullAll(pull: () => Promise<{ more: boolean }>): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const answer = await pull().catch((error: { retriable?: boolean }) => {
      if (!error.retriable) throw error;
      return { more: true };
    });
    if (!answer.more) return;
  }
  assert.fail('after 20 pulls there is still something left');
}

test('the leader is killed in mid-pull: nothing lost, in order', async () => {
  const topic = await newTopic(cluster, { partitions: 1, replicationFactor: 3 });
  await publish(cluster, topic, numbered(5_000));
  const leader = await leaderOf(topic);
  let killed: Promise<void> | undefined;
  const { pull, handled } = newConsumer(
    cluster,
    { groupId: `${topic}-g`, topics: [topic] },
    {
      handle: async ({ offset }) => {
        // Not waited for: the pull goes on while the leader goes.
        if (offset === 700) killed ??= cluster.stopBroker(leader, 'SIGKILL');
      },
    },
  );
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
  const { pull, handled } = newConsumer(
    cluster,
    { groupId: `${topic}-g`, topics: [topic] },
    {
      handle: async ({ offset = 0 }) => {
        if (offset === 100) killed ??= cluster.stopBroker(leader, 'SIGKILL');
        if (offset % 3 === 0) throw new PoisonError('every third');
      },
    },
  );
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
