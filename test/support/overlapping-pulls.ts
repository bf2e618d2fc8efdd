import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { consoleConsumer } from '../../local/kafka/tools.ts';
import { newTopic } from './cluster.ts';
import { newConsumer, pullAll } from './consumer.ts';
import { committedOffsets, committedRecords } from './group.ts';
import { newSeed, randomFrom } from './random.ts';
import { numbered, numbersOf, publish, upTo } from './records.ts';
import { type Bucket, numbersInBucket } from './s3.ts';

/**
 * Calls of one group that begin while others are at work, with the topic sink, or into a bucket: every record exactly
 * once. Each round has `calls` calls that begin at random moments of `withinMs`.
 */
export async function overlappingPulls(
  cluster: KafkaCluster,
  { records, calls, withinMs, bucket }: { records: number; calls: number; withinMs: number; bucket?: Bucket },
): Promise<void> {
  const topic = await newTopic(cluster, { partitions: 6 });
  await cluster.createTopic(`${topic}.out`, { partitions: 2 });
  await publish(cluster, topic, numbered(records));
  const sink = bucket?.sink() ?? ({ name: 'topic', topic: '{topic}.out' } as const);
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
  const numbers = bucket
    ? (await numbersInBucket(bucket, topic, await committedOffsets(cluster, topic))).numbers
    : numbersOf(await consoleConsumer(cluster, { topic: `${topic}.out`, isolationLevel: 'read_committed' }));
  assert.equal(new Set(numbers).size, records, 'records lost');
  assert.equal(numbers.length, records, 'records twice');
  assert.deepEqual(numbers, upTo(records));
  assert.equal(await committedRecords(cluster, topic), records);
}
