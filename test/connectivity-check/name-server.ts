import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const NO_ERROR = 0;
const SERVER_FAILURE = 2;
const NAME_ERROR = 3;
const REFUSED = 5;
const A = 1;

/** A name server for `127.0.0.1:53` that has a name for each way of failing; all others do not exist. */
export async function startNameServer(addresses: Record<string, string>): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const { name, type, end } = question(query);
    if (name === 'silent.test') return;
    const ip = addresses[name];
    const codes: Record<string, number> = { 'servfail.test': SERVER_FAILURE, 'refused.test': REFUSED };
    const code = codes[name] ?? (ip !== undefined || name === 'nodata.test' ? NO_ERROR : NAME_ERROR);
    const answers = ip !== undefined && type === A ? [record(ip)] : [];
    socket.send(answer(query.subarray(0, end), code, answers), port, address);
  });
  socket.bind(53, '127.0.0.1');
  await once(socket, 'listening');
  socket.unref();
}

function question(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** Header, the question as it came, and the answers (RFC 1035, section 4). */
function answer(query: Buffer, code: number, answers: readonly Buffer[]): Buffer {
  const head = Buffer.from(query);
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(answers.length, 6);
  head.writeUInt32BE(0, 8);
  return Buffer.concat([head, ...answers]);
}

function record(ip: string): Buffer {
  const fixed = Buffer.from([0xc0, 12, 0, A, 0, 1, 0, 0, 0, 60, 0, 4]);
  return Buffer.concat([fixed, Buffer.from(ip.split('.').map(Number))]);
}
