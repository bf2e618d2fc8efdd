import Encoder from 'kafkajs/src/protocol/encoder.js';
import { byTopic } from './by-topic.ts';
import { Decoder } from './decoder.ts';
import {
  decodePartitionErrors,
  encodeTopics,
  type OffsetToCommit,
  type PartitionError,
} from './offset-commit.ts';
import type { Request } from './request.ts';

/** v3 is the first that names the group's member (KIP-447); kafkajs stops at v1. */
const HIGHEST_VERSION = 3;
const FIRST_FLEXIBLE_VERSION = 3;
const API_KEY = 28;
const NO_LEADER_EPOCH = -1;
const NO_GENERATION = -1;

export interface TxnOffsetCommit {
  transactionalId: string;
  producerId: bigint;
  producerEpoch: number;
  groupId: string;
  /** Sent from v3 on: with a name that no member has, the broker refuses unless the group is empty. */
  memberId: string;
  offsets: readonly OffsetToCommit[];
}

/** A TxnOffsetCommit request (v0 to v3). */
export function txnOffsetCommitRequest(
  commit: TxnOffsetCommit,
  highestVersion = HIGHEST_VERSION,
): Request<PartitionError[]> {
  return {
    apiKey: API_KEY,
    apiName: 'TxnOffsetCommit',
    highestVersion,
    expectsResponse: true,
    encodeBody: (version) => [
      (version >= FIRST_FLEXIBLE_VERSION ? encodeFlexible(commit) : encode(commit, version)).buffer,
    ],
    decode: (payload, version) =>
      (version >= FIRST_FLEXIBLE_VERSION ? decodeFlexible : decodePartitionErrors)(payload),
  };
}

function encode(
  { transactionalId, groupId, producerId, producerEpoch, offsets }: TxnOffsetCommit,
  version: number,
): Encoder {
  return new Encoder()
    .writeString(transactionalId)
    .writeString(groupId)
    .writeInt64(producerId)
    .writeInt16(producerEpoch)
    .writeArray(encodeTopics(offsets, version >= 2));
}

function encodeFlexible(commit: TxnOffsetCommit): Encoder {
  const topics = byTopic(commit.offsets).map(([topic, partitions]) =>
    new Encoder()
      .writeUVarIntString(topic)
      .writeUVarIntArray(
        partitions.map(({ partition, offset, leaderEpoch = NO_LEADER_EPOCH, metadata = '' }) =>
          new Encoder()
            .writeInt32(partition)
            .writeInt64(offset)
            .writeInt32(leaderEpoch)
            .writeUVarIntString(metadata)
            .writeUVarInt(0),
        ),
      )
      .writeUVarInt(0),
  );
  // The first byte ends the request's header, which has tagged fields in flexible versions.
  return new Encoder()
    .writeUVarInt(0)
    .writeUVarIntString(commit.transactionalId)
    .writeUVarIntString(commit.groupId)
    .writeInt64(commit.producerId)
    .writeInt16(commit.producerEpoch)
    .writeInt32(NO_GENERATION)
    .writeUVarIntString(commit.memberId)
    .writeUVarInt(0) // group_instance_id: null
    .writeUVarIntArray(topics)
    .writeUVarInt(0);
}

function decodeFlexible(payload: Buffer): PartitionError[] {
  const decoder = new Decoder(payload);
  decoder.readTaggedFields(); // of the header
  decoder.readInt32(); // throttle_time_ms
  const topics = decoder.readUVarIntArray(() => {
    const topic = decoder.readUVarIntString() ?? '';
    const partitions = decoder.readUVarIntArray(() => {
      const error = { topic, partition: decoder.readInt32(), errorCode: decoder.readInt16() };
      decoder.readTaggedFields();
      return error;
    });
    decoder.readTaggedFields();
    return partitions;
  });
  return topics.flat();
}
