import type { Connection } from '../../../src/kafka/connection/connection.ts';
import type { GroupOffsets } from '../../../src/kafka/fetch/group-offsets.ts';
import type { Producer } from '../../../src/kafka/produce/producer.ts';
import type { TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import type { ConsumerRecord } from '../../../src/record.ts';
import type { Variables } from '../../../src/variables.ts';
import type { ConsumeConfig, PullConfig } from '../config.ts';
import type { OffsetNotes } from '../pull/keep-offsets.ts';
import type { PartitionHandler, PullTimes } from '../pull/partition-handler.ts';
import type { Committed } from '../pull/positions.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { CallOrigin, Pipeline } from './pipeline.ts';
import type { RecordFailure } from './record-failure.ts';
import type { Resources } from './resources.ts';

export interface SinkCall {
  /** Epoch milliseconds: no record is begun after this. */
  startBefore: number;
  /** Epoch milliseconds: a record that is not done by then counts as failed. */
  deadline: number;
  /** The call that brought the records. */
  origin: CallOrigin;
}

export interface SinkResult {
  /** How many records, from the first on, the sink has dealt with. It is called again for the others. */
  taken: number;
  /** The failed ones among them; the others are done. */
  failures: readonly RecordFailure[];
}

/** The parts that a sink may use. */
export interface SinkParts {
  connection: Connection;
  producer: Producer;
  pipeline: Pipeline;
  resources: Resources;
}

/** The parts of a pull, for a sink that commits by itself. */
export interface PullParts {
  group: GroupOffsets;
  times: PullTimes;
  notes: OffsetNotes;
  deadLetters: DeadLetters;
  config: Pick<ConsumeConfig, 'retries' | 'retryBackoffMs'>;
  /** How records are read. */
  reading: PullConfig;
  origin: CallOrigin;
}

/** A kind of sink, as `sinks.ts` lists it: how to configure and how to open it. */
export interface SinkKind<Config> {
  /** Reads its own variables and reports what is wrong with them. */
  configure(variables: Variables): Config;
  open(config: Config, parts: SinkParts): Sink | PullSink;
  /** The sink gets the records as they came, without `transformRecord`. */
  takesSource?: true;
  /** It can skip the repeats of a request. */
  deduplicates?: true;
}

/** A destination of records. */
export interface Sink {
  /** True where each record is handled by itself, so that records of different keys can run side by side. */
  readonly oneByOne: boolean;
  /** Takes a batch of one partition, in the order of offsets. Errors are failures of their records, never thrown. */
  write(records: readonly ConsumerRecord[], call: SinkCall): Promise<SinkResult>;
  /** Writes pulled records and commits their offsets in one step, instead of committing afterwards. */
  handlePulled?(pull: PullParts): PartitionHandler | Promise<PartitionHandler>;
}

/** A destination that takes records and their offsets in one step alone: no push, which has no offsets. */
export interface PullSink {
  handlePulled(pull: PullParts): PartitionHandler | Promise<PartitionHandler>;
  /** The offsets that the destination keeps, which win over Kafka's: one for each of the partitions. Never rejects. */
  committed?(partitions: readonly TopicPartition[], kafkas: Committed, call: OffsetsCall): Promise<Committed>;
}

export interface OffsetsCall {
  groupId: string;
  /** Epoch milliseconds. */
  deadline: number;
}
