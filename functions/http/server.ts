import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { HttpConfig } from '../../src/config.ts';
import { Failure, toFailure } from '../../src/errors.ts';
import { failureResponse, type HttpRequest, type HttpResponse } from '../../src/http.ts';
import { checkApiKey, corsHeaders, preflight } from './access.ts';

const HEADERS_TIMEOUT_MS = 10_000;
const BODY_TIMEOUT_MS = 30_000;
/** Above the usual idle time of load balancers, so that it is they who close. */
const KEEP_ALIVE_MS = 75_000;
/** How often node looks for connections that exceed the time-outs above. */
const CHECK_INTERVAL_MS = 2_000;
/** How long the rest of an unwanted body is read and thrown away. */
const LINGER_MS = 500;
const EMPTY = Buffer.alloc(0);

export type Serve = (request: HttpRequest) => Promise<HttpResponse>;

/** An HTTP server that reads requests whole, up to the configured size, and hands them on as plain values. */
export function createHttpServer(serve: Serve, config: HttpConfig): Server {
  return createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: BODY_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    async (message, response) => {
      const head = readHead(message);
      const answer = await answerTo(head, message, serve, config);
      write(response, answer, corsHeaders(head, config));
      if (!message.complete) throwAway(message);
    },
  );
}

type RequestHead = Omit<HttpRequest, 'body'>;

async function answerTo(
  head: RequestHead,
  message: IncomingMessage,
  serve: Serve,
  config: HttpConfig,
): Promise<HttpResponse> {
  try {
    const asked = preflight(head, config);
    if (asked) return asked;
    checkApiKey(head, config);
    return await serve({ ...head, body: await readBody(message, config.maxBodyBytes) });
  } catch (error) {
    return failureResponse(toFailure(error));
  }
}

function readHead({ method = 'GET', url = '/', headers }: IncomingMessage): RequestHead {
  const question = url.indexOf('?');
  return {
    method,
    path: question < 0 ? url : url.slice(0, question),
    query: question < 0 ? {} : Object.fromEntries(new URLSearchParams(url.slice(question + 1))),
    // Node has the names in lower case; only set-cookie, which no request has, would be a list.
    headers: headers as Record<string, string>,
  };
}

/** The whole body; BODY_TOO_LARGE as soon as it is known to exceed the limit, without reading on. */
function readBody(message: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const announced = Number(message.headers['content-length'] ?? 0);
  const tooLarge = () =>
    new Failure('BODY_TOO_LARGE', `the body exceeds PRODUCE_MAX_BODY_BYTES (${maxBytes} bytes)`);
  if (announced > maxBytes) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) {
        chunks.push(chunk);
      } else {
        message.pause();
        reject(tooLarge());
      }
    });
    message.on('end', () => {
      const [first = EMPTY] = chunks;
      resolve(chunks.length > 1 ? Buffer.concat(chunks, size) : first);
    });
    message.on('close', () => {
      if (!message.complete) reject(new Failure('MALFORMED_REQUEST', 'the request was broken off'));
    });
  });
}

/**
 * What is left of a body that is answered already would stand in the way of the next request. For a moment
 * it is read and thrown away, since closing at once could destroy the answer on its way.
 */
function throwAway(message: IncomingMessage): void {
  message.removeAllListeners('data').resume();
  const timer = setTimeout(() => message.socket.destroy(), LINGER_MS);
  message.once('close', () => clearTimeout(timer));
}

function write(
  response: ServerResponse,
  { status, headers, body }: HttpResponse,
  more: Record<string, string>,
): void {
  response.writeHead(status, { ...headers, ...more, 'content-length': Buffer.byteLength(body) });
  // As a string it leaves together with the head, in one write.
  response.end(response.req.method === 'HEAD' ? '' : body);
}
