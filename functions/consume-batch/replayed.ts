import { Failure } from '../../src/errors.ts';
import type { ConsumerRecord, Header, ProducerRecord } from '../../src/record.ts';
import { ERROR_HEADER_PREFIX } from '../../src/reserved-headers.ts';
import { ORIGIN_HEADERS, TIMESTAMP_HEADER } from './dead-letter.ts';

/** How often a record has been replayed, as text. */
export const ATTEMPTS_HEADER = 'replay.attempts';

export interface ReplayTarget {
  /** Undefined: where each dead letter came from. */
  to: string | undefined;
}

/**
 * A dead letter as it goes back: key, value, its own headers and timestamp; of the error headers those
 * that name its origin, which a second death keeps; and one more attempt. A Failure where it does not say
 * where it came from.
 */
export function replayed(record: ConsumerRecord, { to }: ReplayTarget): ProducerRecord | Failure {
  const [topicHeader, partitionHeader] = ORIGIN_HEADERS;
  const topic = to ?? textOf(record, topicHeader);
  if (!topic) {
    return new Failure(
      'INVALID_RECORD',
      `${record.topic}-${record.partition}@${record.offset} does not say where it came from (${topicHeader}): give --to`,
    );
  }
  const partition = to === undefined ? Number(textOf(record, partitionHeader) ?? Number.NaN) : Number.NaN;
  const attempts = Number(textOf(record, ATTEMPTS_HEADER) ?? 0);
  const timestamp = ownTime(record);
  const headers = record.headers.filter(
    ({ key }) =>
      key !== ATTEMPTS_HEADER && (!key.startsWith(ERROR_HEADER_PREFIX) || ORIGIN_HEADERS.includes(key)),
  );
  return {
    topic,
    ...(Number.isInteger(partition) && { partition }),
    key: record.key,
    value: record.value,
    headers: [...headers, text(ATTEMPTS_HEADER, `${Number.isInteger(attempts) ? attempts + 1 : 1}`)],
    ...(timestamp !== undefined && { timestamp }),
  };
}

/** In epoch ms: a dead letter whose topic refused the record's timestamp has it in a header. */
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
