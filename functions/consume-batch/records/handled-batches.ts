import { channel } from 'node:diagnostics_channel';

/** What became of the records that were handled together: of a push, or of one partition of a pull. */
export interface HandledBatch {
  processed: number;
  deadLettered: number;
  /** Left where they are. */
  failed: number;
  /** With retries, dead letters and, in a pull, the commit. */
  ms: number;
}

/** Tells whoever subscribes, as a HandledBatch; without subscribers it costs nothing. */
export const handledBatches = channel('kafka-functions:handled-batch');
