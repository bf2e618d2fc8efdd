import type { PullConfig } from '../../src/config.ts';
import { Failure } from '../../src/errors.ts';
import type { Connection } from '../../src/kafka/connection.ts';
import type { CommittedOffset } from '../../src/kafka/group-offsets.ts';
import { logOffsets } from '../../src/kafka/log-offsets.ts';
import type { Log } from '../../src/log.ts';

export interface SourcePartition {
  topic: string;
  partition: number;
}

/** Where a pull begins in one partition and where it ends. */
export interface Position extends SourcePartition {
  /** Undefined: none. */
  committed: number | undefined;
  /** The first offset to be read. */
  from: number;
  /** Behind the last offset to be read: the end seen at the start. */
  end: number;
}

type OffsetRules = Pick<PullConfig, 'autoOffsetReset' | 'isolationLevel'>;

interface PositionOptions {
  connection: Connection;
  config: OffsetRules;
  deadline: number;
  log: Log;
}

/** What a group has committed of each partition, or why that can't be read. */
export type Committed = readonly (CommittedOffset | undefined | Failure)[];

/**
 * Reads the bounds of each partition's log, while its committed offset is still being read. One Position a
 * partition, in their order, or the Failure that keeps this partition from being read.
 */
export async function readPositions(
  partitions: readonly SourcePartition[],
  reading: Promise<Committed>,
  options: PositionOptions,
): Promise<(Position | Failure)[]> {
  const { connection, config, deadline } = options;
  const { isolationLevel } = config;
  const bounds = (position: 'earliest' | 'latest', level = isolationLevel) =>
    logOffsets(connection, partitions, position, { isolationLevel: level, deadline });
  const [committed, starts, ends] = await Promise.all([reading, bounds('earliest'), bounds('latest')]);
  // Committed beyond the last stable offset is in order as long as the log is that long.
  const offsetAt = (at: number) => {
    const found = committed[at];
    return found instanceof Failure ? found : found?.offset;
  };
  const isBeyond = (at: number) => Number(offsetAt(at) ?? 0) > Number(ends[at]);
  const lengths = partitions.some((_, at) => isBeyond(at))
    ? await bounds('latest', 'read_uncommitted')
    : ends;
  return partitions.map((source, at) => {
    const [offset, start, end, length] = [offsetAt(at), starts[at], ends[at], lengths[at]];
    if (offset instanceof Failure) return offset;
    for (const bound of [start, end, length]) if (typeof bound !== 'number') return bound ?? missing(source);
    return place(
      { ...source, committed: offset },
      { start: Number(start), end: Number(end), length: Number(length) },
      options,
    );
  });
}

/** Where a partition is to go on whose log no longer has the offset behind the last one handled. */
export async function resetPosition(position: Position, options: PositionOptions): Promise<Position> {
  const { connection, config, deadline } = options;
  const [[start], [length]] = await Promise.all([
    logOffsets(connection, [position], 'earliest', { isolationLevel: config.isolationLevel, deadline }),
    logOffsets(connection, [position], 'latest', { isolationLevel: 'read_uncommitted', deadline }),
  ]);
  for (const bound of [start, length]) if (typeof bound !== 'number') throw bound ?? missing(position);
  const bounds = { start: Number(start), end: position.end, length: Number(length) };
  const placed = place(position, bounds, options);
  if (placed instanceof Failure) throw placed;
  return placed;
}

/** A log's bounds: its first offset, where reading ends, and where the log itself ends. */
interface Bounds {
  start: number;
  end: number;
  length: number;
}

/** Follows KAFKA_AUTO_OFFSET_RESET where there is no committed offset, or none that the log still has. */
function place(
  source: SourcePartition & { committed: number | undefined },
  { start, end, length }: Bounds,
  { config, log }: Pick<PositionOptions, 'config' | 'log'>,
): Position | Failure {
  const { topic, partition, committed } = source;
  if (committed !== undefined && committed >= start && committed <= length) {
    return { ...source, from: committed, end };
  }
  const name = `partition ${partition} of topic ${topic}`;
  if (committed !== undefined) {
    const lost = committed < start ? start - committed : undefined;
    log.error('the committed offset is out of range', {
      topic,
      partition,
      committed,
      logStart: start,
      logEnd: length,
      // Beyond the end, the log was truncated or the topic made anew: nobody knows how much is gone.
      lost: lost ?? 'unknown',
      reset: config.autoOffsetReset,
    });
    if (config.autoOffsetReset === 'none') {
      const gone =
        lost === undefined
          ? `the log ends at ${length}`
          : `${lost} records are gone, the log begins at ${start}`;
      return new Failure(
        'OFFSET_OUT_OF_RANGE',
        `${name}: offset ${committed} is committed, but ${gone}; KAFKA_AUTO_OFFSET_RESET (now none) tells where to go on`,
      );
    }
  } else if (config.autoOffsetReset === 'none') {
    return new Failure(
      'OFFSET_OUT_OF_RANGE',
      `${name} has no committed offset; KAFKA_AUTO_OFFSET_RESET (now none) tells where to begin`,
    );
  }
  return { ...source, from: config.autoOffsetReset === 'latest' ? end : start, end };
}

function missing({ topic, partition }: SourcePartition): Failure {
  return new Failure('NO_LEADER', `the offsets of partition ${partition} of topic ${topic} are not known`);
}
