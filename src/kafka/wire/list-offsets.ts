import Encoder from 'kafkajs/src/protocol/encoder.js';
import { readByTopic, type TopicPartition, writeByTopic } from './by-topic.ts';
import { Decoder } from './decoder.ts';
import { type IsolationLevel, isolationLevels } from './fetch.ts';
import type { PartitionError } from './offset-commit.ts';
import type { Request } from './request.ts';

/** Special timestamps: where a log begins, and where it ends. */
const timestamps = { latest: -1, earliest: -2 } as const;
/** A place in a log: its beginning, its end, or a time (epoch milliseconds). */
export type LogEnd = keyof typeof timestamps | number;

const CONSUMER = -1;

interface ListedOffset extends PartitionError {
  offset: number;
}

/**
 * A ListOffsets request (v2 and v3) to the partitions' leader. The latest offset is the high watermark, or under
 * read_committed the last stable offset. For a time it is the first record that is not older, -1 where there is none.
 */
export function listOffsetsRequest(
  partitions: readonly TopicPartition[],
  end: LogEnd,
  isolationLevel: IsolationLevel,
): Request<ListedOffset[]> {
  const timestamp = typeof end === 'number' ? end : timestamps[end];
  return {
    apiKey: 2,
    apiName: 'ListOffsets',
    highestVersion: 3,
    expectsResponse: true,
    encodeBody: () => {
      const body = new Encoder().writeInt32(CONSUMER).writeInt8(isolationLevels[isolationLevel]);
      return [writeByTopic(body, partitions, (encoder) => encoder.writeInt64(timestamp)).buffer];
    },
    decode: (payload) => {
      const decoder = new Decoder(payload);
      decoder.readInt32(); // throttle_time_ms
      return readByTopic(decoder, (topic) => {
        const partition = decoder.readInt32();
        const errorCode = decoder.readInt16();
        decoder.readLong(); // timestamp
        return { topic, partition, errorCode, offset: decoder.readLong() };
      });
    },
  };
}
