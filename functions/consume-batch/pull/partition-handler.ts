import type { Failure } from '../../../src/errors.ts';
import type { CommittedOffset } from '../../../src/kafka/wire/offset-fetch.ts';
import type { ConsumerRecord } from '../../../src/record.ts';
import type { Position } from './positions.ts';

/** One partition's records, and the offset behind them and behind markers and gaps. */
export interface PulledBatch {
  records: ConsumerRecord[];
  nextOffset: number;
  /** The leader epoch of the record before `nextOffset`; -1 where it is not known. */
  leaderEpoch: number;
}

/** The outcome of a batch. */
export interface BatchResult {
  processed: number;
  deadLettered: number;
  failed: number;
  /** The committed offset; undefined where nothing was committed. */
  to: number | undefined;
  /** Why the partition stops; undefined where it goes on. */
  stop: Failure | 'out of time' | 'taken over' | undefined;
}

/** The result of a batch of which nothing was done. */
export function nothingDone(stop: BatchResult['stop'], to?: number): BatchResult {
  return { processed: 0, deadLettered: 0, failed: 0, to, stop };
}

/** Adds the result of what came next. What has been committed stays so. */
export function addResult(
  sum: BatchResult,
  { processed, deadLettered, failed, to, stop }: BatchResult,
): void {
  sum.processed += processed;
  sum.deadLettered += deadLettered;
  sum.failed += failed;
  sum.to = to ?? sum.to;
  sum.stop = stop;
}

/** Handles and commits the pulled records of one partition. */
export interface PartitionHandler {
  /** Commits an offset once more, in the sink's own way, so that it doesn't expire. Throws a Failure. */
  renew(committed: CommittedOffset): Promise<void>;
  /** Checks the position once more before the first batch, and returns where to begin. */
  begin(position: Position): Promise<Position>;
  /** May empty `batch.records`, so take what you need of it before. May also gather records, and commit none. */
  handle(position: Position, batch: PulledBatch): Promise<BatchResult>;
  /**
   * Writes and commits what `handle` has only gathered: called where the partition has no more, stops, or goes on
   * elsewhere. `handle` may be called again.
   */
  end?(position: Position): Promise<BatchResult>;
  /** Called once, when every partition has ended. Never rejects. */
  finish?(): Promise<void>;
}

/** Epoch milliseconds, in this order. */
export interface PullTimes {
  /** No record is begun after this. */
  startBefore: number;
  /** Records that are being handled have ended by then. */
  handleBefore: number;
  /** Everything is committed by then. */
  deadline: number;
}
