import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PoisonError } from '../../functions/consume-batch/records/record-failure.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { newConsumer, pullAll } from '../support/consumer.ts';
import { administer, numbered, numbersOf, publish, readTopic, upTo } from '../support/records.ts';
import { assertContiguous, bucketForTests } from '../support/s3.ts';

const cluster = await kafkaForTests({ brokers: 3 });
const bucket = await bucketForTests();

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

for (const which of ['the partition', 'the dead letters', 'the transactions'] as const) {
  test(`the leader of ${which} is killed in mid-pull, s3 sink: every record and dead letter once`, async () => {
    const topic = await newTopic(cluster, { partitions: 1, replicationFactor: 3 });
    await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1, replicationFactor: 3 });
    await publish(cluster, topic, numbered(3_000));
    let killed: Promise<void> | undefined;
    const { pull, connection } = newConsumer(cluster, topic, {
      sink: bucket.sink(),
      pipeline: {
        transformRecord: ({ offset = 0, ...record }) => {
          if (offset === 700) killed ??= cluster.stopBroker(leader, 'SIGKILL');
          if (offset % 3 === 0) throw new PoisonError('every third');
          return record;
        },
      },
    });
    const id = `${topic}-g-/${topic}/0`;
    const coordinator = async () =>
      (await connection.coordinator('transaction', id, Date.now() + 10_000)).nodeId;
    const leader =
      which === 'the transactions'
        ? await coordinator()
        : await leaderOf(which === 'the partition' ? topic : `${topic}.dead-letter`);
    await pullAll(() => pull({ maxRecords: 2_000 }, {}, 60_000));
    await killed;
    await cluster.startBroker(leader);
    const objects = await bucket.objects(`${topic}/`);
    assertContiguous(objects, 0, 3_000);
    const isDead = (n: number) => n % 3 === 0;
    const lines = objects.flatMap((object) => object.lines.map((line) => JSON.parse(line).n));
    assert.deepEqual(
      lines,
      upTo(3_000).filter((n) => !isDead(n)),
    );
    assert.deepEqual(numbersOf(await readTopic(cluster, `${topic}.dead-letter`)), upTo(3_000).filter(isDead));
  });
}
