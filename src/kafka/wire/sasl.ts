import Encoder from 'kafkajs/src/protocol/encoder.js';
import { Decoder } from './decoder.ts';
import type { Request } from './request.ts';

/** The broker's answer to a mechanism: an error code, and the mechanisms that it takes. */
interface SaslHandshake {
  errorCode: number;
  mechanisms: string[];
}

/** The broker's answer to one step of a login. */
export interface SaslStep {
  errorCode: number;
  errorMessage: string | null;
  bytes: Buffer;
  /** After this long the broker wants another login; 0: never. */
  lifetimeMs: number;
}

/** A SaslHandshake request (v1). It names the mechanism of the requests that follow, and logs nobody in. */
export function saslHandshakeRequest(mechanism: string): Request<SaslHandshake> {
  return {
    apiKey: 17,
    apiName: 'SaslHandshake',
    highestVersion: 1,
    expectsResponse: true,
    encodeBody: () => [new Encoder().writeString(mechanism).buffer],
    decode(payload) {
      const decoder = new Decoder(payload);
      const errorCode = decoder.readInt16();
      return { errorCode, mechanisms: decoder.readArray(() => decoder.readString() ?? '') };
    },
  };
}

/** A SaslAuthenticate request (v0 and v1): one message of the mechanism. */
export function saslAuthenticateRequest(bytes: Buffer): Request<SaslStep> {
  return {
    apiKey: 36,
    apiName: 'SaslAuthenticate',
    highestVersion: 1,
    expectsResponse: true,
    encodeBody: () => [new Encoder().writeBytes(bytes).buffer],
    decode(payload, version) {
      const decoder = new Decoder(payload);
      return {
        errorCode: decoder.readInt16(),
        errorMessage: decoder.readString(),
        bytes: decoder.readBytes() ?? Buffer.alloc(0),
        lifetimeMs: version >= 1 ? decoder.readLong() : 0,
      };
    },
  };
}
