import Encoder from 'kafkajs/src/protocol/encoder.js';
import { readByTopic, type TopicPartition, writeByTopic } from './by-topic.ts';
import { Decoder } from './decoder.ts';
import type { PartitionError } from './offset-commit.ts';
import type { Request } from './request.ts';

const CONSUMER = -1;
const ANY_LEADER = -1;

interface LeaderEpoch extends TopicPartition {
  leaderEpoch: number;
}

/** The end of a leader epoch's records in the log. */
interface EpochEnd extends PartitionError {
  /** -1: the log knows neither this epoch nor a later one. */
  endOffset: number;
}

/**
 * An OffsetForLeaderEpoch request (v3, the first for consumers; KIP-320) to the partitions' leader. For brokers
 * before 2.3, no epoch counts as ended.
 */
export function epochEndsRequest(epochs: readonly LeaderEpoch[]): Request<EpochEnd[]> {
  return {
    apiKey: 23,
    apiName: 'OffsetForLeaderEpoch',
    lowestVersion: 3,
    highestVersion: 3,
    expectsResponse: true,
    isQuestion: true,
    unspoken: { answer: epochs.map((epoch) => ({ ...epoch, errorCode: 0, endOffset: Infinity })) },
    encodeBody: () => [
      writeByTopic(new Encoder().writeInt32(CONSUMER), epochs, (encoder, { leaderEpoch }) =>
        encoder.writeInt32(ANY_LEADER).writeInt32(leaderEpoch),
      ).buffer,
    ],
    decode: (payload) => {
      const decoder = new Decoder(payload);
      decoder.readInt32(); // throttle_time_ms
      return readByTopic(decoder, (topic) => {
        const errorCode = decoder.readInt16();
        const partition = decoder.readInt32();
        decoder.readInt32(); // leader_epoch: the one asked for, or the one before it
        return { topic, partition, errorCode, endOffset: decoder.readLong() };
      });
    },
  };
}
