import { isIP, type Socket } from 'node:net';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import { remaining } from '../../../src/deadline.ts';

/** How a failed handshake ended, and how many bytes had come. */
export interface HandshakeFailure {
  how: 'alert' | 'closed' | 'reset' | 'silent';
  code: string;
  bytesRead: number;
}

/** TLS with any certificate. Send no credential over it before the certificate is judged. */
export function shake(
  raw: Socket,
  options: ConnectionOptions,
  deadline: number,
): Promise<TLSSocket | HandshakeFailure> {
  return new Promise((resolve) => {
    const socket = tls.connect({ ...options, socket: raw, rejectUnauthorized: false });
    const settle = (how: HandshakeFailure['how'], code: string) => {
      clearTimeout(timer);
      resolve({ how, code, bytesRead: raw.bytesRead });
    };
    const timer = setTimeout(() => settle('silent', 'timeout'), remaining(deadline));
    // A FIN reaches the TLS socket as an error of Node's own, a reset as the kernel's.
    raw.once('end', () => settle('closed', 'FIN'));
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? error.message;
      const isReset = code === 'ECONNRESET' && !error.message.includes('before secure TLS connection');
      settle(isReset ? 'reset' : code === 'ECONNRESET' ? 'closed' : 'alert', code);
    });
    socket.once('close', () => settle('closed', 'FIN'));
  });
}

/** The options for a client of this host, which names it where it is not an address. */
export function optionsFor(host: string, options: ConnectionOptions): ConnectionOptions {
  return { ...options, host, ...(isIP(host) ? {} : { servername: host }) };
}
