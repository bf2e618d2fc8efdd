import type { Failure } from '../../errors.ts';
import type { TopicPartition } from '../wire/by-topic.ts';
import type { FetchedPartition } from '../wire/fetch.ts';
import type { OffsetRange } from '../wire/records/record-batch-reader.ts';

/** The limit for one partition in one response. */
export const PARTITION_BYTES = 2 * 1024 * 1024;
/** How long a partition may give nothing, while its leader changes or is gone, before it fails. */
const PATIENCE_MS = 15_000;

export interface FetchPosition extends TopicPartition {
  /** The next offset to be read. */
  offset: number;
  /** The offset behind the last one to be read. */
  end: number;
}

/** One partition's part of a response, and which of its offsets are to be read. */
export interface Answer {
  fetched: FetchedPartition;
  range: OffsetRange;
}

/** A partition and how far it was read ahead: `offset` is where the next Fetch begins. */
export interface Partition extends FetchPosition {
  /** Responses that were read ahead and wait to be handled. */
  waiting: Answer[];
  /** Bytes of the response that is being handled. */
  handling: number;
  isAsked: boolean;
  isParked: boolean;
  maxBytes: number;
  attempts: number;
  /** Since when the partition has given nothing although it was asked for (epoch milliseconds). */
  silentSince: number | undefined;
  failure: Failure | undefined;
  waiter: (() => void) | undefined;
  /** The partition is read on behind its end, where an empty response is normal. */
  isFollowed: boolean;
  /** The end of the log in the last response. */
  lastEnd: number;
}

export function newPartition({ topic, partition, offset, end }: FetchPosition): Partition {
  return {
    ...{ topic, partition, offset, end },
    waiting: [],
    handling: 0,
    isAsked: false,
    isParked: false,
    maxBytes: PARTITION_BYTES,
    attempts: 0,
    silentSince: undefined,
    failure: undefined,
    waiter: undefined,
    isFollowed: false,
    lastEnd: end,
  };
}

/** How many responses of the partition wait or are being handled. */
export function answersOf({ waiting, handling }: Partition): number {
  return waiting.length + (handling > 0 ? 1 : 0);
}

export function forgive(partition: Partition): void {
  partition.failure = undefined;
  partition.silentSince = undefined;
  partition.attempts = 0;
}

export function isSilentForLong(partition: Partition): boolean {
  partition.silentSince ??= Date.now();
  return Date.now() - partition.silentSince > PATIENCE_MS;
}

export function nameOf({ topic, partition }: TopicPartition): string {
  return `partition ${partition} of topic ${topic}`;
}
