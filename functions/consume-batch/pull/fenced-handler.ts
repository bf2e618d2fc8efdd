import { partitionKey, type TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import type { FencedOffset } from './fenced-offset.ts';
import {
  type BatchResult,
  nothingDone,
  type PartitionHandler,
  type PulledBatch,
} from './partition-handler.ts';
import type { Position } from './positions.ts';

/** A partition whose records and offset move in transactions. */
export interface FencedPartition {
  readonly offset: FencedOffset;
  /** Takes the partition over, and returns where to begin. Throws a Failure. */
  begin(position: Position): Promise<Position>;
  handle(batch: PulledBatch): Promise<BatchResult>;
  end?(): Promise<BatchResult>;
}

/** Takes partitions over one by one, once there is something to read in them. */
export function fencedHandler(open: (at: TopicPartition) => FencedPartition): PartitionHandler {
  const partitions = new Map<string, FencedPartition>();
  const opened = (position: Position) => {
    const partition = open(position);
    partitions.set(partitionKey(position), partition);
    return partition;
  };
  return {
    renew: (committed) => open(committed).offset.renew(committed),
    async begin(position) {
      // Without anything to read, leave whoever works there alone.
      const { from, end, committed } = position;
      if (from >= end && from === committed) return position;
      return opened(position).begin(position);
    },
    async handle(position, batch) {
      const begun = partitions.get(partitionKey(position));
      if (begun) return begun.handle(batch);
      // Records came while the pull waited behind the end.
      const partition = opened(position);
      const { committed } = await partition.begin(position);
      if (committed === position.committed) return partition.handle(batch);
      return nothingDone(partition.offset.takenOver(committed));
    },
    async end(position) {
      return (await partitions.get(partitionKey(position))?.end?.()) ?? nothingDone(undefined);
    },
  };
}
