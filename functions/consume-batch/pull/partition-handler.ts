import type { Failure } from '../../../src/errors.ts';
import type { CommittedOffset } from '../../../src/kafka/wire/offset-fetch.ts';
import type { ConsumerRecord } from '../../../src/record.ts';
import type { Position } from './positions.ts';

/** One partition's records, and the offset behind them and behind markers and gaps. */
export interface PulledBatch {
  records: ConsumerRecord[];
  nextOffset: number;
  /** Of the record before `nextOffset`, in the log of the leader that took it; -1 where it is not known. */
  leaderEpoch: number;
}

/** What became of a batch. */
export interface BatchResult {
  processed: number;
  deadLettered: number;
  failed: number;
  /** Committed up to here; undefined where nothing was committed. */
  to: number | undefined;
  /** Why the partition does not go on; undefined where it does. */
  stop: Failure | 'out of time' | 'taken over' | undefined;
}

/** The result of a batch of which nothing was done. */
export function nothingDone(stop: BatchResult['stop'], to?: number): BatchResult {
  return { processed: 0, deadLettered: 0, failed: 0, to, stop };
}

/** Handles and commits what is pulled of one partition. */
export interface PartitionHandler {
  /** Commits once more what is committed, in the sink's own way, so that it does not expire. Throws a Failure. */
  renew(committed: CommittedOffset): Promise<void>;
  /** Where to begin, looked at once more before the first batch. */
  begin(position: Position): Promise<Position>;
  /** May empty `batch.records`: whoever needs something of it takes it first. */
  handle(position: Position, batch: PulledBatch): Promise<BatchResult>;
}

/** Epoch milliseconds, one before the other. */
export interface PullTimes {
  /** No record is begun after this. */
  startBefore: number;
  /** What is being handled has ended by then. */
  handleBefore: number;
  /** Everything is committed by then. */
  deadline: number;
}
