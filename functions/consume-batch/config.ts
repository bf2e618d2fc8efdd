import { apiKeys } from '../../src/access/config.ts';
import { connectionConfig } from '../../src/kafka/connection/config.ts';
import { offsetReset, type offsetResets } from '../../src/kafka/fetch/config.ts';
import { producerConfig } from '../../src/kafka/produce/config.ts';
import { logLevel } from '../../src/log.ts';
import { isTopicName, TOPIC_NAME_RULE } from '../../src/topic.ts';
import type { Meanings, Variables } from '../../src/variables.ts';
import { type SinkConfig, sinkConfig } from './sinks/open-sink.ts';

const MIB = 1024 * 1024;

export const meanings = {
  KAFKA_GROUP_ID: {
    unset: 'required for a pull',
    meaning: 'the consumer group whose offsets a pull commits',
  },
  CONSUME_TOPICS: {
    unset: 'required for a pull',
    meaning:
      'topics that are pulled; where it is set, a push of other topics is refused whole, as `CONFIG_INVALID`',
  },
  KAFKA_ISOLATION_LEVEL: { meaning: '`read_uncommitted` reads aborted transactions, too' },
  KAFKA_CHECK_CRCS: { meaning: '`false` leaves out the checksums of batches' },
  CONSUME_MAX_RECORDS: { meaning: 'after so many records a pull ends' },
  CONSUME_MAX_BYTES: { meaning: 'after so many bytes a pull ends' },
  CONSUME_WAIT_MS: {
    meaning:
      "how long a pull goes on fetching once it has come to the end: records are handled within seconds, not at the timer's next minute",
  },
  CONSUME_UNREADABLE: {
    meaning:
      "a batch that can't be read (codec, checksum, bomb): `stop` ends its partition's pull as `BATCH_UNREADABLE` with topic, partition and offsets; `skip` logs them as an error and goes past it",
  },
  CONSUME_ORDER: {
    meaning:
      "what a failing record holds back, and what runs side by side: a partition's records, a key's, none",
  },
  CONSUME_CONCURRENCY: { meaning: 'how many run side by side' },
  CONSUME_RETRIES: { meaning: 'of transient failures, inside the remaining time' },
  CONSUME_RETRY_BACKOFF_MS: { meaning: 'before the first retry; doubles each time, with jitter' },
  CONSUME_PARTIAL_RESPONSE: {
    meaning:
      '`true`: the [AWS](aws.md) mapping has ReportBatchItemFailures, so failed records are named; else the call fails, and the whole batch comes again',
  },
  CONSUME_DEAD_LETTER_TOPIC: {
    meaning:
      '`{topic}` is the source topic; `none`, or an empty value: there is no such topic, and a failed record fails the call',
  },
} as const satisfies Meanings;

export const recordOrders = ['partition', 'key', 'none'] as const;

export interface ConsumeConfig {
  /** What a failing record holds back, and what runs side by side. */
  order: (typeof recordOrders)[number];
  concurrency: number;
  retries: number;
  retryBackoffMs: number;
  /** May hold `{topic}`. Undefined: a failed record fails the call. */
  deadLetterTopic: string | undefined;
  sink: SinkConfig;
}

export interface PullConfig {
  groupId: string;
  topics: string[];
  autoOffsetReset: (typeof offsetResets)[number];
  isolationLevel: 'read_committed' | 'read_uncommitted';
  checkCrcs: boolean;
  /** Whether a batch that can't be read stops its partition, or is logged and skipped. */
  unreadable: 'stop' | 'skip';
  maxRecords: number;
  maxBytes: number;
  /** How long a partition is read on behind its end. */
  waitMs: number;
}

/** The variables that are read when the function starts. A pull reads more (`pullConfig`). */
export function functionConfig(variables: Variables) {
  return {
    connection: connectionConfig(variables),
    keys: apiKeys(variables),
    producer: producerConfig(variables),
    consume: consumeConfig(variables),
    topics: variables.list('CONSUME_TOPICS'),
    // Without ReportBatchItemFailures in the event source mapping, AWS reads no list of failed records.
    partialResponse: variables.flag('CONSUME_PARTIAL_RESPONSE', false),
    logLevel: logLevel(variables),
  };
}

export function consumeConfig(variables: Variables): ConsumeConfig {
  const deadLetterTopic = variables.textOrNone('CONSUME_DEAD_LETTER_TOPIC', '{topic}.dead-letter');
  const topics = variables.list('CONSUME_TOPICS');
  variables.topicTemplate('CONSUME_DEAD_LETTER_TOPIC', deadLetterTopic, topics);
  return {
    order: variables.oneOf('CONSUME_ORDER', recordOrders, 'partition'),
    concurrency: variables.integer('CONSUME_CONCURRENCY', 16, { min: 1, max: 1_000 }),
    retries: variables.integer('CONSUME_RETRIES', 3, { max: 100 }),
    retryBackoffMs: variables.integer('CONSUME_RETRY_BACKOFF_MS', 100, { max: 60_000 }),
    deadLetterTopic,
    sink: sinkConfig(variables),
  };
}

/** The variables that only a pull needs. */
export function pullConfig(variables: Variables): PullConfig {
  const topics = [...new Set(variables.list('CONSUME_TOPICS'))];
  if (topics.length === 0) variables.reject('CONSUME_TOPICS', 'is required for a pull');
  if (!topics.every(isTopicName)) {
    variables.reject('CONSUME_TOPICS', `must hold topic names, separated by commas: ${TOPIC_NAME_RULE}`);
  }
  return {
    groupId: variables.required('KAFKA_GROUP_ID'),
    topics,
    autoOffsetReset: offsetReset(variables),
    isolationLevel: variables.oneOf(
      'KAFKA_ISOLATION_LEVEL',
      ['read_committed', 'read_uncommitted'] as const,
      'read_committed',
    ),
    checkCrcs: variables.flag('KAFKA_CHECK_CRCS', true),
    unreadable: variables.oneOf('CONSUME_UNREADABLE', ['stop', 'skip'] as const, 'stop'),
    maxRecords: variables.integer('CONSUME_MAX_RECORDS', 10_000, { min: 1 }),
    maxBytes: variables.integer('CONSUME_MAX_BYTES', 64 * MIB, { min: 1 }),
    waitMs: variables.integer('CONSUME_WAIT_MS', 0, { max: 900_000 }),
  };
}
