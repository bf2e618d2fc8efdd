/** As much of a Kafka broker as a test draws: it answers the requests that it is told to, and keeps all of them. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { array, int16, int32, string } from '../../../local/kafka/wire.ts';
import { NOT_SAID } from '../../../src/kafka/wire/operations.ts';
import { FrameSplitter, toFrame } from './flow.ts';

export const METADATA = 3;
export const SASL_HANDSHAKE = 17;
export const API_VERSIONS = 18;
export const SASL_AUTHENTICATE = 36;

/** The body of an answer; undefined: none is given. `body` is the request's, behind its header of version 1. */
export type Answer = (body: Buffer, version: number) => Buffer | undefined;

export interface SketchBroker {
  readonly port: number;
  /** The API keys of the requests that have come, in their order. */
  readonly requests: readonly number[];
  close(): Promise<void>;
}

export interface SketchOptions {
  /** By API key. ApiVersions is answered with these keys, up to their versions, unless it is among them. */
  answers: Readonly<Record<number, Answer>>;
  tls?: TlsOptions;
  listen?: string;
}

/** The versions that the sketch claims to speak. */
const highestVersions: Record<number, number> = {
  [METADATA]: 8,
  [SASL_HANDSHAKE]: 1,
  [SASL_AUTHENTICATE]: 1,
};

export async function startSketchBroker({
  answers,
  tls,
  listen = '127.0.0.1',
}: SketchOptions): Promise<SketchBroker> {
  const all: SketchOptions['answers'] = {
    [API_VERSIONS]: () => apiVersions(Object.keys(answers)),
    ...answers,
  };
  const requests: number[] = [];
  const sockets = new Set<Socket>();
  const serve = (socket: Socket) => {
    const splitter = new FrameSplitter();
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const frame of splitter.push(bytes).frames) {
        const apiKey = frame.readInt16BE(0);
        requests.push(apiKey);
        const body = all[apiKey]?.(frame.subarray(10 + frame.readInt16BE(8)), frame.readInt16BE(2));
        if (body) socket.write(toFrame(Buffer.concat([frame.subarray(4, 8), body])));
      }
    });
  };
  const server = tls ? createTlsServer(tls, serve) : createServer(serve);
  server.listen(0, listen);
  await once(server, 'listening');
  server.unref();
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function apiVersions(apiKeys: readonly string[]): Buffer {
  const api = (key: number) => Buffer.concat([int16(key), int16(0), int16(highestVersions[key] ?? 0)]);
  // The last four bytes are the throttle time of version 1; version 0 ends before them.
  return Buffer.concat([int16(0), array([...apiKeys.map(Number), API_VERSIONS].map(api)), int32(0)]);
}

/** Metadata of one broker, wherever it is, and no topics (version 8). */
export function oneBroker({ host, port }: { host: string; port: number }): Buffer {
  const broker = Buffer.concat([int32(1), string(host), int32(port), string(null)]);
  return Buffer.concat([int32(0), array([broker]), string('sketch'), int32(1), array([]), int32(NOT_SAID)]);
}
