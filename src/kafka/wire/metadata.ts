import Encoder from 'kafkajs/src/protocol/encoder.js';
import { Decoder } from './decoder.ts';
import { NOT_SAID, type Operation, readOperations } from './operations.ts';
import type { Request } from './request.ts';

/** v8 is the first version that lists the user's permissions, and the last before tagged fields. */
const HIGHEST_VERSION = 8;
const LOWEST_VERSION = 5;
const API_KEY = 3;
/** Ten times as many as the largest clusters have. */
const MAX_BROKERS = 10_000;

interface MetadataBroker {
  nodeId: number;
  host: string;
  port: number;
  rack: string | null;
}

export interface MetadataPartition {
  partition: number;
  /** Node id; -1 while there is no leader. */
  leader: number;
  /** Grows with each new leader; -1 where the broker is too old to say (before Kafka 2.1). */
  leaderEpoch: number;
  replicas: number[];
  isr: number[];
}

export interface MetadataTopic {
  errorCode: number;
  name: string;
  isInternal: boolean;
  /** Partition 0 first. */
  partitions: MetadataPartition[];
  /** Undefined where the broker is too old to say (before Kafka 2.3). */
  operations: Operation[] | undefined;
}

export interface MetadataResponse {
  brokers: MetadataBroker[];
  clusterId: string | null;
  controllerId: number;
  topics: MetadataTopic[];
  operations: Operation[] | undefined;
}

/**
 * A Metadata request (v5 to v8) for all topics or the named ones; an empty list asks for the brokers alone. It
 * creates no topic, and asks for the user's permissions.
 */
export function metadataRequest(topics: readonly string[] | 'all'): Request<MetadataResponse> {
  return {
    apiKey: API_KEY,
    apiName: 'Metadata',
    lowestVersion: LOWEST_VERSION,
    highestVersion: HIGHEST_VERSION,
    expectsResponse: true,
    isQuestion: true,
    encodeBody: (version) => {
      const body = new Encoder();
      if (topics === 'all') body.writeInt32(-1);
      else body.writeArray(topics.map((topic) => new Encoder().writeString(topic)));
      body.writeBoolean(false);
      if (version >= 8) body.writeBoolean(true).writeBoolean(true);
      return [body.buffer];
    },
    decode: decodeResponse,
  };
}

/**
 * A Metadata request for all topics that this user may see. A cluster may have a million partitions, so each goes to
 * `onPartition` and none is kept.
 */
export function allTopicsRequest(
  onPartition: (partition: MetadataPartition) => void = () => {},
): Request<MetadataResponse> {
  return {
    ...metadataRequest('all'),
    decode: (payload, version) => decodeResponse(payload, version, onPartition),
  };
}

function decodeResponse(
  payload: Buffer,
  version: number,
  onPartition?: (partition: MetadataPartition) => void,
): MetadataResponse {
  const decoder = new Decoder(payload);
  const operations = () => readOperations(version >= 8 ? decoder.readInt32() : NOT_SAID);
  const partitions = (): MetadataPartition[] => {
    if (!onPartition) return inOrder(decoder.readArray(() => decodePartition(decoder, version)));
    decoder.readArray(() => onPartition(decodePartition(decoder, version)));
    return [];
  };
  decoder.readInt32(); // throttle_time_ms
  return {
    brokers: decoder.readArray(
      () => ({
        nodeId: decoder.readInt32(),
        host: decoder.readString() ?? '',
        port: decoder.readInt32(),
        rack: decoder.readString(),
      }),
      MAX_BROKERS,
    ),
    clusterId: decoder.readString(),
    controllerId: decoder.readInt32(),
    topics: decoder.readArray(() => ({
      errorCode: decoder.readInt16(),
      name: decoder.readString() ?? '',
      isInternal: decoder.readBoolean(),
      partitions: partitions(),
      operations: operations(),
    })),
    operations: operations(),
  };
}

/** Kafka lists partitions in any order. Throws a RangeError unless they are numbered from 0 without a gap. */
function inOrder(partitions: MetadataPartition[]): MetadataPartition[] {
  const sorted = partitions.sort((a, b) => a.partition - b.partition);
  const wrong = sorted.find(({ partition }, at) => partition !== at);
  if (wrong) throw new RangeError(`partition ${wrong.partition} is one of ${partitions.length}`);
  return sorted;
}

function decodePartition(decoder: Decoder, version: number): MetadataPartition {
  decoder.readInt16(); // error_code
  const nodes = () => decoder.readArray(() => decoder.readInt32());
  const described = {
    partition: decoder.readInt32(),
    leader: decoder.readInt32(),
    leaderEpoch: version >= 7 ? decoder.readInt32() : -1,
    replicas: nodes(),
    isr: nodes(),
  };
  nodes(); // offline_replicas
  return described;
}
