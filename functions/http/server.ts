import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { HttpConfig } from '../../src/config.ts';
import { Failure, toFailure } from '../../src/errors.ts';
import { callersRequestId, failureResponse, type HttpRequest, type HttpResponse } from '../../src/http.ts';
import { createLog, type Log } from '../../src/log.ts';
import { checkApiKey, corsHeaders, preflight } from './access.ts';

const HEADERS_TIMEOUT_MS = 10_000;
const BODY_TIMEOUT_MS = 30_000;
/** Above the usual idle time of load balancers, so that it is they who close. */
const KEEP_ALIVE_MS = 75_000;
/** How often node looks for connections that exceed the time-outs above. */
const CHECK_INTERVAL_MS = 2_000;
/** How long the rest of an unwanted body is read and thrown away. */
const LINGER_MS = 500;
/** A connection without a byte in either direction for so long is ended: whoever does not read an answer keeps it. */
const SILENCE_MS = 90_000;
/** What all requests together may hold of bodies that are still coming; one beyond it is told to come again. */
const MAX_RECEIVING_BYTES = 64 * 1024 * 1024;
/** They have no body to look at, and need no key. */
const WITHOUT_BODY = new Set(['/healthy', '/ready']);
const EMPTY = Buffer.alloc(0);

export type Serve = (request: HttpRequest) => Promise<HttpResponse>;

/** An HTTP server that reads requests whole, up to the configured size, and hands them on as plain values. */
export function createHttpServer(serve: Serve, config: HttpConfig, log: Log = createLog('warn')): Server {
  const receiving = { bytes: 0 };
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: BODY_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    async (message, response) => {
      const head = readHead(message);
      const answer = await answerTo(head, message, { serve, config, log, receiving });
      write(response, answer, { ...corsHeaders(head, config), 'x-request-id': head.requestId });
      if (!message.complete) throwAway(message);
    },
  );
  server.setTimeout(SILENCE_MS);
  return server;
}

type RequestHead = Omit<HttpRequest, 'body'>;

interface Serving {
  serve: Serve;
  config: HttpConfig;
  log: Log;
  receiving: { bytes: number };
}

async function answerTo(
  head: RequestHead,
  message: IncomingMessage,
  { serve, config, log, receiving }: Serving,
): Promise<HttpResponse> {
  try {
    const asked = preflight(head, config);
    if (asked) return asked;
    checkApiKey(head, config);
    const body = WITHOUT_BODY.has(head.path)
      ? EMPTY
      : await readBody(message, config.maxBodyBytes, receiving);
    return await serve({ ...head, body });
  } catch (error) {
    const failure = toFailure(error);
    const { requestId, path } = head;
    const level = failure.code === 'INTERNAL' ? 'error' : 'warn';
    log[level]('request refused', { requestId, path, code: failure.code, error: failure });
    return failureResponse(failure);
  }
}

function readHead({ method = 'GET', url = '/', headers }: IncomingMessage): RequestHead {
  const question = url.indexOf('?');
  const all = lines(headers);
  return {
    method,
    path: question < 0 ? url : url.slice(0, question),
    query: question < 0 ? {} : Object.fromEntries(new URLSearchParams(url.slice(question + 1))),
    headers: all,
    requestId: callersRequestId(all),
  };
}

/** Node has the names in lower case, and each value as one line but for set-cookie's, which no request should have. */
function lines(headers: IncomingHttpHeaders): Record<string, string> {
  const { 'set-cookie': cookies, ...single } = headers;
  const rest = single as Record<string, string>;
  return cookies === undefined ? rest : { ...rest, 'set-cookie': cookies.join(', ') };
}

/** The whole body; BODY_TOO_LARGE as soon as it is known to exceed the limit, without reading on. */
async function readBody(
  message: IncomingMessage,
  maxBytes: number,
  receiving: Serving['receiving'],
): Promise<Buffer> {
  const tooLarge = () =>
    new Failure('BODY_TOO_LARGE', `the body exceeds PRODUCE_MAX_BODY_BYTES (${maxBytes} bytes)`);
  if (Number(message.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  let size = 0;
  try {
    return await new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      message.on('data', (chunk: Buffer) => {
        size += chunk.length;
        receiving.bytes += chunk.length;
        chunks.push(chunk);
        if (size > maxBytes) reject(tooLarge());
        else if (receiving.bytes > MAX_RECEIVING_BYTES) {
          reject(new Failure('QUEUE_FULL', 'too many request bodies are being received at this moment'));
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
  } finally {
    receiving.bytes -= size;
    // What still comes is counted no more, nor kept.
    message.removeAllListeners('data');
  }
}

/**
 * What is left of a body that is answered already would stand in the way of the next request. For a moment
 * it is read and thrown away, since closing at once could destroy the answer on its way.
 */
function throwAway(message: IncomingMessage): void {
  message.resume();
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
