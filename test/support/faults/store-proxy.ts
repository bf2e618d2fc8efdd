/** An HTTP proxy before an object store that misbehaves on demand, as stores, networks and killed callers do. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { listening } from '../http.ts';

export interface StoreRequest {
  method: string;
  /** Percent-encoded. */
  path: string;
  /** From 1, counted by method. */
  number: number;
}

/**
 * `pass`; `never`: the store doesn't see the request, and nobody answers; `half`: it sees half of the body, then its
 * connection ends; `no answer`: it does what it is asked, and nobody says so; or an answer in the store's place.
 */
export type StoreFault = 'pass' | 'never' | 'half' | 'no answer' | { status: number; code?: string };

export interface StoreProxy {
  url: string;
  requests: StoreRequest[];
  /** Decides on each request once its body is there. It may wait. */
  onRequest: (request: StoreRequest) => StoreFault | Promise<StoreFault>;
  /** Called when the store has answered, before the answer is passed on. */
  onAnswer: (request: StoreRequest) => void | Promise<void>;
}

export async function startStoreProxy({ host, port }: { host: string; port: number }): Promise<StoreProxy> {
  const proxy: StoreProxy = { url: '', requests: [], onRequest: () => 'pass', onAnswer: () => {} };
  const handle = async (incoming: IncomingMessage, response: ServerResponse) => {
    const { method = '', url: path = '', headers } = incoming;
    // A caller that is killed in the middle of its request has asked for nothing.
    const body = await buffer(incoming).catch(() => undefined);
    if (body === undefined) return;
    const number = proxy.requests.filter((known) => known.method === method).length + 1;
    const asked = { method, path, number };
    proxy.requests.push(asked);
    const fault = await proxy.onRequest(asked);
    if (fault === 'never') return;
    if (typeof fault === 'object') {
      response.writeHead(fault.status).end(fault.code ? `<Error><Code>${fault.code}</Code></Error>` : '');
      return;
    }
    const forwarded = request({ host, port, method, path, headers }, async (answer) => {
      const text = await buffer(answer);
      await proxy.onAnswer(asked);
      if (fault === 'no answer') return;
      response.writeHead(answer.statusCode ?? 502, answer.headers).end(text);
    });
    forwarded.on('error', () => {});
    if (fault !== 'half') forwarded.end(body);
    else forwarded.write(body.subarray(0, body.length / 2), () => forwarded.destroy());
  };
  const server = createServer((incoming, response) => void handle(incoming, response));
  proxy.url = `http://127.0.0.1:${await listening(server)}`;
  return proxy;
}
