import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Failure } from '../../src/errors.ts';
import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import type { ConnectionConfig } from '../../src/kafka/connection/config.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import type { ProducerConfig } from '../../src/kafka/produce/config.ts';
import type { Outcome } from '../../src/kafka/produce/partition-queue.ts';
import { Producer } from '../../src/kafka/produce/producer.ts';
import type { Log } from '../../src/log.ts';
import type { ProducerRecord, RecordMetadata } from '../../src/record.ts';
import { recordingLog } from './log.ts';

const TIME_MS = 5_000;

export const producerDefaults: ProducerConfig = {
  acks: 'all',
  idempotence: 'preferred',
  compression: 'none',
  lingerMs: 0,
  batchSize: 1024 * 1024,
  maxRequestSize: 1024 * 1024,
  maxQueueBytes: 32 * 1024 * 1024,
};

/** A connection that is closed when the test, or the file, is over. */
export function newConnection(config: ConnectionConfig, log: Log): Connection {
  const connection = new Connection(clientOptions(config), log);
  after(() => connection.close());
  return connection;
}

/** A producer of its own connection, closed when the tests are over. */
export function newProducer(
  config: ConnectionConfig,
  options: Partial<ProducerConfig> = {},
  log: Log = recordingLog(),
): { producer: Producer; connection: Connection } {
  const connection = newConnection(config, log);
  return { connection, producer: new Producer(connection, { ...producerDefaults, ...options }, log) };
}

export function record(
  topic: string,
  value: string | Buffer | null,
  more: Partial<ProducerRecord> = {},
): ProducerRecord {
  return {
    topic,
    key: null,
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: [],
    ...more,
  };
}

export function send(producer: Producer, ...records: ProducerRecord[]): Promise<Outcome[]> {
  return producer.send(records, Date.now() + TIME_MS);
}

export function acknowledged(outcome: Outcome | undefined): RecordMetadata {
  assert.ok(outcome && !(outcome instanceof Failure), `not acknowledged: ${outcome}`);
  return outcome;
}

export function failed(outcome: Outcome | undefined): Failure {
  assert.ok(outcome instanceof Failure, `not failed: ${JSON.stringify(outcome)}`);
  return outcome;
}
