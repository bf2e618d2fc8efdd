import assert from 'node:assert/strict';
import type { ConsumeConfig, PullConfig } from '../../functions/consume-batch/config.ts';
import { Consumer } from '../../functions/consume-batch/consume.ts';
import type { PullAnswer } from '../../functions/consume-batch/pull/drain.ts';
import type { PullWish } from '../../functions/consume-batch/pull/pull-wish.ts';
import type { Pipeline } from '../../functions/consume-batch/records/pipeline.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import type { ConnectionConfig } from '../../src/kafka/connection/config.ts';
import type { Connection } from '../../src/kafka/connection/connection.ts';
import type { ProducerConfig } from '../../src/kafka/produce/config.ts';
import { Producer } from '../../src/kafka/produce/producer.ts';
import type { Log } from '../../src/log.ts';
import type { ConsumerRecord } from '../../src/record.ts';
import { connectionConfigFor } from './cluster.ts';
import { recordingLog } from './log.ts';
import { newConnection, producerDefaults } from './producer.ts';

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

/** A consumer of a topic in the group `<topic>-g`, over a connection of its own that is closed after the tests. */
export function newConsumer(
  cluster: KafkaCluster,
  of: string | (Pick<PullConfig, 'groupId' | 'topics'> & Partial<PullConfig>),
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
  const pullOf = typeof of === 'string' ? { groupId: `${of}-g`, topics: [of] } : of;
  const connection = newConnection(connectionConfig, log);
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

/** Pulls until nothing is left; a pull that met the fail-over itself may end with a retriable failure. */
export async function pullAll(pull: () => Promise<{ more: boolean }>): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const answer = await pull().catch((error: { retriable?: boolean }) => {
      if (!error.retriable) throw error;
      return { more: true };
    });
    if (!answer.more) return;
  }
  assert.fail('after 20 pulls there is still something left');
}
