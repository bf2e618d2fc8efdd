import { connect } from 'node:net';
import { Decoder } from '../../src/kafka/wire/decoder.ts';

const CLIENT_ID = 'embedded-kafka';
const ANSWER_WITHIN_MS = 5_000;

export interface Request {
  apiKey: number;
  apiVersion: number;
  body: Buffer;
  /** Versions with compact types have a different header. */
  flexible?: boolean;
}

/**
 * One request to one broker over PLAINTEXT, and the body of its answer. The cluster is set up without the connections
 * of the client under test, so that its caches, retries and faults don't affect the set-up. Rejects if the connection
 * fails or no answer comes within 5 s.
 */
export function call(
  port: number,
  { apiKey, apiVersion, body, flexible = false }: Request,
): Promise<Decoder> {
  const tags = flexible ? [int8(0)] : [];
  const header = [int16(apiKey), int16(apiVersion), int32(0), string(CLIENT_ID), ...tags];
  const frame = Buffer.concat([...header, body]);
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const chunks: Buffer[] = [];
    socket.setTimeout(ANSWER_WITHIN_MS, () =>
      socket.destroy(new Error(`No answer from 127.0.0.1:${port} within ${ANSWER_WITHIN_MS} ms`)),
    );
    socket.on('connect', () => socket.write(Buffer.concat([int32(frame.length), frame])));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      const received = Buffer.concat(chunks);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      socket.destroy();
      resolve(new Decoder(received.subarray(flexible ? 9 : 8)));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`127.0.0.1:${port} closed the connection without an answer`)));
  });
}

export function int8(value: number): Buffer {
  return Buffer.from([value]);
}

export function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

export function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

export function string(value: string | null): Buffer {
  if (value === null) return int16(-1);
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}

export function array(entries: readonly Buffer[]): Buffer {
  return Buffer.concat([int32(entries.length), ...entries]);
}

export function compactBytes(value: Buffer): Buffer {
  return Buffer.concat([varint(value.length + 1), value]);
}

export function compactArray(entries: readonly Buffer[]): Buffer {
  return Buffer.concat([varint(entries.length + 1), ...entries]);
}

function varint(value: number): Buffer {
  return value < 0x80
    ? int8(value)
    : Buffer.concat([Buffer.from([(value & 0x7f) | 0x80]), varint(value >>> 7)]);
}
