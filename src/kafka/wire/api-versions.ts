import { Decoder } from './decoder.ts';
import type { Request } from './request.ts';

/** An API that a broker speaks, and in which versions. */
export interface ApiVersion {
  apiKey: number;
  minVersion: number;
  maxVersion: number;
}

/**
 * The one request that every Kafka answers before anybody is authenticated, in the one version that all of
 * them have spoken. It serves as proof of life, too.
 */
export function apiVersionsRequest(): Request<ApiVersion[]> {
  return {
    apiKey: 18,
    apiName: 'ApiVersions',
    highestVersion: 0,
    expectsResponse: true,
    encodeBody: () => [],
    decode: decodeApiVersions,
  };
}

/** The body of the answer, without length and correlation id; undefined where it is none. */
export function readApiVersions(payload: Buffer): ApiVersion[] | undefined {
  try {
    return decodeApiVersions(payload);
  } catch {
    return undefined;
  }
}

function decodeApiVersions(payload: Buffer): ApiVersion[] {
  const decoder = new Decoder(payload);
  const errorCode = decoder.readInt16();
  if (errorCode !== 0) throw new RangeError(`ApiVersions is answered with error ${errorCode}`);
  return decoder.readArray(() => ({
    apiKey: decoder.readInt16(),
    minVersion: decoder.readInt16(),
    maxVersion: decoder.readInt16(),
  }));
}
