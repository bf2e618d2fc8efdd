import Encoder from 'kafkajs/src/protocol/encoder.js';
import { byTopic, readByTopic, type TopicPartition } from './by-topic.ts';
import { Decoder } from './decoder.ts';
import type { Request } from './request.ts';

/** v7 is the first that can leave out what a transaction has not yet committed (KIP-447, Kafka 2.5); kafkajs stops at v4. */
const HIGHEST_VERSION = 7;
const FIRST_FLEXIBLE_VERSION = 6;
const FIRST_STABLE_VERSION = 7;
const API_KEY = 9;
const NO_LEADER_EPOCH = -1;

export interface CommittedOffset extends TopicPartition {
  /** -1: none is committed. */
  offset: number;
  /** -1: not known. */
  leaderEpoch: number;
  /** What its committer wrote beside it. */
  metadata: string;
  errorCode: number;
}

export interface OffsetFetchResponse {
  errorCode: number;
  partitions: CommittedOffset[];
  /** Whether the broker knows `requireStable`. */
  knowsStable: boolean;
}

/**
 * An OffsetFetch request (v2 to v7). With `requireStable` the broker (from v7 on) answers
 * UNSTABLE_OFFSET_COMMIT for a partition that an unfinished transaction has an offset for, instead of the
 * offset before it.
 */
export function offsetFetchRequest(
  groupId: string,
  partitions: readonly TopicPartition[],
  { requireStable = false } = {},
): Request<OffsetFetchResponse> {
  return {
    apiKey: API_KEY,
    apiName: 'OffsetFetch',
    highestVersion: HIGHEST_VERSION,
    expectsResponse: true,
    encodeBody: (version) => {
      const isFlexible = version >= FIRST_FLEXIBLE_VERSION;
      const body = isFlexible ? encodeFlexible(groupId, partitions) : encode(groupId, partitions);
      if (version >= FIRST_STABLE_VERSION) body.writeBoolean(requireStable);
      return [(isFlexible ? body.writeUVarInt(0) : body).buffer];
    },
    decode: (payload, version) =>
      version >= FIRST_FLEXIBLE_VERSION ? decodeFlexible(payload, version) : decode(payload, version),
  };
}

function encode(groupId: string, partitions: readonly TopicPartition[]): Encoder {
  const topics = byTopic(partitions).map(([topic, wanted]) =>
    new Encoder()
      .writeString(topic)
      .writeArray(wanted.map(({ partition }) => new Encoder().writeInt32(partition))),
  );
  return new Encoder().writeString(groupId).writeArray(topics);
}

function encodeFlexible(groupId: string, partitions: readonly TopicPartition[]): Encoder {
  const topics = byTopic(partitions).map(([topic, wanted]) =>
    new Encoder()
      .writeUVarIntString(topic)
      .writeUVarIntArray(wanted.map(({ partition }) => new Encoder().writeInt32(partition)))
      .writeUVarInt(0),
  );
  // The first byte ends the request's header, which has tagged fields in flexible versions.
  return new Encoder().writeUVarInt(0).writeUVarIntString(groupId).writeUVarIntArray(topics);
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
  const topics = decoder.readUVarIntArray(() => {
    const topic = decoder.readUVarIntString() ?? '';
    const partitions = decoder.readUVarIntArray(() => {
      const partition = decoder.readInt32();
      const offset = decoder.readLong();
      const leaderEpoch = decoder.readInt32();
      const metadata = decoder.readUVarIntString() ?? '';
      const errorCode = decoder.readInt16();
      decoder.readTaggedFields();
      return { topic, partition, offset, leaderEpoch, metadata, errorCode };
    });
    decoder.readTaggedFields();
    return partitions;
  });
  return {
    partitions: topics.flat(),
    errorCode: decoder.readInt16(),
    knowsStable: version >= FIRST_STABLE_VERSION,
  };
}
