import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after } from 'node:test';

/** Lets an HTTP server listen on loopback until the test, or the file, is over; tells its port. */
export async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

export interface Post {
  headers: IncomingHttpHeaders;
  text: string;
  records: {
    partition: number;
    offset: number;
    topic?: string;
    key: unknown;
    value: unknown;
    headers: unknown[];
  }[];
}

export type Reply = { status: number; headers?: OutgoingHttpHeaders; body?: unknown } | 'hang' | 'reset';

/** A receiver for the http sink, which keeps each post; `reply` says how the one of that number is answered. */
export async function startReceiver(reply: (post: Post, number: number) => Reply = () => ({ status: 200 })) {
  const posts: Post[] = [];
  const connections = new Set<unknown>();
  const server = createServer(async (request, response) => {
    connections.add(request.socket);
    // A sender that is killed in the middle of its request has posted nothing.
    const body = await text(request).catch(() => undefined);
    if (body === undefined) return;
    const post = { headers: request.headers, text: body, records: JSON.parse(body).records };
    posts.push(post);
    const answer = reply(post, posts.length);
    if (answer === 'hang') return;
    if (answer === 'reset') return void request.socket.resetAndDestroy();
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  });
  const url = `http://127.0.0.1:${await listening(server)}/in`;
  return { posts, connections, url, sink: { name: 'http', url, headers: {}, format: 'json' } as const };
}
