import { channel } from 'node:diagnostics_channel';
import type { Log, LogFields } from '../../../src/log.ts';

/** What was written and committed in one step. */
export interface WrittenBatch {
  records: number;
  /** Of what was written. */
  bytes: number;
  transformMs: number;
  sinkMs: number;
  commitMs: number;
}

/** Publishes each WrittenBatch. Without subscribers it costs nothing. */
export const writtenBatches = channel('kafka-functions:written-batch');

/** One line a batch, and its figures for the metrics. */
export function tellWritten(log: Log, message: string, batch: WrittenBatch, about: LogFields): void {
  log.info(message, { ...about, ...batch });
  writtenBatches.publish(batch);
}
