import { Failure, toFailure } from '../../../src/errors.ts';
import type { Fetcher } from '../../../src/kafka/fetch/fetching.ts';
import { PARTITION_BYTES } from '../../../src/kafka/fetch/partition.ts';
import type { TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import type { FetchedRecordsReader } from '../../../src/kafka/wire/records/record-batch-reader.ts';
import { handledBatches } from '../records/handled-batches.ts';
import type { BatchResult, PartitionHandler, PulledBatch } from './partition-handler.ts';
import { type Position, UNKNOWN_EPOCH } from './positions.ts';
import type { PullProgress } from './pull-progress.ts';

/** A batch is handled and committed as one. It grows while batches are quick, because a commit takes time. */
const FIRST_BATCH = 100;
export const MAX_BATCH = 2_000;
/** The size of one response's part for a partition, so that one commit is enough for it. */
const MAX_BATCH_BYTES = PARTITION_BYTES;
const QUICK_MS = 500;
const SLOW_MS = 2_000;

export interface PulledPartition extends TopicPartition {
  /** The first offset that was read. */
  from: number;
  /** The committed offset, which is the next one to read. */
  to: number;
  /** The end seen at the start. */
  end: number;
  lag: number;
}

export function pulledPartition({ topic, partition, from, end, committed }: Position): PulledPartition {
  const to = committed ?? from;
  return { topic, partition, from, to, end, lag: Math.max(0, end - to) };
}

interface PartitionPullOptions {
  fetcher: Fetcher;
  handler: PartitionHandler;
  progress: PullProgress;
  /** How long to read on behind the end, in milliseconds. */
  waitMs: number;
  /** Applies KAFKA_AUTO_OFFSET_RESET where the log has lost the next offset. */
  reset: (position: Position) => Promise<Position>;
}

/** Pulls one partition: handles and commits batch after batch. */
export class PartitionPull {
  readonly #position: Position;
  readonly #options: PartitionPullOptions;
  #committedTo: number;
  /** Ahead of `#committedTo` where records are only gathered. */
  #handledTo: number;
  #leaderEpoch: number;
  /** Of the batch that was handled last. */
  #nextEpoch: number;
  /** Since something was last handled for good. */
  #workMs = 0;
  #batchSize = FIRST_BATCH;
  #isFollowing = false;

  constructor(position: Position, options: PartitionPullOptions) {
    this.#position = position;
    this.#options = options;
    this.#committedTo = position.committed ?? position.from;
    this.#handledTo = this.#committedTo;
    this.#leaderEpoch = position.leaderEpoch;
    this.#nextEpoch = position.leaderEpoch;
  }

  /** Never rejects: `progress` gets the failure. */
  async run(): Promise<PulledPartition> {
    const { fetcher, progress } = this.#options;
    fetcher.add({ ...this.#position, offset: this.#position.from });
    try {
      if (!(await this.#skipToStart())) await this.#handleAll();
    } catch (error) {
      progress.fail(this.#position, toFailure(error));
    }
    try {
      await this.#end();
    } catch (error) {
      progress.fail(this.#position, toFailure(error));
    }
    const end = fetcher.endOf(this.#position) ?? this.#position.end;
    // Where the budget is spent or a live group found, the other partitions stop as well.
    if (progress.mayGoOn) fetcher.leave(this.#position);
    else fetcher.close();
    return pulledPartition({ ...this.#position, end, committed: this.#committedTo });
  }

  /** Commits a new beginning where no record will, so that the next pull doesn't begin elsewhere. */
  async #skipToStart(): Promise<BatchResult['stop']> {
    const { committed, from, end } = this.#position;
    const isReset = committed !== undefined && committed !== from;
    const hasNothing = committed === undefined && from >= end;
    return isReset || hasNothing ? this.#skipTo(from) : undefined;
  }

  async #handleAll(): Promise<void> {
    for (;;) {
      const reader = await this.#next();
      if (!reader) return;
      try {
        if (!(await this.#handleAnswer(reader))) return;
      } finally {
        reader.close();
      }
    }
  }

  /** True where the partition may be read further. */
  async #handleAnswer(reader: FetchedRecordsReader): Promise<boolean> {
    const { progress } = this.#options;
    for (;;) {
      await reader.ready();
      if (!progress.mayGoOn) return false;
      const batch = reader.take(
        Math.min(this.#batchSize, progress.recordsLeft),
        Math.min(MAX_BATCH_BYTES, progress.bytesLeft),
      );
      if (batch.records.length === 0 && batch.nextOffset <= this.#handledTo) return true;
      const count = batch.records.length;
      progress.recordsLeft -= count;
      progress.bytesLeft -= batch.bytes;
      const startedAt = Date.now();
      if (await this.#handle(batch)) return false;
      this.#batchSize = nextBatchSize(this.#batchSize, count, Date.now() - startedAt);
    }
  }

  /** Throws where a Failure stops the partition. */
  async #handle(batch: PulledBatch): Promise<BatchResult['stop']> {
    const startedAt = Date.now();
    this.#nextEpoch = batch.leaderEpoch;
    this.#handledTo = batch.nextOffset;
    return this.#take(await this.#options.handler.handle(this.#position, batch), startedAt);
  }

  /** Has the handler commit what it has gathered. Throws as `#handle` does. */
  async #end(): Promise<BatchResult['stop']> {
    const startedAt = Date.now();
    const result = await this.#options.handler.end?.(this.#position);
    return result && this.#take(result, startedAt);
  }

  #take(result: BatchResult, startedAt: number): BatchResult['stop'] {
    const { processed, failed, deadLettered, to, stop } = result;
    this.#options.progress.count(result);
    this.#workMs += Date.now() - startedAt;
    if (processed + failed + deadLettered > 0) {
      handledBatches.publish({ ...result, ms: this.#workMs });
      this.#workMs = 0;
    }
    if (to !== undefined) {
      this.#committedTo = to;
      this.#leaderEpoch = this.#nextEpoch;
    }
    if (stop instanceof Failure) throw stop;
    return stop;
  }

  #skipTo(offset: number): Promise<BatchResult['stop']> {
    return this.#handle({ records: [], nextOffset: offset, leaderEpoch: UNKNOWN_EPOCH });
  }

  /** The next records. Where the log has lost the position meanwhile, it is reset once more. */
  async #next(): Promise<FetchedRecordsReader | undefined> {
    const { fetcher, progress, reset, waitMs } = this.#options;
    if (!progress.mayGoOn) return undefined;
    try {
      const reader = await fetcher.next(this.#position);
      if (reader || this.#isFollowing || waitMs === 0) return reader;
      this.#isFollowing = true;
      fetcher.follow(this.#position, waitMs);
      return await this.#next();
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'OFFSET_OUT_OF_RANGE') throw error;
    }
    if (await this.#end()) return undefined;
    const lost = { ...this.#position, committed: this.#committedTo, leaderEpoch: this.#leaderEpoch };
    const { from, end } = await reset(lost);
    fetcher.seek({ ...this.#position, offset: from, end });
    return (await this.#skipTo(from)) ? undefined : this.#next();
  }
}

function nextBatchSize(size: number, handled: number, ms: number): number {
  if (ms > SLOW_MS) return Math.max(1, Math.floor(size / 2));
  return ms < QUICK_MS && handled >= size ? Math.min(MAX_BATCH, size * 2) : size;
}
