import Encoder from 'kafkajs/src/protocol/encoder.js';
import { Decoder } from './decoder.ts';
import type { Request } from './request.ts';

const kinds = { group: 0, transaction: 1 } as const;

/** What a broker coordinates: a group, or a transactional id. */
export type CoordinatorKind = keyof typeof kinds;

interface FoundCoordinator {
  errorCode: number;
  nodeId: number;
  host: string;
  port: number;
}

/** A FindCoordinator request (v1 and v2). The error code says why there is none. */
export function findCoordinatorRequest(kind: CoordinatorKind, key: string): Request<FoundCoordinator> {
  return {
    apiKey: 10,
    apiName: 'FindCoordinator',
    highestVersion: 2,
    expectsResponse: true,
    encodeBody: () => [new Encoder().writeString(key).writeInt8(kinds[kind]).buffer],
    decode: (payload) => {
      const decoder = new Decoder(payload);
      decoder.readInt32(); // throttle_time_ms
      const errorCode = decoder.readInt16();
      decoder.readString(); // error_message
      return {
        errorCode,
        nodeId: decoder.readInt32(),
        host: decoder.readString() ?? '',
        port: decoder.readInt32(),
      };
    },
  };
}
