import assert from 'node:assert/strict';
import { Failure } from '../../src/errors.ts';
import type { Outcome } from '../../src/kafka/produce/partition-queue.ts';
import type { Producer } from '../../src/kafka/produce/producer.ts';
import type { ProducerRecord, RecordMetadata } from '../../src/record.ts';

const TIME_MS = 5_000;

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
