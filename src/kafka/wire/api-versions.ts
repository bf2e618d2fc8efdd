import Decoder from 'kafkajs/src/protocol/decoder.js';
import { readBoundedArray } from './bounded-array.ts';
import { frame } from './request.ts';

const API_KEY = 18;

/** An API that a broker speaks, and in which versions. */
export interface ApiVersion {
  apiKey: number;
  minVersion: number;
  maxVersion: number;
}

/**
 * The one request that every Kafka answers, in the one version that all of them have spoken, and before
 * anybody is authenticated. What a broker makes of `clientId` can't be refused, so its length is free.
 */
export function apiVersionsFrame(correlationId: number, clientId: string): Buffer {
  return Buffer.concat(frame({ apiKey: API_KEY }, { version: 0, correlationId, clientId }, []));
}

/** The body of the answer, without length and correlation id; undefined where it is none. */
export function readApiVersions(payload: Buffer): ApiVersion[] | undefined {
  try {
    const decoder = new Decoder(payload);
    if (decoder.readInt16() !== 0) return undefined;
    return readBoundedArray(decoder, payload, () => ({
      apiKey: decoder.readInt16(),
      minVersion: decoder.readInt16(),
      maxVersion: decoder.readInt16(),
    }));
  } catch {
    return undefined;
  }
}
