import type { Log } from '../../../src/log.ts';
import type { ConsumerRecord } from '../../../src/record.ts';
import type { Environment } from '../../../src/variables.ts';

/** What is known of the call that brought the records. */
export interface CallOrigin {
  /** Empty where the platform gives none. */
  requestId: string;
  /** As W3C's Trace Context has it; undefined where the call brought none. */
  traceparent: string | undefined;
  environment: Environment;
  /** Its lines have the request id. */
  log: Log;
}

/** What the files in `pipeline/` are called with. `Resources`: what `openResources` returned. */
export interface RecordContext<Resources = unknown> extends CallOrigin {
  /** Epoch milliseconds: what is not done by then counts as failed. */
  deadline: number;
  /** Aborts at the deadline: hand it to fetch and to whatever else can be given up. */
  signal: AbortSignal;
  resources: Resources;
}

/** A record of a batch that failed: its index there, and why. */
export interface FailedRecord {
  index: number;
  error: unknown;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is one that returns void.
export type FailedRecords = readonly FailedRecord[] | void;

/** What the files in `pipeline/` export. */
export interface Pipeline {
  /** Returns when the record is done, throws when it is not. */
  handleRecord?(record: ConsumerRecord, context: RecordContext): Promise<void> | void;
  /** Records of one partition, in order. Returns those that failed; what it throws fails all of them. */
  handleBatch?(
    records: readonly ConsumerRecord[],
    context: RecordContext,
  ): Promise<FailedRecords> | FailedRecords;
  /** The record as it goes on, several, or undefined to drop it. */
  transformRecord?(record: ConsumerRecord, context: RecordContext): Transformed | Promise<Transformed>;
  /** Once an instance, before the first record; what it throws is nobody's record's fault. */
  openResources?(context: ResourcesContext): unknown;
  /** When the process is told to end. */
  closeResources?(resources: unknown): Promise<void> | void;
}

export type Transformed = ConsumerRecord | readonly ConsumerRecord[] | undefined;
export type ResourcesContext = Pick<RecordContext, 'log' | 'environment'>;
