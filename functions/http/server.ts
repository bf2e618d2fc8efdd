import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { HttpConfig } from '../../src/config.ts';
import { toFailure } from '../../src/errors.ts';
import { callersRequestId, failureResponse, type HttpRequest, type HttpResponse } from '../../src/http.ts';
import { createLog, type Log } from '../../src/log.ts';
import { checkApiKey, corsHeaders, preflight } from './access.ts';
import { Bodies, type ReceivedBody } from './bodies.ts';
import { turnOf } from './turns.ts';

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
/** They have no body to look at, and need no key. */
const WITHOUT_BODY = new Set(['/healthy', '/ready']);
const NO_BODY: ReceivedBody = { bytes: Buffer.alloc(0), release: () => {} };

export type Serve = (request: HttpRequest) => Promise<HttpResponse>;

/** An HTTP server that reads requests whole, up to the configured size, and hands them on as plain values. */
export function createHttpServer(serve: Serve, config: HttpConfig, log: Log = createLog('warn')): Server {
  const bodies = new Bodies();
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: BODY_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    async (message, response) => {
      await turnOf(message, response);
      const head = readHead(message);
      const answer = await answerTo(head, message, { serve, config, log, bodies });
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
  bodies: Bodies;
}

async function answerTo(
  head: RequestHead,
  message: IncomingMessage,
  { serve, config, log, bodies }: Serving,
): Promise<HttpResponse> {
  let body = NO_BODY;
  try {
    const asked = preflight(head, config);
    if (asked) return asked;
    const isKeyless = !checkApiKey(head, config);
    if (!WITHOUT_BODY.has(head.path)) {
      body = await bodies.receive(message, { maxBytes: config.maxBodyBytes, isKeyless });
    }
    return await serve({ ...head, body: body.bytes });
  } catch (error) {
    const failure = toFailure(error);
    const { requestId, path } = head;
    const level = failure.code === 'INTERNAL' ? 'error' : 'warn';
    log[level]('request refused', { requestId, path, code: failure.code, error: failure });
    return failureResponse(failure);
  } finally {
    body.release();
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
