import { Failure } from '../errors.ts';
import type { ConsumerRecord, Header } from '../record.ts';
import { isTopicName } from '../topic.ts';
import { base64Bytes } from './base64.ts';
import { isObject, type Members } from './members.ts';

/**
 * The response that AWS reads when ReportBatchItemFailures is on: it goes on from the lowest failed offset of each
 * partition. @types/aws-lambda has it for queues and streams only.
 */
export function kafkaBatchResponse(failed: readonly ConsumerRecord[]) {
  return {
    batchItemFailures: failed.map(({ topic, partition, offset }) => ({
      itemIdentifier: { partition: `${topic}-${partition}`, offset: offset ?? 0 },
    })),
  };
}

/** Whether AWS's trigger of Amazon MSK or of a self-managed Kafka sent the event. */
export function isAwsKafkaEvent({ eventSource }: Members): boolean {
  return eventSource === 'aws:kafka' || eventSource === 'SelfManagedKafka';
}

/**
 * Reads the records, which stand under `<topic>-<partition>`. Throws MALFORMED_REQUEST, and drops nothing, where any
 * part of the event has another shape.
 */
export function readAwsKafkaEvent({ records }: Members): ConsumerRecord[] {
  if (!isObject(records)) throw malformed('records must be an object');
  return Object.entries(records).flatMap(([name, entries]) => {
    if (!Array.isArray(entries)) throw malformed(`records[${JSON.stringify(name)}] must be an array`);
    return entries.map((entry: unknown, index) =>
      readRecord(entry, name, `records[${JSON.stringify(name)}][${index}]`),
    );
  });
}

function readRecord(entry: unknown, name: string, path: string): ConsumerRecord {
  if (!isObject(entry)) throw malformed(`${path} must be an object`);
  // A topic's name may hold hyphens, a partition may not.
  const hyphen = name.lastIndexOf('-');
  const { topic = name.slice(0, hyphen), partition = Number(name.slice(hyphen + 1)) } = entry;
  if (typeof topic !== 'string' || !isTopicName(topic)) throw malformed(`${path}.topic must be a topic name`);
  const { timestamp } = entry;
  return {
    topic,
    partition: wholeNumber(partition, `${path}.partition`),
    offset: wholeNumber(entry.offset, `${path}.offset`),
    ...(typeof timestamp === 'number' && { timestamp }),
    key: bytes(entry.key, `${path}.key`),
    value: bytes(entry.value, `${path}.value`),
    headers: readHeaders(entry.headers, `${path}.headers`),
  };
}

function wholeNumber(value: unknown, path: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw malformed(`${path} must be a whole number`);
}

/** Keys may be absent and a tombstone's value is null, in spite of the type `MSKEvent`. */
function bytes(text: unknown, path: string): Buffer | null {
  if (text === undefined || text === null) return null;
  const decoded = typeof text === 'string' ? base64Bytes(text) : undefined;
  if (!decoded) throw malformed(`${path} must be base64`);
  return decoded;
}

function readHeaders(headers: unknown, path: string): Header[] {
  if (headers === undefined || headers === null) return [];
  if (!Array.isArray(headers)) throw malformed(`${path} must be an array`);
  return headers.flatMap((header: unknown, index) => {
    if (!isObject(header)) throw malformed(`${path}[${index}] must be an object`);
    return Object.entries(header).map(([key, value]) => ({
      key,
      value: headerBytes(value, `${path}[${index}]`),
    }));
  });
}

/** Java's bytes are signed: -1 is 255. */
function headerBytes(value: unknown, path: string): Buffer | null {
  if (value === null) return null;
  if (Array.isArray(value) && value.every((byte) => Number.isInteger(byte) && byte >= -128 && byte <= 255)) {
    return Buffer.from(value);
  }
  throw malformed(`${path} must hold arrays of bytes`);
}

function malformed(problem: string): Failure {
  return new Failure('MALFORMED_REQUEST', `the Kafka event is malformed: ${problem}`);
}
