import net, { type Socket } from 'node:net';
import { remaining } from '../../../src/deadline.ts';
import type { Fault } from '../faults.ts';

/** A TCP connection, or why there is none. */
export type Dialled =
  | { socket: Socket; ms: number }
  | { socket?: undefined; fault: Fault; detail: string; ms: number };

/** The kernel's errors for a connection attempt. */
const faultsByCode: Record<string, Fault> = {
  ECONNREFUSED: 'TCP_REFUSED',
  ETIMEDOUT: 'TCP_TIMEOUT',
  EHOSTUNREACH: 'TCP_UNREACHABLE',
  // A route that prohibits; a route that says nothing gives EINVAL.
  EACCES: 'TCP_UNREACHABLE',
  EPERM: 'TCP_UNREACHABLE',
  ENETUNREACH: 'TCP_NO_ROUTE',
  EINVAL: 'TCP_NO_ROUTE',
  EADDRNOTAVAIL: 'TCP_NO_ROUTE',
  ECONNRESET: 'TCP_RESET',
};

/** How long to wait, and where every socket of a run is kept, so that none outlives it. */
export interface DialOptions {
  deadline: number;
  sockets: Set<Socket>;
}

/** Connects to one IP address. At the deadline it is a time-out. */
export function dial(ip: string, port: number, { deadline, sockets }: DialOptions): Promise<Dialled> {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  return new Promise((resolve) => {
    const socket = net.connect({ host: ip, port, noDelay: true });
    sockets.add(socket);
    // Destroyed at the deadline or at the end of the run.
    const timer = setTimeout(() => socket.destroy(), remaining(deadline));
    socket.once('close', () => {
      clearTimeout(timer);
      sockets.delete(socket);
      const detail = `no answer to SYN within ${Math.round(elapsed())} ms`;
      resolve({ fault: 'TCP_TIMEOUT', detail, ms: elapsed() });
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const code = error.code ?? error.message;
      resolve({ fault: faultsByCode[code] ?? 'TCP_UNREACHABLE', detail: code, ms: elapsed() });
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve({ socket, ms: elapsed() });
    });
  });
}
