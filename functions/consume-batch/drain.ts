import type { PullConfig } from '../../src/config.ts';
import { remaining } from '../../src/deadline.ts';
import { Failure, toFailure } from '../../src/errors.ts';
import type { Connection } from '../../src/kafka/connection.ts';
import { Fetcher } from '../../src/kafka/fetching.ts';
import type { GroupOffsets } from '../../src/kafka/group-offsets.ts';
import { logOffsets } from '../../src/kafka/log-offsets.ts';
import type { Log } from '../../src/log.ts';
import type { ConsumerRecord } from '../../src/record.ts';
import { type Position, place, readPositions, type SourcePartition } from './positions.ts';
import type { PullWish } from './pull-wish.ts';

/** A batch is handled and committed as one; it grows while batches are quick, because a commit takes its time. */
const FIRST_BATCH = 100;
const MAX_BATCH = 1_000;
const MAX_BATCH_BYTES = 1024 * 1024;
const QUICK_MS = 500;
const SLOW_MS = 2_000;
/** Answers that wait or are being handled; enough for the broker and the network to keep up. */
const MAX_FETCH_BYTES = 32 * 1024 * 1024;

export interface PullAnswer {
  mode: 'pull';
  /** Records handled. */
  processed: number;
  /** Records that failed and were left where they are. */
  failed: number;
  deadLettered: number;
  partitions: PulledPartition[];
  /** Is there any lag left? */
  more: boolean;
  ms: number;
}

export interface PulledPartition extends SourcePartition {
  /** First offset read. */
  from: number;
  /** Committed: the next offset to be read. */
  to: number;
  /** The end seen at the start. */
  end: number;
  lag: number;
}

/** One partition's records, and the offset behind them and behind what is no record. */
export interface Batch {
  records: ConsumerRecord[];
  nextOffset: number;
}

/** What became of a batch. */
export interface BatchResult {
  processed: number;
  deadLettered: number;
  failed: number;
  /** Committed up to here. */
  to: number;
  /** Why the partition does not go on; undefined where it does. */
  stop: Failure | 'out of time' | 'taken over' | undefined;
}

/** Handles and commits what is pulled of one partition. */
export interface PartitionHandler {
  /** Where to begin, looked at once more before the first batch. */
  begin(position: Position): Promise<Position>;
  handle(position: Position, batch: Batch): Promise<BatchResult>;
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

export interface DrainOptions {
  connection: Connection;
  group: GroupOffsets;
  config: PullConfig;
  log: Log;
  handlers: (times: PullTimes) => PartitionHandler;
}

/**
 * Handles what waits in the topics: from the committed offsets to the ends seen at the start, all
 * partitions side by side, within the budget and the remaining time, without joining the group. Throws a
 * Failure where it can't go on; what was handled before is committed then.
 */
export async function drain(wish: PullWish, options: DrainOptions, deadline: number): Promise<PullAnswer> {
  const startedAt = Date.now();
  const times = pullTimes(startedAt, deadline);
  const partitions = await wantedPartitions(wish, options, deadline);
  const [positions] = await Promise.all([
    readPositions(partitions, { ...options, deadline }),
    options.group.requireNoMembers(deadline),
  ]);
  const pull = new Pull(options, times, wish.maxRecords);
  await pull.run(positions.filter((position): position is Position => !(position instanceof Failure)));
  const failure = pull.failure ?? positions.find((position) => position instanceof Failure);
  const answer = pull.answer(startedAt);
  options.log[failure ? 'warn' : 'info']('pulled', {
    ...answer,
    ...(failure && { code: failure.code, error: failure }),
  });
  if (failure) throw failure;
  return answer;
}

/** Some of the remaining time is for what is being handled to come to its end, some for the last commit. */
function pullTimes(now: number, deadline: number): PullTimes {
  const handleBefore = deadline - Math.min(2_000, remaining(deadline) * 0.15);
  const startBefore = handleBefore - Math.min(10_000, (handleBefore - now) * 0.1);
  return { startBefore, handleBefore, deadline };
}

async function wantedPartitions(
  { topics, partitions }: PullWish,
  { connection, config }: DrainOptions,
  deadline: number,
): Promise<SourcePartition[]> {
  const strangers = topics?.filter((topic) => !config.topics.includes(topic)) ?? [];
  if (strangers.length > 0) {
    throw new Failure(
      'MALFORMED_REQUEST',
      `topics may narrow CONSUME_TOPICS, which does not have ${strangers.join(', ')}`,
    );
  }
  const names = [...new Set(topics ?? config.topics)];
  // Asked anew, because a topic may have got more partitions.
  const found = await Promise.all(names.map((name) => connection.topic(name, deadline, { maxAgeMs: 0 })));
  const all = found.flatMap((topic) =>
    topic.partitions.map(({ partition }) => ({ topic: topic.name, partition })),
  );
  const unknown = partitions?.find((wanted) => all.every(({ partition }) => partition !== wanted));
  if (unknown !== undefined) {
    throw new Failure('UNKNOWN_PARTITION', `none of ${names.join(', ')} has a partition ${unknown}`);
  }
  return partitions ? all.filter(({ partition }) => partitions.includes(partition)) : all;
}

/** One pull under way. */
class Pull {
  /** The first of the failures that stopped a partition. */
  failure: Failure | undefined;
  #processed = 0;
  #failed = 0;
  #deadLettered = 0;
  #recordsLeft: number;
  #bytesLeft: number;
  #isStopped = false;
  readonly #results: PulledPartition[] = [];
  readonly #options: DrainOptions;
  readonly #times: PullTimes;
  readonly #handler: PartitionHandler;

