import { Failure } from '../../../../src/errors.ts';
import type { Producer } from '../../../../src/kafka/produce/producer.ts';
import type { ConsumerRecord, ProducerRecord } from '../../../../src/record.ts';
import type { Meanings } from '../../../../src/variables.ts';
import { transactionalHandler } from '../../pull/handle-transactional.ts';
import { type RecordFailure, TransientError } from '../../records/record-failure.ts';
import type { Sink, SinkKind, SinkParts } from '../../records/sink.ts';
import { type RetryingCall, transformRetrying } from '../../records/transform.ts';

/** The record for the other topic, where its key decides on the partition. */
export function forwarded(
  { topic, key, value, headers, timestamp }: ConsumerRecord,
  template: string,
): ProducerRecord {
  const target = template.replaceAll('{topic}', topic);
  return { topic: target, key, value, headers, ...(timestamp !== undefined && { timestamp }) };
}

export const meanings = {
  CONSUME_SINK_TOPIC: {
    unset: 'required with `topic`',
    meaning: '`topic` sink: where records go; `{topic}` is the source topic',
  },
} as const satisfies Meanings;

interface TopicSinkConfig {
  /** May hold `{topic}`. */
  topic: string;
}

export const topic: SinkKind<TopicSinkConfig> = {
  configure(variables) {
    const template = variables.required('CONSUME_SINK_TOPIC').trim();
    variables.topicTemplate('CONSUME_SINK_TOPIC', template, variables.list('CONSUME_TOPICS'));
    return { topic: template };
  },
  open: topicSink,
};

/** Publishes records to another topic; pulled ones in one transaction with their offsets. */
function topicSink({ topic: template }: TopicSinkConfig, parts: SinkParts): Sink {
  const { connection, producer } = parts;
  return {
    oneByOne: false,
    async write(records, { deadline }) {
      const targets = records.map((record) => forwarded(record, template));
      const failures = await publish(targets, producer, deadline);
      return { taken: records.length, failures };
    },
    handlePulled: ({ group, times, notes, deadLetters, config, origin }) =>
      transactionalHandler({
        ...{ connection, group, times, notes, log: origin.log, compression: producer.compression },
        ...transformOption(parts, { ...times, ...config, origin }),
        target: (record) => forwarded(record, template),
        deadLetter: (dead) => deadLetters.letter(dead, origin.requestId),
      }),
  };
}

function transformOption(parts: SinkParts, call: RetryingCall) {
  const { transformRecord } = parts.pipeline;
  if (!transformRecord) return {};
  return {
    transform: (records: readonly ConsumerRecord[]) =>
      transformRetrying(records, transformRecord, parts, call),
  };
}

async function publish(
  records: readonly ProducerRecord[],
  producer: Producer,
  deadline: number,
): Promise<RecordFailure[]> {
  try {
    const outcomes = await producer.send(records, deadline);
    return outcomes.flatMap((outcome, index) =>
      outcome instanceof Failure ? [recordFailureOf(outcome, index)] : [],
    );
  } catch (error) {
    // Nothing was published: either one record is refused and has to be found, or the cluster can't be reached.
    if (!(error instanceof Failure)) throw error;
    if (isOfRecord(error) && records.length > 1) {
      const all: RecordFailure[] = [];
      for (const [index, record] of records.entries()) {
        const failed = await publish([record], producer, deadline);
        all.push(...failed.map((failure) => ({ ...failure, index })));
      }
      return all;
    }
    return records.map((_record, index) => recordFailureOf(error, index));
  }
}

function recordFailureOf(failure: Failure, index: number): RecordFailure {
  return isOfRecord(failure)
    ? { index, failureClass: 'permanent', error: failure }
    : { index, failureClass: 'transient', error: new TransientError(failure.message, { cause: failure }) };
}

/** The record itself is refused. Any other failure is the target's or the cluster's. */
function isOfRecord({ code }: Failure): boolean {
  return code === 'RECORD_TOO_LARGE' || code === 'INVALID_RECORD';
}
