import type { TopicMetadata } from '../connection/connection.ts';

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/** The partition that Java's default partitioner gives a key: murmur2, made positive, modulo. */
export function partitionOfKey(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** MurmurHash2 by Austin Appleby (public domain), with the seed of org.apache.kafka.common.utils.Utils. */
export function murmur2(data: Buffer): number {
  const { length } = data;
  const wholeWords = length & ~3;
  let h = SEED ^ length;
  for (let i = 0; i < wholeWords; i += 4) {
    let k = Math.imul(data.readInt32LE(i), M);
    k ^= k >>> R;
    h = Math.imul(h, M) ^ Math.imul(k, M);
  }
  const rest = length - wholeWords;
  if (rest > 0) {
    h ^= data.readUIntLE(wholeWords, rest);
    h = Math.imul(h, M);
  }
  h ^= h >>> 13;
  h = Math.imul(h, M);
  return h ^ (h >>> 15);
}

/**
 * Chooses the partition of records without a key: the same one until a produce request has taken it, then another. So
 * a request carries one batch instead of one for each partition (KIP-480).
 */
export class StickyPartitions {
  readonly #chosen = new Map<string, number>();

  choose({ name, partitions }: TopicMetadata): number {
    const current = this.#chosen.get(name);
    if (current !== undefined && (partitions[current]?.leader ?? -1) >= 0) return current;
    const available = partitions.filter(({ leader }) => leader >= 0);
    const candidates = available.length > 0 ? available : partitions;
    const choice = candidates[Math.floor(Math.random() * candidates.length)]?.partition ?? 0;
    this.#chosen.set(name, choice);
    return choice;
  }

  /** A produce request has taken this partition's records: the next records go to another one. */
  taken(topic: string, partition: number): void {
    if (this.#chosen.get(topic) === partition) this.#chosen.delete(topic);
  }
}
