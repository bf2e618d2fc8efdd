import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { consoleConsumer } from '../../local/kafka/tools.ts';
import { newTopic } from './cluster.ts';
import { newConsumer, pullAll } from './consumer.ts';
import { committedRecords } from './group.ts';
import { newSeed, randomFrom } from './random.ts';
import { numbered, numbersOf, publish, upTo } from './records.ts';

/**
 * Calls of one group that begin while others are at work, with the topic sink: every record exactly once. Each
 * round has `calls` calls that begin at random moments of `withinMs`.
 */
export async function overlappingPulls(
  cluster: KafkaCluster,
  { records, calls, withinMs }: { records: number; calls: number; withinMs: number },
): Promise<void> {
  const topic = await newTopic(cluster, { partitions: 6 });
  await cluster.createTopic(`${topic}.out`, { partitions: 2 });
  await publish(cluster, topic, numbered(records));
  const sink = { name: 'topic', topic: '{topic}.out' } as const;
  const callers = Array.from({ length: calls }, () => newConsumer(cluster, topic, { sink }));
  const seed = newSeed();
  const random = randomFrom(seed);
  console.log(`# calls at random moments, SEED=${seed}`);
  const maxRecords = Math.ceil(records / 4);
  const round = async () => {
    const answers = await Promise.all(
      callers.map(async ({ pull }) => {
        await wait(random.below(withinMs));
        return pull({ maxRecords });
      }),
    );
    return { more: answers.some(({ more }) => more) };
  };
  await pullAll(round);
  const isolationLevel = 'read_committed';
  const published = await consoleConsumer(cluster, { topic: `${topic}.out`, isolationLevel });
  const numbers = numbersOf(published);
  assert.equal(new Set(numbers).size, records, 'records lost');
  assert.equal(numbers.length, records, 'records twice');
  assert.deepEqual(numbers, upTo(records));
  assert.equal(await committedRecords(cluster, topic), records);
}
