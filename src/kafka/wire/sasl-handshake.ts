import Decoder from 'kafkajs/src/protocol/decoder.js';
import { readBoundedArray } from './bounded-array.ts';
import { frame } from './request.ts';

const API_KEY = 17;

/** What a broker says to a mechanism: its error code, and the mechanisms it would take. */
export interface SaslHandshake {
  errorCode: number;
  mechanisms: string[];
}

/** Asks for a mechanism without authenticating; kafkajs asks too, but drops the list that comes with a refusal. */
export function saslHandshakeFrame(correlationId: number, clientId: string, mechanism: string): Buffer {
  const name = Buffer.from(mechanism);
  const length = Buffer.alloc(2);
  length.writeInt16BE(name.length);
  return Buffer.concat(frame({ apiKey: API_KEY }, { version: 1, correlationId, clientId }, [length, name]));
}

/** The body of the answer, without length and correlation id; undefined where it is none. */
export function readSaslHandshake(payload: Buffer): SaslHandshake | undefined {
  try {
    const decoder = new Decoder(payload);
    return {
      errorCode: decoder.readInt16(),
      mechanisms: readBoundedArray(decoder, payload, () => decoder.readString() ?? ''),
    };
  } catch {
    return undefined;
  }
}
