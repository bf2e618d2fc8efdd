import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type Admin, type IHeaders, Kafka, logLevel } from 'kafkajs';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import { logOffsets } from '../../src/kafka/fetch/log-offsets.ts';
import { connectionConfigFor } from './cluster.ts';
import { recordingLog } from './log.ts';

export interface ReadRecord {
  partition: number;
  offset: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: IHeaders;
  timestamp: number;
}

export function numbered(count: number, from = 0): { key: string; value: string }[] {
  return Array.from({ length: count }, (_, n) => ({ key: `k${from + n}`, value: `{"n":${from + n}}` }));
}

export function numbersOf(records: readonly { value: Buffer | null }[]): number[] {
  return records.map(({ value }) => JSON.parse(String(value)).n).sort((a, b) => a - b);
}

export const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

/** Plain kafkajs, as another program would use it. */
export function kafkajs(cluster: KafkaCluster): Kafka {
  return new Kafka({
    brokers: cluster.bootstrapServers.PLAINTEXT.split(','),
    logLevel: logLevel.NOTHING,
    connectionTimeout: 10_000,
    // A test that waits for a moved leader must not wait for a back-off.
    retry: { initialRetryTime: 50, retries: 20 },
  });
}

/** Lets kafkajs's admin client do something. */
export async function administer<T>(cluster: KafkaCluster, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafkajs(cluster).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Publishes with kafkajs. */
export async function publish(
  cluster: KafkaCluster,
  topic: string,
  messages: Parameters<ReturnType<Kafka['producer']>['send']>[0]['messages'],
): Promise<void> {
  const producer = kafkajs(cluster).producer();
  await producer.connect();
  try {
    for (let at = 0; at < messages.length; at += 500) {
      await producer.send({ topic, messages: messages.slice(at, at + 500) });
    }
  } finally {
    await producer.disconnect();
  }
}

/**
 * All committed records of a topic, in the order of partitions and offsets: kafkajs reads read_committed. It
 * takes a partition's aborted transactions to be in the order of their first offsets, and shows records of
 * those that are not: where several producers may abort in one partition, Kafka's own consumer is the judge.
 */
export async function readTopic(cluster: KafkaCluster, topic: string): Promise<ReadRecord[]> {
  const ends = await stableEnds(cluster, topic);
  if (ends.size === 0) return [];
  // By their places: where a partition changes its leader, kafkajs may read it from its start once more.
  const records = new Map<string, ReadRecord>();
  const consumer = kafkajs(cluster).consumer({
    groupId: `reader-${randomBytes(6).toString('hex')}`,
    readUncommitted: false,
    maxWaitTimeInMs: 100,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    // The end of a partition may be a marker, which no batch shows: its fetch offset does.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (Number(payload.lastOffset) + 1 >= (ends.get(payload.partition) ?? 0))
        ends.delete(payload.partition);
      if (ends.size === 0) resolve();
    });
    const run = consumer.run({
      eachBatchAutoResolve: true,
      eachBatch: async ({ batch }) => {
        for (const { key, value, headers, offset, timestamp } of batch.messages) {
          records.set(`${batch.partition}/${offset}`, {
            ...{ partition: batch.partition, offset: Number(offset), key, value },
            ...{ headers: headers ?? {}, timestamp: Number(timestamp) },
          });
        }
      },
    });
    run.catch(reject);
  });
  await consumer.disconnect();
  return [...records.values()].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/**
 * The ends of partitions that hold something, once no transaction is open. Its end is answered before its
 * markers are written: whoever reads committed records right after it may not see them yet.
 */
export async function stableEnds(cluster: KafkaCluster, topic: string): Promise<Map<number, number>> {
  const connection = new Connection(
    clientOptions(connectionConfigFor(cluster, { listener: 'PLAINTEXT' })),
    recordingLog(),
  );
  const deadline = Date.now() + 20_000;
  const { partitions } = await connection.topic(topic, deadline);
  const sources = partitions.map(({ partition }) => ({ topic, partition }));
  const ends = (isolationLevel: 'read_committed' | 'read_uncommitted') =>
    logOffsets(connection, sources, 'latest', { isolationLevel, deadline });
  try {
    for (;;) {
      const [stable, all] = [await ends('read_committed'), await ends('read_uncommitted')];
      if (stable.some((end, partition) => end !== all[partition])) {
        assert.ok(Date.now() < deadline, `a transaction in ${topic} stays open`);
        continue;
      }
      const found = stable.map((end, partition) => [partition, Number(end)] as const);
      return new Map(found.filter(([, end]) => end > 0));
    }
  } finally {
    connection.close();
  }
}
