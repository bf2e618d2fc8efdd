import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { array, int16, int32, string } from '../../local/kafka/wire.ts';
import { NOT_SAID } from '../../src/kafka/wire/operations.ts';
import { FrameSplitter, toFrame } from '../faults/flow.ts';

const METADATA = 3;
const API_VERSIONS = 18;

/** Says ApiVersions and Metadata as a broker would, and advertises one broker wherever it is told to. */
export async function startSketchBroker(advertised: { host: string; port: number }, listen = '127.0.0.1') {
  const server = createServer((socket) => {
    const splitter = new FrameSplitter();
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const frame of splitter.push(bytes).frames) {
        const body = frame.readInt16BE(0) === METADATA ? metadata(advertised) : apiVersions();
        socket.write(toFrame(Buffer.concat([frame.subarray(4, 8), body])));
      }
    });
  });
  server.listen(0, listen);
  await once(server, 'listening');
  server.unref();
  return { port: (server.address() as AddressInfo).port };
}

function apiVersions(): Buffer {
  const api = (key: number, highest: number) => Buffer.concat([int16(key), int16(0), int16(highest)]);
  return Buffer.concat([int16(0), array([api(METADATA, 8), api(API_VERSIONS, 2)])]);
}

/** Version 8: throttle time, brokers, cluster, controller, no topics, what the user may do. */
function metadata({ host, port }: { host: string; port: number }): Buffer {
  const broker = Buffer.concat([int32(1), string(host), int32(port), string(null)]);
  return Buffer.concat([int32(0), array([broker]), string('sketch'), int32(1), array([]), int32(NOT_SAID)]);
}