  constructor(options: DrainOptions, times: PullTimes, maxRecords: number | undefined) {
    const { config } = options;
    this.#options = options;
    this.#times = times;
    this.#handler = options.handlers(times);
    this.#recordsLeft = Math.min(config.maxRecords, maxRecords ?? config.maxRecords);
    this.#bytesLeft = config.maxBytes;
  }

  async run(found: readonly Position[]): Promise<void> {
    const positions = await Promise.all(found.map((position) => this.#begin(position)));
    const { connection, config, log } = this.#options;
    const { isolationLevel, checkCrcs, maxBytes } = config;
    const fetcher = new Fetcher(
      connection,
      positions.map((position) => ({ ...position, offset: position.from })),
      {
        isolationLevel,
        checkCrcs,
        maxBytes: Math.min(MAX_FETCH_BYTES, Math.ceil(maxBytes / 2)),
        deadline: this.#times.handleBefore,
      },
      log,
    );
    const timer = setTimeout(() => fetcher.close(), remaining(this.#times.startBefore));
    try {
      await Promise.all(positions.map((position) => this.#drainPartition(position, fetcher)));
    } finally {
      clearTimeout(timer);
      fetcher.close();
    }
  }

  answer(startedAt: number): PullAnswer {
    const partitions = this.#results.sort(
      (a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition,
    );
    return {
      mode: 'pull',
      processed: this.#processed,
      failed: this.#failed,
      deadLettered: this.#deadLettered,
      partitions,
      more: partitions.some(({ lag }) => lag > 0),
      ms: Date.now() - startedAt,
    };
  }

  async #begin(position: Position): Promise<Position> {
    try {
      return await this.#handler.begin(position);
    } catch (error) {
      this.#fail(toFailure(error));
      return { ...position, end: position.from };
    }
  }

  async #drainPartition(position: Position, fetcher: Fetcher): Promise<void> {
    const result: PulledPartition = {
      topic: position.topic,
      partition: position.partition,
      from: position.from,
      to: position.committed ?? position.from,
      end: position.end,
      lag: 0,
    };
    this.#results.push(result);
    try {
      await this.#skipTo(position, result);
      await this.#handleAll(position, result, fetcher);
    } catch (error) {
      this.#fail(toFailure(error));
    }
    result.lag = Math.max(0, result.end - result.to);
  }

  /** A position that was reset is committed at once: `latest` has nothing to read that would commit it. */
  async #skipTo(position: Position, result: PulledPartition): Promise<void> {
    const isReset = position.committed !== undefined && position.committed !== position.from;
    if (
      !isReset &&
      !(position.committed === undefined && position.from >= position.end && position.end > 0)
    ) {
      return;
    }
    const { to, stop } = await this.#handler.handle(position, { records: [], nextOffset: position.from });
    result.to = to;
    if (stop instanceof Failure) throw stop;
  }

  async #handleAll(position: Position, result: PulledPartition, fetcher: Fetcher): Promise<void> {
    let batchSize = FIRST_BATCH;
    for (;;) {
      const reader = await this.#next(position, result, fetcher);
      if (!reader) return;
      for (;;) {
        if (!this.#mayGoOn) return;
        const batch = reader.take(
          Math.min(batchSize, this.#recordsLeft),
          Math.min(MAX_BATCH_BYTES, this.#bytesLeft),
        );
        if (batch.nextOffset <= result.to && batch.records.length === 0) break;
        this.#recordsLeft -= batch.records.length;
        this.#bytesLeft -= batch.bytes;
        const startedAt = Date.now();
        const { processed, deadLettered, failed, to, stop } = await this.#handler.handle(position, batch);
        this.#processed += processed;
        this.#deadLettered += deadLettered;
        this.#failed += failed;
        result.to = to;
        if (stop instanceof Failure) throw stop;
        if (stop) return;
        batchSize = nextBatchSize(batchSize, batch.records.length, Date.now() - startedAt);
      }
    }
  }

  get #mayGoOn(): boolean {
    const hasBudget = this.#recordsLeft > 0 && this.#bytesLeft > 0;
    return hasBudget && !this.#isStopped && Date.now() < this.#times.startBefore;
  }

  /** What comes next of the partition; a position that the log has lost meanwhile is reset once more. */
  async #next(position: Position, result: PulledPartition, fetcher: Fetcher) {
    if (!this.#mayGoOn) return undefined;
    try {
      return await fetcher.next(position);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'OFFSET_OUT_OF_RANGE') throw error;
      const moved = await this.#reset({ ...position, committed: result.to });
      fetcher.seek({ ...position, offset: moved.from, end: moved.end });
      const { to, stop } = await this.#handler.handle(position, { records: [], nextOffset: moved.from });
      result.to = to;
      if (stop instanceof Failure) throw stop;
      return stop ? undefined : await fetcher.next(position);
    }
  }

  async #reset(position: Position): Promise<Position> {
    const { connection, config, log } = this.#options;
    const { isolationLevel } = config;
    const { deadline } = this.#times;
    const [[start], [length]] = await Promise.all([
      logOffsets(connection, [position], 'earliest', { isolationLevel, deadline }),
      logOffsets(connection, [position], 'latest', { isolationLevel: 'read_uncommitted', deadline }),
    ]);
    if (start instanceof Failure) throw start;
    if (length instanceof Failure) throw length;
    const bounds = { start: start ?? 0, end: position.end, length: length ?? 0 };
    const placed = place(position, bounds, { config, log });
    if (placed instanceof Failure) throw placed;
    return placed;
  }

  /** The first failure is the one to be told; a live group, or no cluster, stops every partition. */
  #fail(failure: Failure): void {
    this.failure ??= failure;
    if (failure.code === 'GROUP_ACTIVE') {
      this.failure = failure;
      this.#isStopped = true;
    }
  }
}

function nextBatchSize(size: number, handled: number, ms: number): number {
  if (ms > SLOW_MS) return Math.max(1, Math.floor(size / 2));
  return ms < QUICK_MS && handled >= size ? Math.min(MAX_BATCH, size * 2) : size;
}
