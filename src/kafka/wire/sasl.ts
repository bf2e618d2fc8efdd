import Encoder from 'kafkajs/src/protocol/encoder.js';
import { Decoder } from './decoder.ts';
import type { Request } from './request.ts';

/** What a broker says to a mechanism: its error code, and the mechanisms it would take. */
interface SaslHandshake {
  errorCode: number;
  mechanisms: string[];
}

/** One step of a login, as the broker answers it. */
export interface SaslStep {
  errorCode: number;
  errorMessage: string | null;
  bytes: Buffer;
  /** After this long the broker wants another login; 0: never. */
  lifetimeMs: number;
}

/**
 * A SaslHandshake request (v1): it names the mechanism of the requests that follow, and logs nobody in.
 * kafkajs has it too, but drops the list of mechanisms that comes with a refusal.
 */
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

/** A SaslAuthenticate request (v0 and v1): one message of the mechanism's own protocol. */
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
