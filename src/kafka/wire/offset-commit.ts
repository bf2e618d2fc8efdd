import Encoder from 'kafkajs/src/protocol/encoder.js';
import { readByTopic, type TopicPartition, writeByTopic } from './by-topic.ts';
import { Decoder } from './decoder.ts';
import type { Request } from './request.ts';

/** The broker takes commits from a consumer that has not joined only while the group has no members. */
const NO_GENERATION = -1;
const NO_MEMBER = '';
export const NO_LEADER_EPOCH = -1;

export interface OffsetToCommit extends TopicPartition {
  offset: number;
  /** The leader epoch of the record before the offset, where it is known. */
  leaderEpoch?: number;
  /** The committer's own text, at most 4,096 bytes by Kafka's default. */
  metadata?: string;
}

export interface PartitionError extends TopicPartition {
  errorCode: number;
}

/** An OffsetCommit request (v5 and v6) without membership. v6 is the first with a leader epoch. */
export function offsetCommitRequest(
  groupId: string,
  offsets: readonly OffsetToCommit[],
): Request<PartitionError[]> {
  return {
    apiKey: 8,
    apiName: 'OffsetCommit',
    highestVersion: 6,
    expectsResponse: true,
    encodeBody: (version) => {
      const body = new Encoder().writeString(groupId).writeInt32(NO_GENERATION).writeString(NO_MEMBER);
      return [writeOffsets(body, offsets, version >= 6).buffer];
    },
    decode: decodePartitionErrors,
  };
}

/** Writes offsets as OffsetCommit and, below v3, TxnOffsetCommit have them. */
export function writeOffsets(body: Encoder, offsets: readonly OffsetToCommit[], hasEpoch: boolean): Encoder {
  return writeByTopic(body, offsets, (encoder, { offset, leaderEpoch, metadata = '' }) => {
    encoder.writeInt64(offset);
    if (hasEpoch) encoder.writeInt32(leaderEpoch ?? NO_LEADER_EPOCH);
    return encoder.writeString(metadata);
  });
}

export function decodePartitionErrors(payload: Buffer): PartitionError[] {
  const decoder = new Decoder(payload);
  decoder.readInt32(); // throttle_time_ms
  return readByTopic(decoder, (topic) => ({
    topic,
    partition: decoder.readInt32(),
    errorCode: decoder.readInt16(),
  }));
}
