import { Decoder } from './decoder.ts';
import type { Request } from './request.ts';

/** An API that a broker speaks, and in which versions. */
export interface ApiVersion {
  apiKey: number;
  minVersion: number;
  maxVersion: number;
}

/** Every Kafka answers this request before the login, in this version. It also proves that a connection is alive. */
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

/** Reads the body of the response, without length and correlation id; undefined where it is something else. */
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
