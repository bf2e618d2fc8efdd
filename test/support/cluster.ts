import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import { type IHeaders, Kafka, logLevel } from 'kafkajs';
import {
  type KafkaCluster,
  type KafkaOptions,
  type Listener,
  startKafka,
} from '../../local/kafka/cluster.ts';
import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import type { ConnectionConfig, SaslConfig } from '../../src/kafka/connection/config.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import type { ProducerConfig } from '../../src/kafka/produce/config.ts';
import { Producer } from '../../src/kafka/produce/producer.ts';
import type { Log } from '../../src/log.ts';
import { Secret } from '../../src/secret.ts';

/** A cluster of this test file's own, for its top level: it is stopped when all its tests are over. */
export async function kafkaForTests(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const cluster = await startKafka(options);
  after(() => cluster.stop());
  return cluster;
}

/** A topic nobody else uses. */
export async function newTopic(
  cluster: KafkaCluster,
  options: Parameters<KafkaCluster['createTopic']>[1] = {},
  prefix = 'topic',
): Promise<string> {
  const name = `${prefix}-${randomBytes(6).toString('hex')}`;
  await cluster.createTopic(name, options);
  return name;
}

export function connectionConfigFor(
  cluster: KafkaCluster,
  {
    listener = 'SASL_SSL',
    bootstrapServers = cluster.bootstrapServers[listener],
    user = cluster.users.app,
    mechanism = 'SCRAM-SHA-512',
  }: {
    listener?: Listener;
    bootstrapServers?: string;
    user?: { username: string; password: string };
    mechanism?: SaslConfig['mechanism'];
  } = {},
): ConnectionConfig {
  return {
    bootstrapServers: bootstrapServers.split(',').map((server) => {
      const colon = server.lastIndexOf(':');
      return { host: server.slice(0, colon), port: Number(server.slice(colon + 1)) };
    }),
    securityProtocol: listener,
    sasl: listener.startsWith('SASL')
      ? { mechanism, username: user.username, password: new Secret(user.password) }
      : undefined,
    ssl: listener.endsWith('SSL') ? { ca: cluster.caPem, verifyHostname: undefined } : undefined,
    clientId: 'test',
    requestTimeout: undefined,
    connectionTimeout: undefined,
  };
}

export const producerDefaults: ProducerConfig = {
  acks: 'all',
  idempotence: 'preferred',
  compression: 'none',
  lingerMs: 0,
  batchSize: 1024 * 1024,
  maxRequestSize: 1024 * 1024,
  maxQueueBytes: 32 * 1024 * 1024,
};

export interface LogLine {
  level: string;
  message: string;
  fields: Record<string, unknown> | undefined;
}

/** A log that keeps its lines. */
export function recordingLog(): Log & { lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (level: string) => (message: string, fields?: Record<string, unknown>) => {
    lines.push({ level, message, fields });
  };
  return { lines, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** A producer of its own connection, closed when the tests are over. */
export function newProducer(
  config: ConnectionConfig,
  options: Partial<ProducerConfig> = {},
  log: Log = recordingLog(),
): { producer: Producer; connection: Connection } {
  const connection = new Connection(clientOptions(config), log);
  after(() => connection.close());
  return { connection, producer: new Producer(connection, { ...producerDefaults, ...options }, log) };
}

export interface ReadRecord {
  partition: number;
  offset: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: IHeaders;
  timestamp: number;
}

/** All records of a topic, by partition and offset, as plain kafkajs reads them. */
export async function readTopic(cluster: KafkaCluster, topic: string): Promise<ReadRecord[]> {
  const kafka = new Kafka({
    brokers: cluster.bootstrapServers.PLAINTEXT.split(','),
    logLevel: logLevel.NOTHING,
    connectionTimeout: 10_000,
  });
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const ends = new Map(
    offsets.filter(({ high, low }) => high !== low).map(({ partition, high }) => [partition, Number(high)]),
  );
  if (ends.size === 0) return [];
  const consumer = kafka.consumer({ groupId: `reader-${randomBytes(6).toString('hex')}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const records: ReadRecord[] = [];
  await new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    const eachBatch: NonNullable<Parameters<typeof consumer.run>[0]>['eachBatch'] = async ({ batch }) => {
      for (const { key, value, headers, offset, timestamp } of batch.messages) {
        records.push({
          partition: batch.partition,
          offset: Number(offset),
          key,
          value,
          headers: headers ?? {},
          timestamp: Number(timestamp),
        });
      }
      if (Number(batch.lastOffset()) + 1 >= (ends.get(batch.partition) ?? 0)) ends.delete(batch.partition);
      if (ends.size === 0) resolve();
    };
    consumer.run({ eachBatch }).catch(reject);
  });
  await consumer.disconnect();
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}
