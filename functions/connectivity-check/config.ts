import type { BlockList } from 'node:net';
import { apiKeys } from '../../src/access/config.ts';
import { connectionConfig } from '../../src/kafka/connection/config.ts';
import { offsetReset, type offsetResets } from '../../src/kafka/fetch/config.ts';
import { logLevel } from '../../src/log.ts';
import { storageConfig } from '../../src/object-storage/config.ts';
import { postgresConfig } from '../../src/postgres/config.ts';
import { isTopicName } from '../../src/topic.ts';
import type { Meanings, Variables } from '../../src/variables.ts';
import type { CheckedSink } from './rungs/sink.ts';

export const meanings = {
  CHECK_TOPIC: { meaning: 'the topic whose leaders, replicas and permissions are looked at' },
  CHECK_GROUP_ID: { meaning: 'the group whose state and lag are looked at' },
  CHECK_ROUND_TRIP: { meaning: '`true`: a record is published to `CHECK_TOPIC` and fetched again' },
  CHECK_THROW: { meaning: '`true`: on a timer a fault fails the call; `false`: the report is returned' },
  CHECK_TIMEOUT_MS: {
    unset: "the call's remaining time, less a reserve",
    meaning: 'the report is there by then, ±250 ms',
  },
  CHECK_ALLOWED_ADDRESSES: {
    unset: "bootstrap servers and the brokers' own addresses",
    meaning: 'what may be dialled',
  },
} as const satisfies Meanings;

export interface CheckConfig {
  topic: string | undefined;
  group: string | undefined;
  roundTrip: boolean;
  /** Whether the other functions write to or read from the topic; both where the variables don't tell. */
  needsWrite: boolean;
  needsRead: boolean;
  needsIdempotence: boolean;
  acksAll: boolean;
  deadLetterTopics: string[];
  /** The topics that the group reads, or will read. */
  groupTopics: string[];
  autoOffsetReset: (typeof offsetResets)[number];
  /** Undefined: consume-batch writes to nothing that can be looked at. */
  sink: CheckedSink | undefined;
  timeoutMs: number | undefined;
  /** Whether a run by timer fails when it finds a fault. */
  throws: boolean;
  /** The networks that may be dialled; undefined: all that the bootstrap servers and the brokers' metadata name. */
  allowedAddresses: BlockList | undefined;
}

/** All variables that the function reads. */
export function functionConfig(variables: Variables) {
  return {
    connection: connectionConfig(variables),
    keys: apiKeys(variables),
    check: checkConfig(variables),
    logLevel: logLevel(variables),
  };
}

export function checkConfig(variables: Variables): CheckConfig {
  const sourceTopics = variables.list('CONSUME_TOPICS');
  const group = variables.text('CHECK_GROUP_ID');
  // The name is not checked here: the cluster's answer to an invalid name is part of the report.
  const topic = variables.text('CHECK_TOPIC');
  const roundTrip = variables.flag('CHECK_ROUND_TRIP', false);
  if (roundTrip && topic === undefined) variables.reject('CHECK_ROUND_TRIP', 'true needs CHECK_TOPIC');
  const publishes = isSet(variables, ['KAFKA_TOPIC', 'PRODUCE_TOPICS']);
  const reads = group !== undefined || isSet(variables, ['KAFKA_GROUP_ID', 'CONSUME_TOPICS']);
  const isOwnGroup = [undefined, group].includes(variables.text('KAFKA_GROUP_ID'));
  return {
    topic,
    group,
    roundTrip,
    needsWrite: roundTrip || publishes || !reads,
    needsRead: roundTrip || reads || !publishes,
    needsIdempotence: variables.flag('KAFKA_ENABLE_IDEMPOTENCE') === true,
    acksAll: ['all', '-1'].includes(variables.text('KAFKA_ACKS', 'all')),
    deadLetterTopics: deadLetterTopics(
      variables,
      sourceTopics.length > 0 ? sourceTopics : topic ? [topic] : [],
    ),
    groupTopics: [...new Set([...(topic ? [topic] : []), ...(isOwnGroup ? sourceTopics : [])])],
    autoOffsetReset: offsetReset(variables),
    sink: checkedSink(variables, sourceTopics),
    timeoutMs: variables.integer('CHECK_TIMEOUT_MS', undefined, { min: 1 }),
    throws: checkThrows(variables),
    allowedAddresses: variables.networks('CHECK_ALLOWED_ADDRESSES'),
  };
}

function checkedSink(variables: Variables, topics: readonly string[]): CheckedSink | undefined {
  const name = variables.text('CONSUME_SINK');
  if (name === 'postgres') return { database: { ...postgresConfig(variables), topics } };
  return name === 's3' ? { storage: storageConfig(variables) } : undefined;
}

/** Also read alone, because it counts where the rest of the configuration is wrong, which is a fault as well. */
export function checkThrows(variables: Variables): boolean {
  return variables.flag('CHECK_THROW', true);
}

function isSet(variables: Variables, names: readonly string[]): boolean {
  return names.some((name) => variables.text(name) !== undefined);
}

/** Empty where no dead-letter topic is configured, because then nothing says that records are consumed here. */
function deadLetterTopics(variables: Variables, sourceTopics: readonly string[]): string[] {
  const consumes = isSet(variables, ['CONSUME_TOPICS', 'CONSUME_DEAD_LETTER_TOPIC']);
  const template = variables.textOrNone('CONSUME_DEAD_LETTER_TOPIC', '{topic}.dead-letter');
  if (!consumes || template === undefined) return [];
  return [...new Set(sourceTopics.map((topic) => template.replaceAll('{topic}', topic)))].filter(isTopicName);
}
