import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import { type ConsumerRunConfig, type Consumer as GroupMember, Kafka, logLevel } from 'kafkajs';
import type { ConsumeConfig, PullConfig } from '../../functions/consume-batch/config.ts';
import { Consumer } from '../../functions/consume-batch/consume.ts';
import type { PullAnswer } from '../../functions/consume-batch/pull/drain.ts';
import type { PullWish } from '../../functions/consume-batch/pull/pull-wish.ts';
import type { Pipeline } from '../../functions/consume-batch/records/pipeline.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import type { ConnectionConfig } from '../../src/kafka/connection/config.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import { GroupOffsets } from '../../src/kafka/fetch/group-offsets.ts';
import { logOffsets } from '../../src/kafka/fetch/log-offsets.ts';
import type { ProducerConfig } from '../../src/kafka/produce/config.ts';
import { Producer } from '../../src/kafka/produce/producer.ts';
import type { OffsetToCommit } from '../../src/kafka/wire/offset-commit.ts';
import type { Log } from '../../src/log.ts';
import type { ConsumerRecord } from '../../src/record.ts';
import { connectionConfigFor, producerDefaults, type ReadRecord, recordingLog } from './cluster.ts';

const MIB = 1024 * 1024;

export const consumeDefaults: ConsumeConfig = {
  order: 'partition',
  concurrency: 16,
  retries: 2,
  retryBackoffMs: 5,
  deadLetterTopic: '{topic}.dead-letter',
  sink: { name: 'handler' },
};

export type Handle = NonNullable<Pipeline['handleRecord']>;

export interface TestConsumer {
  consumer: Consumer;
  connection: Connection;
  log: ReturnType<typeof recordingLog>;
  /** What the handler was given, in the order of its calls. */
  handled: ConsumerRecord[];
  pull(wish?: PullWish, config?: Partial<PullConfig>, timeoutMs?: number): Promise<PullAnswer>;
}

/** A consumer over a connection of its own, closed when the tests are over. */
export function newConsumer(
  cluster: KafkaCluster,
  pullOf: Pick<PullConfig, 'groupId' | 'topics'> & Partial<PullConfig>,
  {
    handle,
    pipeline,
    connection: connectionConfig = connectionConfigFor(cluster),
    log = recordingLog(),
    producer: producerConfig = {},
    ...config
  }: Partial<ConsumeConfig> & {
    handle?: Handle;
    pipeline?: Pipeline;
    connection?: ConnectionConfig;
    log?: ReturnType<typeof recordingLog>;
    producer?: Partial<ProducerConfig>;
  } = {},
): TestConsumer {
  const connection = new Connection(clientOptions(connectionConfig), log);
  after(() => connection.close());
  const handled: ConsumerRecord[] = [];
  const limits = { maxRequestSize: 16 * MIB, maxQueueBytes: 64 * MIB };
  const producer = new Producer(
    connection,
    { ...producerDefaults, ...limits, ...producerConfig },
    log as Log,
  );
  const consumer = new Consumer({
    connection,
    producer,
    config: { ...consumeDefaults, ...config },
    log,
    pipeline: pipeline ?? {
      async handleRecord(record, context) {
        await handle?.(record, context);
        handled.push(copy(record));
      },
    },
  });
  return {
    consumer,
    connection,
    log,
    handled,
    pull: (wish = {}, more = {}, timeoutMs = 30_000) =>
      consumer.pull(wish, { ...pullDefaults, ...pullOf, ...more }, Date.now() + timeoutMs),
  };
}

export const pullDefaults: Omit<PullConfig, 'groupId' | 'topics'> = {
  autoOffsetReset: 'earliest',
  isolationLevel: 'read_committed',
  checkCrcs: true,
  unreadable: 'stop',
  maxRecords: 10_000,
  maxBytes: 64 * MIB,
  waitMs: 0,
};

function copy(record: ConsumerRecord): ConsumerRecord {
  const bytes = (buffer: Buffer | null) => (buffer === null ? null : Buffer.from(buffer));
  return {
    ...record,
    key: bytes(record.key),
    value: bytes(record.value),
    headers: record.headers.map(({ key, value }) => ({ key, value: bytes(value) })),
  };
}

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

/** Reads as a member of the group, from when it has joined until it is disconnected. */
export async function joinGroup(
  cluster: KafkaCluster,
  { groupId, topic }: { groupId: string; topic: string },
  run: ConsumerRunConfig,
): Promise<GroupMember> {
  const member = kafkajs(cluster).consumer({ groupId, maxWaitTimeInMs: 50 });
  await member.connect();
  await member.subscribe({ topic, fromBeginning: true });
  const joined = new Promise((resolve) => member.on(member.events.GROUP_JOIN, resolve));
  await member.run(run);
  await joined;
  return member;
}

/** Commits an offset, as nobody's member. */
export async function commitOffset(
  cluster: KafkaCluster,
  groupId: string,
  offset: OffsetToCommit,
): Promise<void> {
  const log = recordingLog();
  const connection = new Connection(clientOptions(connectionConfigFor(cluster)), log);
  const [failure] = await new GroupOffsets(connection, groupId, log).commit([offset], Date.now() + 10_000);
  connection.close();
  if (failure) throw failure;
}

/** The committed offsets of a group, by partition, as kafkajs's admin client reads them. */
export async function committedOffsets(
  cluster: KafkaCluster,
  groupId: string,
  topic: string,
): Promise<Map<number, number>> {
  const admin = kafkajs(cluster).admin();
  await admin.connect();
  try {
    const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return new Map(offsets?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  } finally {
    await admin.disconnect();
  }
}

/**
 * All committed records of a topic, in the order of partitions and offsets: kafkajs reads read_committed. It
 * takes a partition's aborted transactions to be in the order of their first offsets, and shows records of
 * those that are not: where several producers may abort in one partition, Kafka's own consumer is the judge.
 */
export async function readCommitted(cluster: KafkaCluster, topic: string): Promise<ReadRecord[]> {
  const ends = await stableEnds(cluster, topic);
  const records: ReadRecord[] = [];
  if (ends.size === 0) return records;
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
          records.push({
            ...{ partition: batch.partition, offset: Number(offset), key, value },
            ...{ headers: headers ?? {}, timestamp: Number(timestamp) },
          });
        }
      },
    });
    run.catch(reject);
  });
  await consumer.disconnect();
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/**
 * The ends of partitions that hold something, once no transaction is open. Its end is answered before its
 * markers are written: whoever reads committed records right after it may not see them yet.
 */
export async function stableEnds(cluster: KafkaCluster, topic: string): Promise<Map<number, number>> {
  const connection = new Connection(clientOptions(connectionConfigFor(cluster)), recordingLog());
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
