import { Failure } from '../../../src/errors.ts';
import type { ConsumerRecord, Header, ProducerRecord } from '../../../src/record.ts';
import { ERROR_HEADER_PREFIX } from '../../../src/reserved-headers.ts';
import { ORIGIN_HEADERS, placeOf, TIMESTAMP_HEADER } from '../records/dead-letter.ts';

/** A header that counts replays, as text. */
export const ATTEMPTS_HEADER = 'replay.attempts';
/** Kafka's limit for a topic's name. Whoever wrote the header may have written anything. */
const MAX_SHOWN_ORIGIN = 249;

export interface ReplayTarget {
  /** Undefined: where each dead letter came from. */
  to: string | undefined;
  /** Whether dead letters may go back there: whoever can write one can name any topic as its origin. */
  isOrigin: (topic: string) => boolean;
  /** The setting that decides this, such as CONSUME_TOPICS. */
  origins: string;
}

/**
 * A dead letter as it goes back: with key, value, its own headers and timestamp, the headers of its origin, which a
 * second death keeps, and one more attempt. A Failure where its origin is missing or not allowed.
 */
export function replayed(record: ConsumerRecord, target: ReplayTarget): ProducerRecord | Failure {
  const { to, isOrigin, origins } = target;
  const [topicHeader, partitionHeader] = ORIGIN_HEADERS;
  const topic = to ?? textOf(record, topicHeader);
  if (!topic) {
    return new Failure(
      'INVALID_RECORD',
      `${placeOf(record)} does not say where it came from (${topicHeader}): give --to`,
    );
  }
  if (to === undefined && topic === record.topic) {
    return new Failure(
      'TOPIC_NOT_ALLOWED',
      `${placeOf(record)} names the topic it is in as its origin: give --to`,
    );
  }
  if (to === undefined && !isOrigin(topic)) {
    return new Failure(
      'TOPIC_NOT_ALLOWED',
      `${placeOf(record)} says that it came from ${topic.slice(0, MAX_SHOWN_ORIGIN)}, which is not in ${origins}: list that topic in --origins if you believe it, or give --to`,
    );
  }
  const partition = to === undefined ? textOf(record, partitionHeader) : undefined;
  const attempts = Number(textOf(record, ATTEMPTS_HEADER) ?? 0);
  const timestamp = ownTime(record);
  const headers = record.headers.filter(
    ({ key }) =>
      key !== ATTEMPTS_HEADER && (!key.startsWith(ERROR_HEADER_PREFIX) || ORIGIN_HEADERS.includes(key)),
  );
  return {
    topic,
    ...(partition !== undefined && /^\d{1,9}$/.test(partition) && { partition: Number(partition) }),
    key: record.key,
    value: record.value,
    headers: [...headers, text(ATTEMPTS_HEADER, `${Number.isInteger(attempts) ? attempts + 1 : 1}`)],
    ...(timestamp !== undefined && { timestamp }),
  };
}

/** In epoch milliseconds. A dead letter whose topic refused the record's timestamp has it in a header. */
function ownTime(record: ConsumerRecord): number | undefined {
  const text = textOf(record, TIMESTAMP_HEADER);
  return text && /^\d{1,15}$/.test(text) ? Number(text) : record.timestamp;
}

function textOf({ headers }: ConsumerRecord, name: string | undefined): string | undefined {
  return headers.find(({ key }) => key === name)?.value?.toString();
}

function text(key: string, value: string): Header {
  return { key, value: Buffer.from(value) };
}
