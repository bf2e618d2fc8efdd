import { Failure } from '../../src/errors.ts';
import type { Connection } from '../../src/kafka/connection/connection.ts';
import { Fetcher } from '../../src/kafka/fetch/fetching.ts';
import { logOffsets } from '../../src/kafka/fetch/log-offsets.ts';
import type { Log } from '../../src/log.ts';
import type { ConsumerRecord } from '../../src/record.ts';
import type { From } from './arguments.ts';

/** How long the cluster may take to answer one question. */
export const PATIENCE_MS = 15_000;
const MIB = 1024 * 1024;
/** Bytes that wait, of all partitions together; at least one batch of each. */
const MAX_BYTES = 64 * MIB;
const MAX_BATCH_BYTES = 256 * MIB;
const TAKEN_AT_ONCE = 500;

export interface Position {
  topic: string;
  partition: number;
  /** The next offset to be read. */
  offset: number;
  /** One more than the last offset to read. */
  end: number;
}

const committed = () => ({ isolationLevel: 'read_committed', deadline: Date.now() + PATIENCE_MS }) as const;

/** Where reading begins and ends in each partition of the topic, or in one. Throws a Failure. */
export async function readPositions(
  connection: Connection,
  { topic, partition, from }: { topic: string; partition: number | undefined; from: From },
): Promise<Position[]> {
  const { partitions } = await connection.topic(topic, Date.now() + PATIENCE_MS);
  const wanted = partitions
    .map((one) => ({ topic, partition: one.partition }))
    .filter((one) => partition === undefined || one.partition === partition);
  if (wanted.length === 0) {
    throw new Failure(
      'UNKNOWN_PARTITION',
      `topic ${topic} has no partition ${partition}: it has ${partitions.length}, counted from 0`,
    );
  }
  const place = async (at: 'earliest' | 'latest' | number): Promise<number[]> =>
    (await logOffsets(connection, wanted, at, committed())).map(orThrow);
  const [starts, ends] = await Promise.all([place('earliest'), place('latest')]);
  const begins = typeof from === 'object' && 'time' in from ? await place(from.time) : undefined;
  return wanted.map((one, at) => {
    const [start = 0, end = 0] = [starts[at], ends[at]];
    return { ...one, offset: firstOffset(from, { start, end, atTime: begins?.[at] }), end };
  });
}

function firstOffset(
  from: From,
  { start, end, atTime }: { start: number; end: number; atTime: number | undefined },
): number {
  if (from === 'earliest') return start;
  if (from === 'latest') return end;
  if ('offset' in from) return Math.max(start, from.offset);
  // -1: no record is as young.
  return atTime === undefined || atTime < 0 ? end : atTime;
}

/** The same positions, with the present ends. */
export async function readEnds(connection: Connection, positions: readonly Position[]): Promise<Position[]> {
  const ends = await logOffsets(connection, positions, 'latest', committed());
  return positions.map((position, at) => ({ ...position, end: orThrow(ends[at] ?? position.end) }));
}

function orThrow(offset: number | Failure): number {
  if (offset instanceof Failure) throw offset;
  return offset;
}

/** The records up to the ends, those of several partitions in the order of their times. Throws a Failure. */
export async function* readRecords(
  connection: Connection,
  positions: readonly Position[],
  log: Log,
): AsyncGenerator<ConsumerRecord, void> {
  const open = positions.filter(({ offset, end }) => offset < end);
  const maxBytes = Math.ceil(MAX_BYTES / Math.max(1, open.length));
  const sources = open.map((position) => readPartition(connection, position, { maxBytes, log }));
  try {
    const heads = await Promise.all(sources.map(async (source) => ({ source, next: await source.next() })));
    for (;;) {
      const waiting = heads.filter(({ next }) => !next.done);
      const [first] = waiting;
      if (!first) return;
      const oldest = waiting.reduce((a, b) => (timeOf(b.next) < timeOf(a.next) ? b : a), first);
      if (!oldest.next.done) yield oldest.next.value;
      oldest.next = await oldest.source.next();
    }
  } finally {
    for (const source of sources) await source.return();
  }
}

function timeOf({ value }: IteratorResult<ConsumerRecord, void>): number {
  return value?.timestamp ?? 0;
}

/** With a fetcher of its own: partitions that wait for each other's turn must not share memory. */
async function* readPartition(
  connection: Connection,
  position: Position,
  { maxBytes, log }: { maxBytes: number; log: Log },
): AsyncGenerator<ConsumerRecord, void> {
  const fetcher = new Fetcher(
    connection,
    {
      isolationLevel: 'read_committed',
      checkCrcs: true,
      unreadable: 'stop',
      maxBatchBytes: MAX_BATCH_BYTES,
      maxBytes,
      recordsLeft: () => Number.POSITIVE_INFINITY,
      // For each fetch anew: the reader may take its time between them.
      get deadline() {
        return Date.now() + PATIENCE_MS;
      },
    },
    log,
  );
  try {
    fetcher.add(position);
    for (;;) {
      const reader = await fetcher.next(position);
      if (!reader) return;
      try {
        for (let at = -1; ; ) {
          await reader.ready();
          const { records, nextOffset } = reader.take(TAKEN_AT_ONCE);
          if (records.length === 0 && nextOffset <= at) break;
          at = nextOffset;
          yield* records;
        }
      } finally {
        reader.close();
      }
    }
  } finally {
    fetcher.close();
  }
}
