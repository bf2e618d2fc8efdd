import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

// Below every system's ephemeral range: there a client that keeps dialling a stopped broker's port could be
// given that very port as its own, and the broker could not come back to it.
const FIRST_PORT = 15_000;
const LAST_PORT = 32_000;

/** `count` different ports on 127.0.0.1 that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  try {
    for (let attempts = 0; held.size < count; attempts += 1) {
      if (attempts > count + 1000) throw new Error(`No ${count} free ports on 127.0.0.1`);
      const port = randomInt(FIRST_PORT, LAST_PORT);
      if (held.has(port)) continue;
      const server = await listen(port);
      if (server) held.set(port, server);
    }
    return [...held.keys()];
  } finally {
    await Promise.all([...held.values()].map((server) => new Promise((done) => server.close(done))));
  }
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
