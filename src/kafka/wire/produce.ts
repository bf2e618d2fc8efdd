import Encoder from 'kafkajs/src/protocol/encoder.js';
import { byTopic, readByTopic, type TopicPartition } from './by-topic.ts';
import { Decoder } from './decoder.ts';
import type { PartitionError } from './offset-commit.ts';
import { headerSize, type Request } from './request.ts';

/** v8 is the last version before tagged fields, and the first with error messages. */
const HIGHEST_VERSION = 8;
const API_KEY = 0;

/** One record batch for one partition. */
export interface PartitionBatch extends TopicPartition {
  records: Buffer;
}

interface ProduceOptions {
  acks: -1 | 0 | 1;
  /** How long the leader may wait for its followers, in milliseconds. */
  timeout: number;
  transactionalId?: string;
}

export interface PartitionResult extends PartitionError {
  /** The offset of the batch's first record; -1 where the append failed. */
  baseOffset: number;
  /** Epoch milliseconds on topics with LogAppendTime, else -1. */
  logAppendTime: number;
  errorMessage: string | null;
  /** The records that the batch was refused for, by their index; empty where the broker doesn't say. */
  recordErrors: { index: number; message: string | null }[];
}

interface ProduceResponse {
  partitions: PartitionResult[];
  throttleTimeMs: number;
}

/** The size of a non-transactional Produce frame without any topic. */
export function produceSize(clientId: string): number {
  return headerSize(clientId) + 2 + 2 + 4 + 4;
}

/** The size of one partition in the frame without its record batch, including the topic's name. */
export function partitionSize(topic: string): number {
  return 2 + Buffer.byteLength(topic) + 4 + 4 + 4;
}

/** A Produce request (v3 to v8) that reads every partition's result; kafkajs's throws at the first failure. */
export function produceRequest(
  batches: readonly PartitionBatch[],
  { acks, timeout, transactionalId }: ProduceOptions,
): Request<ProduceResponse> {
  return {
    apiKey: API_KEY,
    apiName: 'Produce',
    highestVersion: HIGHEST_VERSION,
    expectsResponse: acks !== 0,
    encodeBody: () => {
      const topics = byTopic(batches);
      const parts: Buffer[] = [];
      // The bytes between two record batches go into one part.
      let between = new Encoder()
        .writeString(transactionalId ?? null)
        .writeInt16(acks)
        .writeInt32(timeout)
        .writeInt32(topics.length);
      for (const [topic, partitions] of topics) {
        between.writeString(topic).writeInt32(partitions.length);
        for (const { partition, records } of partitions) {
          between.writeInt32(partition).writeInt32(records.length);
          parts.push(between.buffer, records);
          between = new Encoder();
        }
      }
      return parts;
    },
    decode: acks === 0 ? () => ({ partitions: [], throttleTimeMs: 0 }) : decodeResponse,
  };
}

function decodeResponse(payload: Buffer, version: number): ProduceResponse {
  const decoder = new Decoder(payload);
  const partitions = readByTopic(decoder, (topic) => decodePartition(decoder, topic, version));
  return { partitions, throttleTimeMs: decoder.readInt32() };
}

function decodePartition(decoder: Decoder, topic: string, version: number): PartitionResult {
  const partition = decoder.readInt32();
  const errorCode = decoder.readInt16();
  const baseOffset = decoder.readLong();
  const logAppendTime = decoder.readLong();
  if (version >= 5) decoder.readInt64(); // log_start_offset
  const result = { topic, partition, errorCode, baseOffset, logAppendTime };
  if (version < 8) return { ...result, errorMessage: null, recordErrors: [] };
  const recordErrors = decoder.readArray(() => ({
    index: decoder.readInt32(),
    message: decoder.readString(),
  }));
  return { ...result, recordErrors, errorMessage: decoder.readString() };
}
