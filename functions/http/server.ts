import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { Failure, toFailure } from '../../src/errors.ts';
import { callFields, type HttpResponse, type RequestHead, type Route } from '../../src/http/message.ts';
import { createLog, type Log, logFailed } from '../../src/log.ts';
import { refusal } from '../produce/response.ts';
import { Bodies, type ReceivedBody, SMALL } from './bodies.ts';
import type { HttpConfig } from './config.ts';
import { Connection } from './connection.ts';
import { corsHeaders, preflight } from './cors.ts';
import { faultOf, isInvited, type ParserError, parserFailure, readHead } from './message.ts';
import { refuse } from './refuse.ts';

/** How long a call other than a publish may take. A gateway in front doesn't wait longer, either. */
const CALL_MS = 55_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** Above the usual idle time of load balancers, so that they close first. */
const KEEP_ALIVE_MS = 75_000;
/** How often node looks for connections that exceed the time-outs above. */
const CHECK_INTERVAL_MS = 2_000;
/** How long the rest of an unwanted small body is read and dropped. */
const LINGER_MS = 500;
/** A connection that is silent for this long is ended: a client that reads no response would keep it. */
const SILENCE_MS = 90_000;
/** These paths have no body and need no key. */
const WITHOUT_BODY = new Set(['/healthy', '/ready']);
const NO_BODY: ReceivedBody = { bytes: Buffer.alloc(0), release: () => {} };
const METHODS = { allow: 'GET, HEAD, POST, OPTIONS' };

/** An answered request, for the metrics. */
export interface Answered {
  method: string;
  path: string;
  /** The name of its key. */
  caller: string | undefined;
  status: number;
  ms: number;
}

export interface ServerOptions {
  log?: Log;
  /** Called after each response; `ms` counts from the request's last byte. */
  observe?: (answered: Answered) => void;
  /** A body that gains less than 64 KiB in this time is given up. */
  bodyProgressMs?: number;
}

/** An HTTP server that reads whole requests, up to the configured size, and passes them on as plain values. */
export function createHttpServer(route: Route, config: HttpConfig, options: ServerOptions = {}): Server {
  const { log = createLog('warn'), observe = () => {}, bodyProgressMs } = options;
  const serving = { route, config, log, observe, bodies: new Bodies(bodyProgressMs) };
  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    // Bodies are judged by their progress.
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    // Checked below, so that the refusal has the usual shape.
    requireHostHeader: false,
  });
  // A client that has ended its side may only mean that it has sent everything. Node would drop its requests.
  Object.assign(server, { httpAllowHalfOpen: true });
  const exchange: RequestListener = async (message, response) => {
    const connection = Connection.of(message.socket);
    await connection.turnOf(message, response);
    const head = readHead(message, config.keys);
    const fault = faultOf(message);
    const answer = await answerTo(head, fault, { message, response, connection }, serving);
    // After a message that was not read to its end, no other one can be found.
    if (fault || !isSoonOver(message, connection) || !server.listening) response.shouldKeepAlive = false;
    write(response, answer, head, config);
    if (!message.complete) throwAway(message);
  };
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, exchange);
  server.on('connect', ({ socket }) => {
    const failure = new Failure('METHOD_NOT_ALLOWED', 'CONNECT is not served here', { headers: METHODS });
    void refuse(Connection.of(socket), failure, log);
  });
  server.on('clientError', (error: ParserError, socket: Socket) => {
    const connection = Connection.of(socket);
    const failure = parserFailure(error);
    if (failure === undefined) socket.destroy();
    else if (connection.fail(failure)) void refuse(connection, failure, log);
  });
  server.setTimeout(SILENCE_MS, (socket) => void Connection.of(socket).endIfSilent());
  return server;
}

interface Exchange {
  message: IncomingMessage;
  response: ServerResponse;
  connection: Connection;
}

interface Serving extends Required<Omit<ServerOptions, 'bodyProgressMs'>> {
  route: Route;
  config: HttpConfig;
  bodies: Bodies;
}

async function answerTo(
  head: RequestHead,
  fault: Failure | undefined,
  { message, response, connection }: Exchange,
  { route, config, log, observe, bodies }: Serving,
): Promise<HttpResponse> {
  const { requestId, caller, method, path, query, headers } = head;
  let started = performance.now();
  let body = NO_BODY;
  let answer: HttpResponse;
  try {
    if (fault) throw fault;
    const asked = preflight(head, config) ?? aboutServer(head);
    if (asked) return asked;
    const serve = route(head);
    const mustInvite = isInvited(message);
    if (!WITHOUT_BODY.has(path)) {
      const invite = () => mustInvite && response.writeContinue();
      const isKeyless = caller === undefined;
      body = await bodies.receive(message, { maxBytes: config.maxBodyBytes, isKeyless, connection, invite });
      started = performance.now();
    }
    const request = { method, path, query, headers, requestId, caller, body: body.bytes };
    answer = await serve(request, Date.now() + CALL_MS);
  } catch (error) {
    const failure = toFailure(error);
    logFailed(log, failure, { ...callFields(head), path });
    answer = refusal(failure, head);
  } finally {
    body.release();
  }
  observe({ method, path, caller: caller?.name, status: answer.status, ms: performance.now() - started });
  return answer;
}

/** The answer to `OPTIONS *` (RFC 9110, section 9.3.7). */
function aboutServer({ method, path }: RequestHead): HttpResponse | undefined {
  return method === 'OPTIONS' && path === '*' ? { status: 204, headers: METHODS, body: '' } : undefined;
}

/** Whether so little is left of a body that it is worth reading for the next request. */
function isSoonOver({ complete, headers }: IncomingMessage, { failure }: Connection): boolean {
  if (complete) return true;
  const { expect, 'content-length': length = Number.POSITIVE_INFINITY } = headers;
  return failure === undefined && expect === undefined && Number(length) <= SMALL;
}

/** Reads the rest of an answered request's body, which is in the way of the next one. */
function throwAway(message: IncomingMessage): void {
  message.resume();
  const timer = setTimeout(() => message.socket.destroy(), LINGER_MS);
  message.once('close', () => clearTimeout(timer));
}

function write(
  response: ServerResponse,
  { status, headers, body }: HttpResponse,
  head: RequestHead,
  config: HttpConfig,
): void {
  const all: OutgoingHttpHeaders = { ...headers };
  all['x-request-id'] = head.requestId;
  // RFC 9110, section 8.6: a 204 has none.
  if (status !== 204) all['content-length'] = Buffer.byteLength(body);
  if (config.corsOrigins.length > 0) {
    const cors = corsHeaders(head, config);
    Object.assign(all, cors, headers.vary && { vary: `${headers.vary}, ${cors.vary}` });
  }
  response.writeHead(status, all);
  // As a string, it leaves together with the head in one write.
  response.end(response.req.method === 'HEAD' ? '' : body);
}
