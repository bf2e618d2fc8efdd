import Encoder from 'kafkajs/src/protocol/encoder.js';
import type { Request } from './request.ts';

const API_KEY = 18;
/** The first version with tagged fields (Kafka 2.4). Before, every large request has an effect. */
const FIRST_FLEXIBLE_VERSION = 3;
/** More than the largest packet of any network, jumbo frames included. */
const SIZE = 16 * 1024;
const UNKNOWN_TAG = 1_000;

/**
 * A request of 16 KB without effect: ApiVersions with an unknown tagged field, which every broker has to skip
 * (KIP-482). Older brokers get an empty request.
 */
export function largeRequest(): Request<undefined> {
  return {
    apiKey: API_KEY,
    apiName: 'ApiVersions',
    highestVersion: FIRST_FLEXIBLE_VERSION,
    expectsResponse: true,
    encodeBody: (version) => (version < FIRST_FLEXIBLE_VERSION ? [] : [beforeField(), Buffer.alloc(SIZE)]),
    decode: () => undefined,
  };
}

function beforeField(): Buffer {
  return (
    new Encoder()
      // The first byte ends the request's header.
      .writeUVarInt(0)
      .writeUVarIntString('kafka-functions')
      .writeUVarIntString('1')
      .writeUVarInt(1)
      .writeUVarInt(UNKNOWN_TAG)
      .writeUVarInt(SIZE).buffer
  );
}
