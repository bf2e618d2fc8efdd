import { Failure } from '../../../src/errors.ts';
import type { Connection } from '../../../src/kafka/connection/connection.ts';
import { askLeaders, type Patience } from '../../../src/kafka/fetch/ask-leaders.ts';
import { logOffsets } from '../../../src/kafka/fetch/log-offsets.ts';
import type { TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import { epochEndsRequest } from '../../../src/kafka/wire/epoch-ends.ts';
import type { CommittedOffset } from '../../../src/kafka/wire/offset-fetch.ts';
import type { Log } from '../../../src/log.ts';
import type { PullConfig } from '../config.ts';
import { gapAt } from './log-gap.ts';

/** No leader epoch, or an unknown one (Kafka's own NO_PARTITION_LEADER_EPOCH). */
export const UNKNOWN_EPOCH = -1;

/** Where a pull begins in one partition, and where it ends. */
export interface Position extends TopicPartition {
  /** Undefined: none. */
  committed: number | undefined;
  /** The leader epoch of the record before `committed`; -1 where it is not known. */
  leaderEpoch: number;
  /** The first offset to be read. */
  from: number;
  /** The offset behind the last one to be read: the end seen at the start. */
  end: number;
}

type OffsetRules = Pick<PullConfig, 'autoOffsetReset' | 'isolationLevel'>;

interface PositionOptions extends Patience {
  connection: Connection;
  config: OffsetRules;
  log: Log;
}

/** The committed offset of each partition, or why it can't be read. */
export type Committed = readonly (CommittedOffset | undefined | Failure)[];

/**
 * Reads the bounds of each partition's log, while the committed offsets are still being read. Resolves with a
 * Position for each partition, in their order, or with the Failure that keeps it from being read.
 */
export async function readPositions(
  partitions: readonly TopicPartition[],
  reading: Promise<Committed>,
  options: PositionOptions,
): Promise<(Position | Failure)[]> {
  const { connection, config, deadline, once } = options;
  const { isolationLevel } = config;
  const bounds = (position: 'earliest' | 'latest', level = isolationLevel) =>
    logOffsets(connection, partitions, position, { isolationLevel: level, deadline, once });
  const [starts, ends, committed] = await Promise.all([bounds('earliest'), bounds('latest'), reading]);
  const sources = partitions.map((source, at): CommittedPartition | Failure => {
    const found = committed[at];
    if (found instanceof Failure) return found;
    return { ...source, committed: found?.offset, leaderEpoch: found?.leaderEpoch ?? UNKNOWN_EPOCH };
  });
  const known = sources.filter((source): source is CommittedPartition => !(source instanceof Failure));
  // An offset beyond the last stable one is fine as long as the log is that long.
  const isBeyond = sources.some(
    (source, at) => !(source instanceof Failure) && Number(source.committed ?? 0) > Number(ends[at]),
  );
  const [lengths, divergences] = await Promise.all([
    isBeyond ? bounds('latest', 'read_uncommitted') : ends,
    readDivergences(known, options),
  ]);
  return sources.map((source, at) =>
    source instanceof Failure
      ? source
      : positionFrom(source, [starts[at], ends[at], lengths[at], divergences.get(source)], options),
  );
}

/** Finds where to go on in a partition whose log has lost the next offset. */
export async function resetPosition(position: Position, options: PositionOptions): Promise<Position> {
  const { connection, config, deadline } = options;
  const [[start], [length], divergences] = await Promise.all([
    logOffsets(connection, [position], 'earliest', { isolationLevel: config.isolationLevel, deadline }),
    logOffsets(connection, [position], 'latest', { isolationLevel: 'read_uncommitted', deadline }),
    readDivergences([position], options),
  ]);
  const found = positionFrom(position, [start, position.end, length, divergences.get(position)], options);
  if (found instanceof Failure) throw found;
  return found;
}

type CommittedPartition = Omit<Position, 'from' | 'end'>;

/**
 * Where each log is no longer the one that was read, for partitions with a new leader since; -1 where the log doesn't
 * know the old leader at all (KIP-320).
 */
async function readDivergences(
  partitions: readonly CommittedPartition[],
  { connection, ...patience }: PositionOptions,
): Promise<Map<CommittedPartition, number | Failure>> {
  const asked = partitions.filter(
    ({ topic, partition, committed, leaderEpoch }) =>
      committed !== undefined &&
      leaderEpoch !== UNKNOWN_EPOCH &&
      leaderEpoch !== connection.leaderEpoch(topic, partition),
  );
  const ends = await askLeaders(connection, asked, epochEndsRequest, patience);
  const divergences = new Map<CommittedPartition, number | Failure>();
  for (const [at, source] of asked.entries()) {
    const end = ends[at];
    if (end instanceof Failure) divergences.set(source, end);
    else if (end && end.endOffset < (source.committed ?? 0)) divergences.set(source, end.endOffset);
  }
  return divergences;
}

type Found = number | Failure | undefined;

/** Applies KAFKA_AUTO_OFFSET_RESET where there is no committed offset, or the log has lost it. */
function positionFrom(
  source: CommittedPartition,
  [start, end, length, divergence]: [start: Found, end: Found, length: Found, divergence: Found],
  { config, log }: PositionOptions,
): Position | Failure {
  const { topic, partition, committed } = source;
  if (divergence instanceof Failure) return divergence;
  if (typeof start !== 'number') return start ?? missing(source);
  if (typeof end !== 'number') return end ?? missing(source);
  if (typeof length !== 'number') return length ?? missing(source);
  const reset = config.autoOffsetReset;
  const name = `partition ${partition} of topic ${topic}`;
  let goOnAt: number | undefined;
  if (committed !== undefined) {
    const gap = gapAt(committed, { start, length, divergence });
    if (!gap) return { ...source, from: committed, end };
    const { message, lost = 'unknown' } = gap;
    goOnAt = gap.goOnAt;
    const at = { committed, logStart: start, logEnd: length, lost };
    log.error(message, { topic, partition, ...at, ...(goOnAt === undefined ? { reset } : { goOnAt }) });
    if (reset === 'none') {
      return new Failure(
        'OFFSET_OUT_OF_RANGE',
        `${name}: offset ${committed} is committed, but ${gap.sentence}; KAFKA_AUTO_OFFSET_RESET (now none) tells where to go on`,
      );
    }
  } else if (reset === 'none') {
    return new Failure(
      'OFFSET_OUT_OF_RANGE',
      `${name} has no committed offset; KAFKA_AUTO_OFFSET_RESET (now none) tells where to begin`,
    );
  }
  return { ...source, from: goOnAt ?? (reset === 'latest' ? end : start), end };
}

function missing({ topic, partition }: TopicPartition): Failure {
  return new Failure('NO_LEADER', `the offsets of partition ${partition} of topic ${topic} are not known`);
}
