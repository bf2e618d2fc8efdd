import type { Socket } from 'node:net';
import { remaining } from '../../../src/deadline.ts';
import { MAX_BYTES_BEFORE_LOGIN } from '../../../src/kafka/connection/frames.ts';

const MAX_FOREIGN = 256;

/** The answer to one Kafka request on a socket of ours. */
export type Answer =
  /** The body of a Kafka frame with our correlation id. */
  | { kind: 'kafka'; body: Buffer }
  /** Bytes that are not Kafka. */
  | { kind: 'foreign'; bytes: Buffer }
  /** FIN. */
  | { kind: 'closed'; bytes: Buffer }
  | { kind: 'failed'; code: string; bytes: Buffer }
  | { kind: 'silent'; bytes: Buffer };

/**
 * Sends one request and reads until its answer, something that can't be one, or the end. A Kafka connection is left
 * without our listeners, so that it can be passed on. In every other case the socket is destroyed.
 */
export function exchange(socket: Socket, request: Buffer, deadline: number): Promise<Answer> {
  const correlationId = request.readInt32BE(8);
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0);
    const settle = (answer: Answer) => {
      clearTimeout(timer);
      socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onEnd);
      if (answer.kind !== 'kafka') socket.on('error', () => {}).destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => settle({ kind: 'silent', bytes }), remaining(deadline));
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const answer = read(bytes, correlationId);
      if (answer) settle(answer);
    };
    const onEnd = () => settle({ kind: 'closed', bytes });
    const onError = (error: NodeJS.ErrnoException) =>
      settle({ kind: 'failed', code: error.code ?? error.message, bytes });
    socket.on('data', onData).on('end', onEnd).on('error', onError).on('close', onEnd);
    socket.write(request);
  });
}

function read(bytes: Buffer, correlationId: number): Answer | undefined {
  if (bytes.length < 4) return undefined;
  const length = bytes.readInt32BE(0);
  if (length < 4 || length > MAX_BYTES_BEFORE_LOGIN)
    return { kind: 'foreign', bytes: bytes.subarray(0, MAX_FOREIGN) };
  if (bytes.length >= 8 && bytes.readInt32BE(4) !== correlationId) {
    return { kind: 'foreign', bytes: bytes.subarray(0, MAX_FOREIGN) };
  }
  return bytes.length < 4 + length ? undefined : { kind: 'kafka', body: bytes.subarray(8, 4 + length) };
}

/** The protocol that these first bytes belong to. */
export function languageOf(bytes: Buffer): 'tls' | 'http' | 'ssh' | 'smtp' | 'unknown' {
  // A TLS alert or handshake record, of any version (RFC 8446, section 5.1).
  if ((bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 3) return 'tls';
  const text = bytes.toString('latin1');
  if (/^HTTP\/\d|^<(!doctype )?html/i.test(text)) return 'http';
  if (text.startsWith('SSH-')) return 'ssh';
  // FTP greets with 220 as well.
  if (/^220[ -].*(smtp|mail|postfix|exim)/i.test(text)) return 'smtp';
  return 'unknown';
}

/** The first bytes for a reader, as evidence: as text if possible, else in hexadecimal. */
export function quote(bytes: Buffer): string {
  const text =
    bytes
      .subarray(0, 40)
      .toString('latin1')
      .split(/[\r\n]/, 1)[0] ?? '';
  return /^[\x20-\x7e]{3,}$/.test(text) ? `"${text}"` : bytes.subarray(0, 16).toString('hex');
}
