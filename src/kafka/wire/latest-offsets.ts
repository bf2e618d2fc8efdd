import listOffsets from 'kafkajs/src/protocol/requests/listOffsets/index.js';
import { byTopic, type TopicPartition } from './by-topic.ts';
import { kafkajsRequest, type Request } from './request.ts';

const LATEST = -1;
const READ_UNCOMMITTED = 0;

export interface LatestOffset extends TopicPartition {
  errorCode: number;
  /** The high watermark: the offset of the next record. */
  offset: number;
}

/** The ends of partitions, asked of the broker that leads them. */
export function latestOffsetsRequest(partitions: readonly TopicPartition[]): Request<LatestOffset[]> {
  const topics = byTopic(partitions).map(([topic, asked]) => ({
    topic,
    partitions: asked.map(({ partition }) => ({ partition, timestamp: LATEST })),
  }));
  const request = kafkajsRequest(listOffsets, { isolationLevel: READ_UNCOMMITTED, topics });
  return {
    ...request,
    decode: async (payload, version) => {
      const { responses } = await request.decode(payload, version);
      return responses.flatMap(({ topic, partitions: answered }) =>
        answered.map(({ partition, errorCode, offset }) => ({
          topic,
          partition,
          errorCode,
          offset: Number(offset),
        })),
      );
    },
  };
}
