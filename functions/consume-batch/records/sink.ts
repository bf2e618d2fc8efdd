import type { Connection } from '../../../src/kafka/connection/connection.ts';
import type { GroupOffsets } from '../../../src/kafka/fetch/group-offsets.ts';
import type { Producer } from '../../../src/kafka/produce/producer.ts';
import type { ConsumerRecord } from '../../../src/record.ts';
import type { Variables } from '../../../src/variables.ts';
import type { ConsumeConfig } from '../config.ts';
import type { OffsetNotes } from '../pull/keep-offsets.ts';
import type { PartitionHandler, PullTimes } from '../pull/partition-handler.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { CallOrigin, Pipeline } from './pipeline.ts';
import type { RecordFailure } from './record-failure.ts';
import type { Resources } from './resources.ts';

export interface SinkCall {
  /** Epoch milliseconds: no record is begun after this. */
  startBefore: number;
  /** Epoch milliseconds: what is not done by then counts as failed. */
  deadline: number;
  /** The call that brought the records. */
  origin: CallOrigin;
}

export interface SinkResult {
  /** How many records, from the first one on, the sink has dealt with; it is asked again for the others. */
  taken: number;
  /** Which of those failed; the others are done. */
  failures: readonly RecordFailure[];
}

/** What a sink may be opened with. */
export interface SinkParts {
  connection: Connection;
  producer: Producer;
  pipeline: Pipeline;
  resources: Resources;
}

/** What a pull has for a sink that commits by itself. */
export interface PullParts {
  group: GroupOffsets;
  times: PullTimes;
  notes: OffsetNotes;
  deadLetters: DeadLetters;
  config: Pick<ConsumeConfig, 'retries' | 'retryBackoffMs'>;
  origin: CallOrigin;
}

/** A kind of sink, as `sinks.ts` lists it: how it is configured, and how it is opened. */
export interface SinkKind<Config> {
  /** Reads its own variables; what is wrong is reported there. */
  configure(variables: Variables): Config;
  open(config: Config, parts: SinkParts): Sink;
  /** It gets the records as they came, and not what `transformRecord` makes of them. */
  takesSource?: true;
}

/** Where records go. */
export interface Sink {
  /** True where each record is handled by itself, so that records of different keys can run side by side. */
  readonly oneByOne: boolean;
  /**
   * Takes a batch of one topic and partition, in the order of its offsets. Never throws for a record:
   * whatever happens is a failure of the records it happened to.
   */
  write(records: readonly ConsumerRecord[], call: SinkCall): Promise<SinkResult>;
  /**
   * How a pull's records go there with their offsets, in one step. Without it they are written first, and then
   * their offsets are committed.
   */
  handlePulled?(pull: PullParts): PartitionHandler;
}
