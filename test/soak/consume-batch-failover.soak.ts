import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newConsumer, publish, readCommitted } from '../consume-batch/consuming.ts';
import { kafkaForTests, newTopic } from '../kafka.ts';

const cluster = await kafkaForTests({ brokers: 3 });

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

test('brokers are killed one after the other while the topic sink is at work: exactly once', async () => {
  const topic = await newTopic(cluster, { partitions: 3, replicationFactor: 3 });
  await cluster.createTopic(`${topic}.out`, { partitions: 3, replicationFactor: 3 });
  await publish(cluster, topic, numbered(6_000));
  const sink = { name: 'topic', topic: '{topic}.out' } as const;
  const { pull } = newConsumer(cluster, { groupId: `${topic}-g`, topics: [topic] }, { sink });
  for (const broker of [1, 2, 3]) {
    const killed = pull({ maxRecords: 2_000 }, {}, 60_000).catch((error: { retriable?: boolean }) => {
      if (!error.retriable) throw error;
    });
    await cluster.stopBroker(broker, 'SIGKILL');
    await killed;
    await cluster.startBroker(broker);
  }
  await pullAll(() => pull({}, {}, 60_000));
  assert.deepEqual(numbersOf(await readCommitted(cluster, `${topic}.out`)), upTo(6_000));
});
