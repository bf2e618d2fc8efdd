import Encoder from 'kafkajs/src/protocol/encoder.js';
import {
  readByTopic,
  readFlexibleByTopic,
  type TopicPartition,
  writeByTopic,
  writeFlexibleByTopic,
} from './by-topic.ts';
import { Decoder } from './decoder.ts';
import { NO_LEADER_EPOCH, type PartitionError } from './offset-commit.ts';
import type { Request } from './request.ts';

/** v7 is the first version that can hold back offsets of unfinished transactions (KIP-447, Kafka 2.5). */
const HIGHEST_VERSION = 7;
const FIRST_FLEXIBLE_VERSION = 6;
const FIRST_STABLE_VERSION = 7;
const API_KEY = 9;

export interface CommittedOffset extends PartitionError {
  /** -1: none is committed. */
  offset: number;
  /** -1: not known. */
  leaderEpoch: number;
  /** The committer's own text. */
  metadata: string;
}

interface OffsetFetchResponse {
  errorCode: number;
  partitions: CommittedOffset[];
  /** Whether the broker knows `requireStable`. */
  knowsStable: boolean;
}

/**
 * An OffsetFetch request (v2 to v7) for some partitions, or for all of the group that this user may see. With
 * `requireStable`, a broker (from v7 on) answers UNSTABLE_OFFSET_COMMIT where an unfinished transaction holds an
 * offset.
 */
export function offsetFetchRequest(
  groupId: string,
  partitions: readonly TopicPartition[] | 'all',
  { requireStable = false } = {},
): Request<OffsetFetchResponse> {
  return {
    apiKey: API_KEY,
    apiName: 'OffsetFetch',
    highestVersion: HIGHEST_VERSION,
    expectsResponse: true,
    encodeBody: (version) => {
      if (version < FIRST_FLEXIBLE_VERSION) {
        const body = new Encoder().writeString(groupId);
        return [(partitions === 'all' ? body.writeInt32(-1) : writeByTopic(body, partitions)).buffer];
      }
      // The first byte ends the request's header, which has tagged fields in flexible versions.
      const body = new Encoder().writeUVarInt(0).writeUVarIntString(groupId);
      if (partitions === 'all') body.writeUVarInt(0);
      else writeFlexibleByTopic(body, partitions);
      if (version >= FIRST_STABLE_VERSION) body.writeBoolean(requireStable);
      return [body.writeUVarInt(0).buffer];
    },
    decode: (payload, version) =>
      version >= FIRST_FLEXIBLE_VERSION ? decodeFlexible(payload, version) : decode(payload, version),
  };
}

function decode(payload: Buffer, version: number): OffsetFetchResponse {
  const decoder = new Decoder(payload);
  if (version >= 3) decoder.readInt32(); // throttle_time_ms
  const partitions = readByTopic(decoder, (topic) => {
    const partition = decoder.readInt32();
    const offset = decoder.readLong();
    const leaderEpoch = version >= 5 ? decoder.readInt32() : NO_LEADER_EPOCH;
    const metadata = decoder.readString() ?? '';
    return { topic, partition, offset, leaderEpoch, metadata, errorCode: decoder.readInt16() };
  });
  return { partitions, errorCode: decoder.readInt16(), knowsStable: false };
}

function decodeFlexible(payload: Buffer, version: number): OffsetFetchResponse {
  const decoder = new Decoder(payload);
  decoder.readTaggedFields(); // of the header
  decoder.readInt32(); // throttle_time_ms
  const partitions = readFlexibleByTopic(decoder, (topic) => {
    const partition = decoder.readInt32();
    const offset = decoder.readLong();
    const leaderEpoch = decoder.readInt32();
    const metadata = decoder.readUVarIntString() ?? '';
    return { topic, partition, offset, leaderEpoch, metadata, errorCode: decoder.readInt16() };
  });
  return { partitions, errorCode: decoder.readInt16(), knowsStable: version >= FIRST_STABLE_VERSION };
}
