import { Failure } from '../../../src/errors.ts';
import type { Log } from '../../../src/log.ts';
import type { ConsumerRecord, Header, ProducerRecord } from '../../../src/record.ts';
import { ERROR_HEADER_PREFIX } from '../../../src/reserved-headers.ts';
import type { FailureClass } from './record-failure.ts';
import { traceIdOf } from './record-trace.ts';

/** The record's own time (epoch ms) where the dead-letter topic refused it; not a header of Connect. */
export const TIMESTAMP_HEADER = `${ERROR_HEADER_PREFIX}timestamp`;
/**
 * Where the record first failed, in Kafka Connect's headers
 * (org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter). All values are text.
 */
export const ORIGIN_HEADERS = [
  ...['topic', 'partition', 'offset'].map((name) => ERROR_HEADER_PREFIX + name),
  TIMESTAMP_HEADER,
];
const MAX_MESSAGE_LENGTH = 1_024;
const SHORT_MESSAGE_LENGTH = 100;
const MAX_STACK_LENGTH = 4_096;

/** How much a dead letter tells beside its record, from all to nothing, because its topic may refuse large ones. */
export const tellings = ['everything', 'no stack', 'a short message', 'its origin', 'nothing'] as const;
export type Telling = (typeof tellings)[number];

export interface DeadLetter {
  record: ConsumerRecord;
  failureClass: FailureClass;
  error: Error;
  /** By default everything. */
  tells?: Telling;
  /** The topic may refuse the record's own timestamp, which then goes into a header. */
  isOfNow?: boolean;
}

/** The function that gave the record up, in Connect's words, and the call. */
export interface Reporter {
  clientId: string;
  sink: string;
  /** Empty where the platform gives none. */
  requestId: string;
}

/**
 * The record for the dead-letter topic: key, value and headers byte for byte, with the reason in more headers. A
 * record that was there before keeps its first origin.
 */
export function deadLetter(dead: DeadLetter, topic: string, reporter: Reporter): ProducerRecord {
  const { record, isOfNow } = dead;
  const isSecondDeath = record.headers.some(({ key }) => key === ORIGIN_HEADERS[0]);
  const kept = record.headers.filter(
    ({ key }) => !key.startsWith(ERROR_HEADER_PREFIX) || (isSecondDeath && ORIGIN_HEADERS.includes(key)),
  );
  const { topic: origin, partition, offset, timestamp } = record;
  const hasTime = kept.some(({ key }) => key === TIMESTAMP_HEADER);
  const added = {
    ...(!isSecondDeath && { topic: origin, partition, offset }),
    ...(isOfNow && !hasTime && { timestamp }),
    ...told(dead, reporter),
  };
  const headers: Header[] = Object.entries(dead.tells === 'nothing' ? {} : added)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ({ key: ERROR_HEADER_PREFIX + name, value: Buffer.from(String(value)) }));
  return {
    topic,
    key: record.key,
    value: record.value,
    headers: [...kept, ...headers],
    ...(timestamp !== undefined && !isOfNow && { timestamp }),
  };
}

/** Why the record failed, in Connect's names. */
function told(
  { failureClass, error, tells = 'everything' }: DeadLetter,
  { clientId, sink, requestId }: Reporter,
): Record<string, unknown> {
  const messageLength = tells === 'a short message' ? SHORT_MESSAGE_LENGTH : MAX_MESSAGE_LENGTH;
  if (tells === 'its origin') return { 'exception.class.name': error.name };
  return {
    'connector.name': clientId,
    'task.id': 0,
    stage: failureClass === 'poison' ? 'VALUE_CONVERTER' : 'TASK_PUT',
    'class.name': sink,
    // This is not a header of Connect. It leads to the call's lines in the log.
    ...(requestId && { 'request.id': requestId }),
    'exception.class.name': error.name,
    'exception.message': error.message.slice(0, messageLength),
    ...(tells === 'everything' && { 'exception.stacktrace': error.stack?.slice(0, MAX_STACK_LENGTH) }),
  };
}

/** Logs a new dead letter. `tells` says how much of this is in its headers. */
export function logDeadLetter(log: Log, dead: DeadLetter, deadLetterTopic: string): void {
  const { record, tells, isOfNow } = dead;
  const less = { ...(tells && { tells }), ...(isOfNow && { timestamp: record.timestamp }) };
  log.warn('a record was dead-lettered', { ...fieldsOf(dead), deadLetterTopic, ...less });
}

export function fieldsOf({ record, failureClass, error }: DeadLetter): Record<string, unknown> {
  const { topic, partition, offset } = record;
  return { topic, partition, offset, ...traceIdOf(record), failureClass, error: error.message };
}

export function deadLetterFailure(
  letter: ProducerRecord,
  dead: DeadLetter | undefined,
  cause: Failure,
  remedy = '',
): Failure {
  const record = dead ? placeOf(dead.record) : 'a record';
  return new Failure(
    'DEAD_LETTER_FAILED',
    `${record} failed (${dead?.error.message}) and could not be written to ${letter.topic}: ${cause.message}${remedy}`,
    { cause },
  );
}

/** The place of a record, as far as it is known: `orders-0@42`. */
export function placeOf({ topic, partition, offset }: ConsumerRecord): string {
  return partition === undefined ? `a record of topic ${topic}` : `${topic}-${partition}@${offset}`;
}
