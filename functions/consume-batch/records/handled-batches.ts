import { channel } from 'node:diagnostics_channel';

/** The outcome of records that were handled together: of a push, or of one partition in a pull. */
export interface HandledBatch {
  processed: number;
  deadLettered: number;
  /** They stay where they are. */
  failed: number;
  /** Includes retries, dead letters and, in a pull, the commit. */
  ms: number;
}

/** Publishes each HandledBatch. Without subscribers it costs nothing. */
export const handledBatches = channel('kafka-functions:handled-batch');
