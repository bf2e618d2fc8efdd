import { remaining } from '../../../src/deadline.ts';
import { Failure, toFailure } from '../../../src/errors.ts';
import type { Connection } from '../../../src/kafka/connection/connection.ts';
import type { GroupOffsets } from '../../../src/kafka/fetch/group-offsets.ts';
import type { TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import type { Log } from '../../../src/log.ts';
import type { PullConfig } from '../config.ts';
import type { PullSink } from '../records/sink.ts';
import { keepOffsets, OffsetNotes } from './keep-offsets.ts';
import type { PartitionHandler, PullTimes } from './partition-handler.ts';
import type { PulledPartition } from './partition-pull.ts';
import { type Committed, readPositions } from './positions.ts';
import { pullPartitions } from './pull-partitions.ts';
import { PullProgress, type StoppedPartition } from './pull-progress.ts';
import type { PullWish } from './pull-wish.ts';

/** How long a slow leader may hold up the partitions of the others. */
const PROMPT_MS = 2_000;

export interface PullAnswer {
  mode: 'pull';
  /** Records that were handled. */
  processed: number;
  /** Records that failed and stay where they are. */
  failed: number;
  deadLettered: number;
  partitions: PulledPartition[];
  /** Whether any lag is left. */
  more: boolean;
  ms: number;
}

interface DrainOptions {
  connection: Connection;
  group: GroupOffsets;
  config: PullConfig;
  log: Log;
  handlers: (times: PullTimes, notes: OffsetNotes) => PartitionHandler | Promise<PartitionHandler>;
  /** Offsets that win over Kafka's. */
  ownOffsets?: PullSink['committed'] | undefined;
  /** Commits nothing, doesn't join the group, and has no budget. */
  dryRun?: boolean;
}

/**
 * Handles the records from the committed offsets to the ends seen at the start, without joining the group. All
 * partitions run side by side, within the budget and the remaining time. A partition that can't be read stops alone.
 * Throws a Failure where one stopped or the pull can't go on, after committing what was handled.
 */
export async function drain(wish: PullWish, options: DrainOptions, deadline: number): Promise<PullAnswer> {
  const { answer, stopped } = await drainEach(wish, options, deadline);
  const [first] = stopped;
  if (first) throw first.failure;
  return answer;
}

/** Does the same as `drain`, and tells which partitions stopped. Throws a Failure only where none can go on. */
export async function drainEach(
  wish: PullWish,
  options: DrainOptions,
  deadline: number,
): Promise<{ answer: PullAnswer; stopped: readonly StoppedPartition[] }> {
  const startedAt = Date.now();
  const { group, log } = options;
  const times = pullTimes(startedAt, deadline);
  const progress = new PullProgress({ ...budget(wish, options), startBefore: times.startBefore });
  const partitions = await wantedPartitions(wish, progress, options, deadline);
  const describing = group.requireNoMembers(deadline);
  const kafkas = group.committed(partitions, deadline);
  const reading = committedOffsets(partitions, kafkas, options, deadline);
  const placing = readPositions(partitions, reading, { ...options, deadline: promptly(times), once: true });
  await Promise.allSettled([describing, kafkas, reading, placing]);
  // A live group explains why its offsets can't be read, so its failure comes first.
  const described = await describing;
  const committed = await reading;
  const positions = await placing;
  const notes = new OffsetNotes(await kafkas);
  const handler = await options.handlers(times, notes);
  if (!options.dryRun) await keepOffsets(await kafkas, { group, described, notes, handler, deadline, log });
  const pulled = await pullPartitions({ partitions, committed, positions }, progress, {
    ...options,
    times,
    handler,
  });
  const { failure } = progress;
  const answer = answerOf(pulled, progress, startedAt);
  log[failure ? 'warn' : 'info']('pulled', {
    ...answer,
    ...(failure && { code: failure.code, error: failure }),
  });
  if (failure?.code === 'GROUP_ACTIVE') throw failure;
  return { answer, stopped: progress.stopped };
}

/** Kafka's, unless the sink keeps its own. */
async function committedOffsets(
  partitions: readonly TopicPartition[],
  kafkas: Promise<Committed>,
  { ownOffsets, group: { groupId } }: DrainOptions,
  deadline: number,
): Promise<Committed> {
  return ownOffsets ? ownOffsets(partitions, await kafkas, { groupId, deadline }) : kafkas;
}

/** A dry run commits nothing, so it must see everything in one call. */
function budget({ maxRecords }: PullWish, { config, dryRun }: DrainOptions) {
  if (dryRun) return { maxRecords: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER };
  return {
    maxRecords: Math.min(config.maxRecords, maxRecords ?? config.maxRecords),
    maxBytes: config.maxBytes,
  };
}

/** Keeps some of the remaining time for records that are being handled, and some for the last commit. */
function pullTimes(now: number, deadline: number): PullTimes {
  const handleBefore = deadline - Math.min(2_000, remaining(deadline) * 0.15);
  const startBefore = handleBefore - Math.min(10_000, (handleBefore - now) * 0.1);
  return { startBefore, handleBefore, deadline };
}

/** Until then, all partitions wait for leaders that don't respond. */
function promptly({ startBefore }: PullTimes): number {
  return Date.now() + Math.min(PROMPT_MS, remaining(startBefore) / 4);
}

/** A topic that can't be pulled stops alone, unless it is the only one. */
async function wantedPartitions(
  { topics, partitions }: PullWish,
  progress: PullProgress,
  { connection, config }: DrainOptions,
  deadline: number,
): Promise<TopicPartition[]> {
  const strangers = topics?.filter((topic) => !config.topics.includes(topic)) ?? [];
  if (strangers.length > 0) {
    throw new Failure(
      'MALFORMED_REQUEST',
      `topics may narrow CONSUME_TOPICS, which does not have ${strangers.join(', ')}`,
    );
  }
  const names = [...new Set(topics ?? config.topics)];
  const read = async (topic: string): Promise<TopicPartition[]> => {
    try {
      // Ask again, because a topic may have got more partitions.
      const found = await connection.topic(topic, deadline, { maxAgeMs: 0 });
      return found.partitions.map(({ partition }) => ({ topic, partition }));
    } catch (error) {
      progress.fail({ topic }, toFailure(error));
      return [];
    }
  };
  const all = (await Promise.all(names.map(read))).flat();
  const { failure } = progress;
  if (all.length === 0 && failure) throw failure;
  const unknown = partitions?.find((wanted) => all.every(({ partition }) => partition !== wanted));
  if (unknown !== undefined && !failure) {
    throw new Failure('UNKNOWN_PARTITION', `none of ${names.join(', ')} has a partition ${unknown}`);
  }
  return partitions ? all.filter(({ partition }) => partitions.includes(partition)) : all;
}

function answerOf(pulled: PulledPartition[], progress: PullProgress, startedAt: number): PullAnswer {
  const { processed, failed, deadLettered } = progress;
  const partitions = pulled.sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
  const more = partitions.some(({ lag }) => lag > 0);
  return { mode: 'pull', processed, failed, deadLettered, partitions, more, ms: Date.now() - startedAt };
}
