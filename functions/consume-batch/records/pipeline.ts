import type { Log } from '../../../src/log.ts';
import type { ConsumerRecord } from '../../../src/record.ts';
import type { Environment } from '../../../src/variables.ts';

/** The call that brought the records. */
export interface CallOrigin {
  /** Empty where the platform gives none. */
  requestId: string;
  /** In the form of W3C's Trace Context, and valid; undefined where the call brought none. */
  traceparent: string | undefined;
  tracestate?: string | undefined;
  /** The part of `traceparent` that is the same for all that belongs together. */
  traceId?: string | undefined;
  /** The name of the key that a call over HTTP has shown. */
  caller?: string | undefined;
  environment: Environment;
  /** Adds the request id, the trace id and the caller to its lines. */
  log: Log;
}

/**
 * The second parameter of the functions in `pipeline/`. `Resources` is what `openResources` returned. The trace is
 * that of the record, or of all records where they have the same; else that of the call.
 */
export interface RecordContext<Resources = unknown> extends CallOrigin {
  /** Epoch milliseconds: a record that is not done by then counts as failed. */
  deadline: number;
  /** Aborts at the deadline. Pass it to fetch and to other calls that take a signal. */
  signal: AbortSignal;
  resources: Resources;
}

/** Runs one statement of the transaction, and resolves with its rows. BEGIN, COMMIT and ROLLBACK are refused. */
export type Sql = <Row = Record<string, unknown>>(
  text: string,
  values?: readonly unknown[],
) => Promise<Row[]>;

/** The second parameter of `handleTransaction`. */
export interface TransactionContext<Resources = unknown> extends RecordContext<Resources> {
  sql: Sql;
}

/** The index in its batch of a record that failed, and why. */
export interface FailedRecord {
  index: number;
  error: unknown;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is one that returns void.
export type FailedRecords = readonly FailedRecord[] | void;

/** The exports of the files in `pipeline/`. */
export interface Pipeline {
  /** Returns when the record is done; throws when it is not. */
  handleRecord?(record: ConsumerRecord, context: RecordContext): Promise<void> | void;
  /** Gets records of one partition, in order. Returns those that failed; throwing fails all of them. */
  handleBatch?(
    records: readonly ConsumerRecord[],
    context: RecordContext,
  ): Promise<FailedRecords> | FailedRecords;
  /** Returns the record to send, several, or undefined to drop it. */
  transformRecord?(record: ConsumerRecord, context: RecordContext): Transformed | Promise<Transformed>;
  /** Gets records of one partition, in order. Its statements are committed with their offset, or none of them. */
  handleTransaction?:
    | ((records: readonly ConsumerRecord[], context: TransactionContext) => Promise<void> | void)
    | undefined;
  /** Called once an instance, before the first record. If it throws, no record is to blame. */
  openResources?(context: ResourcesContext): unknown;
  /** Called when the process is told to end. */
  closeResources?(resources: unknown): Promise<void> | void;
}

export type Transformed = ConsumerRecord | readonly ConsumerRecord[] | undefined;
export type ResourcesContext = Pick<RecordContext, 'log' | 'environment'>;
