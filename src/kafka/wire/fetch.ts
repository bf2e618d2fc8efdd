import Encoder from 'kafkajs/src/protocol/encoder.js';
import { readByTopic, type TopicPartition, writeByTopic } from './by-topic.ts';
import { Decoder } from './decoder.ts';
import type { Request } from './request.ts';

/** v11 is the last version before tagged fields; v4 is the first with isolation levels. */
const HIGHEST_VERSION = 11;
const API_KEY = 1;
const CONSUMER = -1;
/** After this long beyond the broker's own wait, the broker or the way to it counts as dead. */
const MAX_SILENCE_MS = 10_000;

export const isolationLevels = { read_uncommitted: 0, read_committed: 1 } as const;
export type IsolationLevel = keyof typeof isolationLevels;

/** Where to read on in one partition, and how much. A larger first batch comes whole. */
interface FetchTarget extends TopicPartition {
  offset: number;
  maxBytes: number;
}

interface FetchOptions {
  /** How long the broker may wait for the first byte, in milliseconds. */
  maxWait: number;
  maxBytes: number;
  isolationLevel: IsolationLevel;
}

export interface FetchedPartition extends TopicPartition {
  errorCode: number;
  highWatermark: number;
  /** The first offset of the oldest open transaction, else the high watermark. */
  lastStableOffset: number;
  /** Transactions whose records, from `firstOffset` on, end with an abort marker. */
  abortedTransactions: { producerId: bigint; firstOffset: number }[];
  /** Record batches as they are in the log, a slice of the response. The last one may be cut short. */
  records: Buffer;
}

export interface FetchResponse {
  throttleTimeMs: number;
  partitions: FetchedPartition[];
}

/** A Fetch request (v4 to v11) without a fetch session. The records are neither decoded nor copied. */
export function fetchRequest(
  targets: readonly FetchTarget[],
  { maxWait, maxBytes, isolationLevel }: FetchOptions,
): Request<FetchResponse> {
  return {
    apiKey: API_KEY,
    apiName: 'Fetch',
    highestVersion: HIGHEST_VERSION,
    expectsResponse: true,
    maxSilenceMs: maxWait + MAX_SILENCE_MS,
    encodeBody: (version) => {
      const body = new Encoder()
        .writeInt32(CONSUMER)
        .writeInt32(maxWait)
        .writeInt32(1)
        .writeInt32(maxBytes)
        .writeInt8(isolationLevels[isolationLevel]);
      // No session: the id is 0 and the epoch -1 (KIP-227).
      if (version >= 7) body.writeInt32(0).writeInt32(-1);
      writeByTopic(body, targets, (encoder, { offset, maxBytes: partitionBytes }) => {
        if (version >= 9) encoder.writeInt32(-1);
        encoder.writeInt64(offset);
        if (version >= 5) encoder.writeInt64(-1);
        return encoder.writeInt32(partitionBytes);
      });
      if (version >= 7) body.writeArray([]);
      if (version >= 11) body.writeString('');
      return [body.buffer];
    },
    decode: decodeResponse,
  };
}

function decodeResponse(payload: Buffer, version: number): FetchResponse {
  const decoder = new Decoder(payload);
  const throttleTimeMs = decoder.readInt32();
  if (version >= 7) {
    decoder.readInt16(); // error_code
    decoder.readInt32(); // session_id
  }
  const partitions = readByTopic(decoder, (topic) => decodePartition(decoder, topic, version));
  return { throttleTimeMs, partitions };
}

function decodePartition(decoder: Decoder, topic: string, version: number): FetchedPartition {
  const partition = decoder.readInt32();
  const errorCode = decoder.readInt16();
  const highWatermark = decoder.readLong();
  const lastStableOffset = decoder.readLong();
  if (version >= 5) decoder.readLong(); // log_start_offset
  const abortedTransactions = decoder.readArray(() => ({
    producerId: decoder.readInt64(),
    firstOffset: decoder.readLong(),
  }));
  if (version >= 11) decoder.readInt32(); // preferred_read_replica
  const records = decoder.readBytes() ?? Buffer.alloc(0);
  const offsets = { highWatermark, lastStableOffset };
  return { topic, partition, errorCode, ...offsets, abortedTransactions, records };
}
