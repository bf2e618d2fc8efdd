import type { PullConfig } from '../../src/config.ts';
import { remaining } from '../../src/deadline.ts';
import { Failure, toFailure } from '../../src/errors.ts';
import type { Connection } from '../../src/kafka/connection.ts';
import { Fetcher } from '../../src/kafka/fetching.ts';
import type { GroupOffsets } from '../../src/kafka/group-offsets.ts';
import type { Log } from '../../src/log.ts';
import { keepOffsets, OffsetNotes } from './keep-offsets.ts';
import type { PartitionHandler, PullTimes } from './partition-handler.ts';
import { PartitionPull, type PulledPartition, pulledPartition } from './partition-pull.ts';
import { type Position, readPositions, resetPosition, type SourcePartition } from './positions.ts';
import { PullProgress } from './pull-progress.ts';
import type { PullWish } from './pull-wish.ts';

/** Answers that wait or are being handled; enough for the broker and the network to keep up. */
const MAX_FETCH_BYTES = 32 * 1024 * 1024;
/** What one batch may grow to when it is decompressed, unless CONSUME_MAX_BYTES is more. */
const MAX_BATCH_BYTES = 64 * 1024 * 1024;

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

export interface DrainOptions {
  connection: Connection;
  group: GroupOffsets;
  config: PullConfig;
  log: Log;
  handlers: (times: PullTimes, notes: OffsetNotes) => PartitionHandler;
  /** Nothing is committed, and the group is not joined. */
  dryRun?: boolean;
}

/**
 * Handles what waits in the topics: from the committed offsets to the ends seen at the start, all
 * partitions side by side, within the budget and the remaining time, without joining the group. Throws a
 * Failure where it can't go on; what was handled before is committed then.
 */
export async function drain(wish: PullWish, options: DrainOptions, deadline: number): Promise<PullAnswer> {
  const startedAt = Date.now();
  const { group, config, log } = options;
  const times = pullTimes(startedAt, deadline);
  const partitions = await wantedPartitions(wish, options, deadline);
  const describing = group.requireNoMembers(deadline);
  const reading = group.committed(partitions, deadline);
  const placing = readPositions(partitions, reading, { ...options, deadline });
  await Promise.allSettled([describing, reading, placing]);
  // A live group explains why its offsets can't be read, and not the other way round.
  const described = await describing;
  const committed = await reading;
  const positions = await placing;
  const notes = new OffsetNotes(committed);
  const handler = options.handlers(times, notes);
  if (!options.dryRun) await keepOffsets(committed, { group, described, notes, handler, deadline, log });
  const { maxRecords, maxBytes } = config;
  const progress = new PullProgress({
    maxRecords: Math.min(maxRecords, wish.maxRecords ?? maxRecords),
    maxBytes,
    startBefore: times.startBefore,
  });
  const found = positions.filter((position): position is Position => !(position instanceof Failure));
  const pulled = await pullAll(found, progress, { ...options, times, handler });
  const failure = progress.failure ?? positions.find((position) => position instanceof Failure);
  const answer = answerOf(pulled, progress, startedAt);
  log[failure ? 'warn' : 'info']('pulled', {
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

/** All partitions side by side; their failures are the progress's. */
async function pullAll(
  found: readonly Position[],
  progress: PullProgress,
  { connection, config, log, handler, times }: DrainOptions & { times: PullTimes; handler: PartitionHandler },
): Promise<PulledPartition[]> {
  const untouched: PulledPartition[] = [];
  const begin = async (position: Position): Promise<Position[]> => {
    try {
      return [await handler.begin(position)];
    } catch (error) {
      progress.fail(toFailure(error));
      untouched.push(pulledPartition(position));
      return [];
    }
  };
  const positions = rotated((await Promise.all(found.map(begin))).flat());
  const { isolationLevel, checkCrcs, unreadable, maxBytes } = config;
  const fetcher = new Fetcher(
    connection,
    positions.map((position) => ({ ...position, offset: position.from })),
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
  const timer = setTimeout(() => fetcher.close(), remaining(times.startBefore));
  try {
    const pulled = await Promise.all(
      positions.map((position) => new PartitionPull(position, { fetcher, handler, progress, reset }).run()),
    );
    return [...untouched, ...pulled];
  } finally {
    clearTimeout(timer);
    fetcher.close();
  }
}

/** From another one each time, so that a budget that is always spent before the last one serves all of them. */
function rotated<T>(items: readonly T[]): T[] {
  const start = Math.floor(Math.random() * items.length);
  return [...items.slice(start), ...items.slice(0, start)];
}

function answerOf(pulled: PulledPartition[], progress: PullProgress, startedAt: number): PullAnswer {
  const { processed, failed, deadLettered } = progress;
  const partitions = pulled.sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
  const more = partitions.some(({ lag }) => lag > 0);
  return { mode: 'pull', processed, failed, deadLettered, partitions, more, ms: Date.now() - startedAt };
}
