import Encoder from 'kafkajs/src/protocol/encoder.js';
import { readFlexibleByTopic, writeFlexibleByTopic } from './by-topic.ts';
import { Decoder } from './decoder.ts';
import {
  decodePartitionErrors,
  NO_LEADER_EPOCH,
  type OffsetToCommit,
  type PartitionError,
  writeOffsets,
} from './offset-commit.ts';
import type { Request } from './request.ts';

/** v3 is the first version that names the group's member (KIP-447). */
const HIGHEST_VERSION = 3;
const FIRST_FLEXIBLE_VERSION = 3;
const API_KEY = 28;
const NO_GENERATION = -1;

export interface TxnOffsetCommit {
  transactionalId: string;
  producerId: bigint;
  producerEpoch: number;
  groupId: string;
  /** Sent from v3 on. With a name that no member has, the broker refuses unless the group is empty. */
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
  const body = new Encoder()
    .writeString(transactionalId)
    .writeString(groupId)
    .writeInt64(producerId)
    .writeInt16(producerEpoch);
  return writeOffsets(body, offsets, version >= 2);
}

function encodeFlexible(commit: TxnOffsetCommit): Encoder {
  // The first byte ends the request's header, which has tagged fields in flexible versions.
  const body = new Encoder()
    .writeUVarInt(0)
    .writeUVarIntString(commit.transactionalId)
    .writeUVarIntString(commit.groupId)
    .writeInt64(commit.producerId)
    .writeInt16(commit.producerEpoch)
    .writeInt32(NO_GENERATION)
    .writeUVarIntString(commit.memberId)
    .writeUVarInt(0); // group_instance_id: null
  return writeFlexibleByTopic(body, commit.offsets, (encoder, { offset, leaderEpoch, metadata = '' }) =>
    encoder
      .writeInt64(offset)
      .writeInt32(leaderEpoch ?? NO_LEADER_EPOCH)
      .writeUVarIntString(metadata)
      .writeUVarInt(0),
  ).writeUVarInt(0);
}

function decodeFlexible(payload: Buffer): PartitionError[] {
  const decoder = new Decoder(payload);
  decoder.readTaggedFields(); // of the header
  decoder.readInt32(); // throttle_time_ms
  return readFlexibleByTopic(decoder, (topic) => ({
    topic,
    partition: decoder.readInt32(),
    errorCode: decoder.readInt16(),
  }));
}
