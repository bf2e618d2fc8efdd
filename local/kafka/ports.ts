import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';

// Below every system's ephemeral range. Within that range a client that keeps dialling a stopped broker's port could
// get this port as its own, and the broker could not come back to it.
const FIRST_PORT = 15_000;
const LAST_PORT = 32_000;

/**
 * `count` free ports on 127.0.0.1. As long as this process lives, no other process gets them from this function, so a
 * stopped broker finds its ports free when it comes back. A UDP socket on the same number marks a port as taken; the
 * system closes it with the process, however that ends.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let attempts = 0; ports.length < count; attempts += 1) {
    if (attempts > count + 1000) throw new Error(`No ${count} free ports on 127.0.0.1`);
    const port = randomInt(FIRST_PORT, LAST_PORT);
    const mark = await markAsTaken(port);
    if (!mark) continue;
    if (await areFree([port])) ports.push(port);
    else mark.close();
  }
  return ports;
}

function markAsTaken(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(undefined));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      socket.unref();
      resolve(socket);
    });
  });
}

/** Whether a server could listen on 127.0.0.1 at each of these ports now. */
export async function areFree(ports: readonly number[]): Promise<boolean> {
  const servers = await Promise.all(ports.map(listen));
  await Promise.all(servers.map((server) => server && new Promise((done) => server.close(done))));
  return servers.every((server) => server !== undefined);
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}
