import { Failure } from '../../../src/errors.ts';
import type { Connection, TopicMetadata } from '../../../src/kafka/connection/connection.ts';
import type { ProducerConfig } from '../../../src/kafka/produce/config.ts';
import { describeConfigsRequest } from '../../../src/kafka/wire/describe-configs.ts';
import { compressBatch } from '../../../src/kafka/wire/records/compression.ts';
import {
  encodeRecordBatch,
  recordBodySize,
  singleBatchSize,
} from '../../../src/kafka/wire/records/record-batch.ts';
import type { ProducerRecord } from '../../../src/record.ts';

/** The settings by which a topic refuses records. */
const settingNames = [
  'cleanup.policy',
  'max.message.bytes',
  'message.timestamp.type',
  'message.timestamp.before.max.ms',
  'message.timestamp.after.max.ms',
  // Until Kafka 3.9, where the two above are not set.
  'message.timestamp.difference.max.ms',
];
/** Kafka's "no limit", Long.MAX_VALUE, as near as a number can be. */
const NO_LIMIT = 2 ** 63;
const NO_TIMESTAMP = -1;

interface Target {
  topic: TopicMetadata;
  /** Empty where this user may not see them. */
  settings: ReadonlyMap<string, string | null>;
}

interface LookOptions {
  /** The codec of the run, because a topic's limit counts compressed bytes. */
  compression: ProducerConfig['compression'];
  /** Epoch milliseconds. */
  deadline: number;
  /** Called for a topic whose settings this user may not see, so that its refusals can't be foreseen. */
  onUnseen?: (topic: string) => void;
}

/** The topics that dead letters go to. Each is looked at once, and nothing is written. */
export class ReplayTargets {
  readonly #connection: Connection;
  readonly #options: LookOptions;
  readonly #targets = new Map<string, Promise<Target | Failure>>();

  constructor(connection: Connection, options: LookOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Why the record's topic would refuse it; undefined where it would not. Throws a Failure. */
  async refusal(record: ProducerRecord): Promise<Failure | undefined> {
    const known = this.#targets.get(record.topic);
    const look = known ?? this.#look(record.topic);
    if (!known) this.#targets.set(record.topic, look);
    const target = await look;
    return target instanceof Failure ? target : refusalBy(target, record, this.#options.compression);
  }

  async #look(name: string): Promise<Target | Failure> {
    const { deadline, onUnseen } = this.#options;
    try {
      const topic = await this.#connection.topic(name, deadline);
      if (topic.isInternal) return new Failure('TOPIC_NOT_ALLOWED', `topic ${name} is one of Kafka's own`);
      if (topic.operations && !topic.operations.includes('WRITE')) {
        return new Failure('TOPIC_NOT_AUTHORIZED', `topic ${name}: this user needs Write on it`);
      }
      const broker = await this.#connection.anyBroker(deadline);
      const settings = await broker.send(describeConfigsRequest('topic', name, settingNames), deadline);
      if (settings.size === 0) onUnseen?.(name);
      return { topic, settings };
    } catch (error) {
      // A failure of this topic alone doesn't stop the others.
      if (error instanceof Failure && !error.retriable) return error;
      throw error;
    }
  }
}

/** Follows org.apache.kafka.storage.internals.log.LogValidator and UnifiedLog. */
async function refusalBy(
  { topic, settings }: Target,
  record: ProducerRecord,
  compression: ProducerConfig['compression'],
): Promise<Failure | undefined> {
  const { name, partitions } = topic;
  const { partition, key, timestamp = NO_TIMESTAMP } = record;
  if (partition !== undefined && partition >= partitions.length) {
    const has = `topic ${name} has ${partitions.length} partitions, and no partition ${partition}`;
    return new Failure('UNKNOWN_PARTITION', `${has}: give it more, or give --to`);
  }
  const maxBytes = numberOf(settings, 'max.message.bytes') ?? NO_LIMIT;
  if (singleBatchSize(recordBodySize(record)) > maxBytes) {
    const alone = encodeRecordBatch([{ ...record, timestamp }]);
    const { length: size } = await compressBatch(alone, compression);
    if (size > maxBytes) {
      return new Failure(
        'RECORD_TOO_LARGE',
        `${size} bytes are more than max.message.bytes of topic ${name}, ${maxBytes} (KAFKA_COMPRESSION_TYPE is ${compression})`,
      );
    }
  }
  if (key === null && settings.get('cleanup.policy')?.includes('compact')) {
    return new Failure('INVALID_RECORD', `topic ${name} is compacted and takes no record without a key`);
  }
  if (settings.get('message.timestamp.type') === 'LogAppendTime' || timestamp === NO_TIMESTAMP)
    return undefined;
  const { before, after } = timestampLimits(settings);
  const age = Date.now() - timestamp;
  if (age > before || -age > after) {
    const [limit, what] = age > before ? [before, 'before'] : [after, 'after'];
    const when = Number.isFinite(new Date(timestamp).getTime())
      ? new Date(timestamp).toISOString()
      : timestamp;
    return new Failure(
      'INVALID_RECORD',
      `its timestamp ${when} is refused by message.timestamp.${what}.max.ms of topic ${name}, ${limit}`,
    );
  }
  return undefined;
}

function timestampLimits(settings: Target['settings']): { before: number; after: number } {
  const difference = numberOf(settings, 'message.timestamp.difference.max.ms') ?? NO_LIMIT;
  const limit = (name: string) => {
    const value = numberOf(settings, name) ?? NO_LIMIT;
    return value >= NO_LIMIT ? difference : value;
  };
  return {
    before: limit('message.timestamp.before.max.ms'),
    after: limit('message.timestamp.after.max.ms'),
  };
}

function numberOf(settings: Target['settings'], name: string): number | undefined {
  const text = settings.get(name);
  return text == null ? undefined : Number(text);
}
