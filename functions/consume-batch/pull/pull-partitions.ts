import { remaining } from '../../../src/deadline.ts';
import { Failure, toFailure } from '../../../src/errors.ts';
import type { Connection } from '../../../src/kafka/connection/connection.ts';
import { Fetcher } from '../../../src/kafka/fetch/fetching.ts';
import type { TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import type { Log } from '../../../src/log.ts';
import type { PullConfig } from '../config.ts';
import type { PartitionHandler, PullTimes } from './partition-handler.ts';
import { PartitionPull, type PulledPartition, pulledPartition } from './partition-pull.ts';
import { type Committed, type Position, readPositions, resetPosition } from './positions.ts';
import type { PullProgress } from './pull-progress.ts';

/** Bytes of responses that wait or are being handled; enough to keep the broker and the network busy. */
const MAX_FETCH_BYTES = 32 * 1024 * 1024;
/** The largest size of a decompressed batch, unless CONSUME_MAX_BYTES is more. */
const MAX_BATCH_BYTES = 64 * 1024 * 1024;

interface PullOptions {
  connection: Connection;
  config: PullConfig;
  handler: PartitionHandler;
  times: PullTimes;
  log: Log;
}

/** The partitions with their committed offsets and where they begin, in the same order. */
export interface PlacedPartitions {
  partitions: readonly TopicPartition[];
  committed: Committed;
  positions: readonly (Position | Failure)[];
}

/** Pulls all partitions side by side. `progress` gets their failures. */
export async function pullPartitions(
  placed: PlacedPartitions,
  progress: PullProgress,
  options: PullOptions,
): Promise<PulledPartition[]> {
  const { connection, config, log, handler, times } = options;
  const { isolationLevel, checkCrcs, unreadable, maxBytes, waitMs } = config;
  const fetcher = new Fetcher(
    connection,
    {
      isolationLevel,
      checkCrcs,
      unreadable,
      maxBatchBytes: Math.max(MAX_BATCH_BYTES, maxBytes),
      maxBytes: Math.min(MAX_FETCH_BYTES, Math.ceil(maxBytes / 2)),
      recordsLeft: () => progress.recordsLeft,
      deadline: times.handleBefore,
    },
    log,
  );
  const reset = (position: Position) =>
    resetPosition(position, { connection, config, log, deadline: times.deadline });
  const pull = async (position: Position): Promise<PulledPartition> => {
    try {
      const begun = await handler.begin(position);
      return await new PartitionPull(begun, { fetcher, handler, progress, waitMs, reset }).run();
    } catch (error) {
      progress.fail(position, toFailure(error));
      return pulledPartition(position);
    }
  };
  const pullEach = (positions: readonly Position[]) => Promise.all(rotated(positions).map(pull));
  const timer = setTimeout(() => fetcher.close(), remaining(times.startBefore));
  try {
    const prompt = placed.positions.filter(
      (position): position is Position => !(position instanceof Failure),
    );
    const late = latePositions(placed, progress, options);
    const pulled = (await Promise.all([pullEach(prompt), late.then(pullEach)])).flat();
    await handler.finish?.();
    return pulled;
  } finally {
    clearTimeout(timer);
    fetcher.close();
  }
}

/** Asks again about partitions whose leader was slow, while the others are being pulled. */
async function latePositions(
  { partitions, committed, positions }: PlacedPartitions,
  progress: PullProgress,
  { connection, config, log, times }: PullOptions,
): Promise<Position[]> {
  const found: Position[] = [];
  const late = partitions.flatMap((partition, at) => {
    const failure = positions[at];
    if (!(failure instanceof Failure)) return [];
    if (failure.retriable) return [{ partition, committed: committed[at] }];
    progress.fail(partition, failure);
    return [];
  });
  const again = await readPositions(
    late.map(({ partition }) => partition),
    Promise.resolve(late.map((item) => item.committed)),
    { connection, config, log, deadline: Date.now() + remaining(times.startBefore) / 2 },
  );
  for (const [at, { partition }] of late.entries()) {
    const position = again[at];
    if (position instanceof Failure) progress.fail(partition, position);
    else if (position) found.push(position);
  }
  return found;
}

/** Starts at a random partition, so that a small budget doesn't starve the last ones. */
function rotated<T>(items: readonly T[]): T[] {
  const start = Math.floor(Math.random() * items.length);
  return [...items.slice(start), ...items.slice(0, start)];
}
