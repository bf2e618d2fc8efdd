import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { ConsumeConfig } from '../../functions/consume-batch/config.ts';
import { PermanentError } from '../../functions/consume-batch/records/record-failure.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { commitOffset, committedOffsets, joinGroup } from '../support/group.ts';
import { numbered, publish, readTopic } from '../support/records.ts';
import { replayWith } from '../support/replay.ts';

/** As short as Kafka lets it be, and looked after every second. */
export const SHORT_RETENTION = {
  'offsets.retention.minutes': '1',
  'offsets.retention.check.interval.ms': '1000',
};

export const RECORDS = 5;
/** Who may see the coordinator's settings, as a pull needs to where they are not Kafka's own defaults. */
const listener = 'PLAINTEXT';
const sinks: ConsumeConfig['sink'][] = [{ name: 'handler' }, { name: 'topic', topic: '{topic}.out' }];

interface Idle {
  what: string;
  /** Pulls once more; nothing may come. */
  pull(): Promise<void>;
  /** What has been handled or published so far. */
  count(): Promise<number>;
}

/**
 * Pulls again and again over partitions in which nothing happens, until `isOver`: no record comes again. Then
 * one more record comes to each, once.
 */
export async function pullIdlePartitions(
  cluster: KafkaCluster,
  { everyMs, isOver }: { everyMs: number; isOver: () => Promise<boolean> },
): Promise<void> {
  const idle: Idle[] = [];
  for (const sink of sinks) {
    for (const hadMembers of [false, true]) idle.push(await newIdle(cluster, sink, hadMembers));
  }
  idle.push(await newReplay(cluster));
  const before = await Promise.all(idle.map(({ count }) => count()));
  for (;;) {
    const next = wait(everyMs);
    await Promise.all(idle.map(({ pull }) => pull()));
    for (const [index, { what, count }] of idle.entries()) assert.equal(await count(), before[index], what);
    if (await isOver()) return;
    await next;
  }
}

async function newIdle(
  cluster: KafkaCluster,
  sink: ConsumeConfig['sink'],
  hadMembers: boolean,
): Promise<Idle> {
  const topic = await newTopic(cluster, { partitions: 2, beside: ['out'] });
  const groupId = `${topic}-g`;
  await publish(cluster, topic, numbered(RECORDS));
  if (hadMembers) await readAndLeave(cluster, groupId, topic);
  const connection = connectionConfigFor(cluster, { listener });
  const { pull, handled } = newConsumer(cluster, topic, { sink, connection });
  const { processed } = await pull();
  assert.equal(processed, hadMembers ? 0 : RECORDS);
  const what = `${sink.name} sink, a group that ${hadMembers ? 'had members' : 'never had one'}`;
  return {
    what,
    async pull() {
      const answer = await pull();
      assert.deepEqual([answer.processed, answer.more], [0, false], what);
    },
    count: async () => handled.length + (await readTopic(cluster, `${topic}.out`)).length,
  };
}

/** A consumer of the classic protocol reads everything, commits it and leaves. */
export async function readAndLeave(cluster: KafkaCluster, groupId: string, topic: string): Promise<void> {
  let read = 0;
  let done: () => void;
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const member = await joinGroup(
    cluster,
    { groupId, topic },
    {
      eachMessage: async () => {
        read++;
        if (read === RECORDS) done();
      },
    },
  );
  await all;
  await member.disconnect();
  const committed = [...(await committedOffsets(cluster, topic)).values()];
  assert.equal(
    committed.filter((offset) => offset > 0).reduce((sum, offset) => sum + offset, 0),
    RECORDS,
  );
}

async function newReplay(cluster: KafkaCluster): Promise<Idle> {
  const topic = await newTopic(cluster, { partitions: 1 });
  await cluster.createTopic(`${topic}.dead-letter`, { partitions: 2 });
  await publish(cluster, topic, numbered(RECORDS));
  const failing = newConsumer(cluster, topic, { handle: () => Promise.reject(new PermanentError('no')) });
  assert.equal((await failing.pull()).deadLettered, RECORDS);
  const replay = () => replayWith(cluster, listener, '--topic', `${topic}.dead-letter`, '--origins', topic);
  const first = await replay();
  assert.equal(first.code, 0, first.stderr);
  return {
    what: 'replay',
    async pull() {
      const { code, stdout, stderr } = await replay();
      assert.deepEqual([code, stdout], [0, ''], stderr);
    },
    count: async () => (await readTopic(cluster, topic)).length,
  };
}

/** Tells whether Kafka has forgotten an offset by now that nobody looked after. */
export async function forgottenOffset(cluster: KafkaCluster): Promise<() => Promise<boolean>> {
  const topic = await newTopic(cluster, { partitions: 1 });
  await publish(cluster, topic, numbered(1));
  await commitOffset(cluster, 'nobodys', { topic, partition: 0, offset: 1 });
  return async () => (await committedOffsets(cluster, topic, 'nobodys')).get(0) === -1;
}
