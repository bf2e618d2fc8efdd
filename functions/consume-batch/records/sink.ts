import type { ConsumerRecord } from '../../../src/record.ts';
import type { RecordFailure } from './record-failure.ts';

export interface SinkCall {
  /** Epoch milliseconds: no record is begun after this. */
  startBefore: number;
  /** Epoch milliseconds: what is not done by then counts as failed. */
  deadline: number;
}

export interface SinkResult {
  /** How many records, from the first one on, the sink has dealt with; it is asked again for the others. */
  taken: number;
  /** Which of those failed; the others are done. */
  failures: readonly RecordFailure[];
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
}
