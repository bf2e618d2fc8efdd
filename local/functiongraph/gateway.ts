/** A local APIG: HTTP in, a function call with an APIG event, the function's answer back as HTTP. */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isRequestId } from '../../src/http/message.ts';
import { type ApigAnswer, type ApigEvent, readAnswer, toApigEvent } from './apig.ts';
import { corsHeaders, isPreflight } from './cors.ts';
import type { InvocationResult, Runtime } from './runtime.ts';

/**
 * The first route that matches takes the request. `path` is a whole path, `prefix` a catch-all that starts
 * with it; a route with neither takes every path, one without a method every method.
 */
export interface Route {
  method?: string;
  path?: string;
  prefix?: string;
  runtime: Runtime;
  /** What the function gets instead of the APIG event. */
  toEvent?: (event: ApigEvent) => unknown;
}

/** `port` 0 takes a free one. `timeoutMs` (60,000) and `maxBodyBytes` (12 MB) are the platform's; tests lower them. */
export interface GatewayOptions {
  port: number;
  routes: readonly Route[];
  timeoutMs?: number;
  maxBodyBytes?: number;
  /** Why a request is refused (403) for its headers; default: none is refused. */
  problemOf?: (headers: IncomingHttpHeaders, port: number) => string | undefined;
  /** Whether pages that `problemOf` lets pass may read the answers (CORS); default false. */
  cors?: boolean;
  /** Gets the error behind each 500 and 504; default stderr. */
  onLog?: (line: string) => void;
}

/** `close()` ends open connections as well. */
export interface Gateway {
  url: string;
  port: number;
  close(): Promise<void>;
}

/** An answer of the gateway itself. */
interface Refusal {
  status: number;
  code: string;
  message: string;
}

const NO_API: Refusal = { status: 404, code: 'APIG.0101', message: 'The API does not exist' };
const TOO_LARGE: Refusal = { status: 413, code: 'APIG.0201', message: 'Request entity too large' };
const TIMED_OUT: Refusal = { status: 504, code: 'APIG.0203', message: 'Backend timeout' };
const BAD_ANSWER: Refusal = { status: 500, code: 'APIG.0601', message: 'Internal server error' };

/** The gateway frames answers itself: these headers of a function don't reach the client. */
const HOP_BY_HOP = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding', 'upgrade']);

/** Listens; rejects when the port is taken. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { routes, timeoutMs = 60_000, maxBodyBytes = 12 * 1024 * 1024 } = options;
  const {
    problemOf = () => undefined,
    cors = false,
    onLog = (line) => process.stderr.write(`${line}\n`),
  } = options;
  const apiId = randomUUID();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = request;
    const own = headers['x-request-id'];
    const requestId = isRequestId(own) ? own : randomBytes(16).toString('hex');
    response.setHeader('x-request-id', requestId);
    const problem = problemOf(headers, port);
    if (problem !== undefined) {
      return refuse(response, { status: 403, code: 'LOCAL.0403', message: problem }, requestId);
    }
    if (cors) for (const [name, value] of corsHeaders(headers)) response.setHeader(name, value);
    if (cors && isPreflight(method, headers)) {
      response.statusCode = 204;
      response.end();
      return;
    }
    const [path = '/', query = ''] = splitOnce(url, '?');
    const route = routes.find((candidate) => matches(candidate, method, path));
    const body = await readBody(request, maxBodyBytes);
    if (!route) return refuse(response, NO_API, requestId);
    if (!body) return refuse(response, TOO_LARGE, requestId);
    const clientAddress = request.socket.remoteAddress ?? '';
    const rest = route.path === undefined ? path.slice(route.prefix?.length ?? 1) : undefined;
    const event = toApigEvent({ method, path, query, headers, body, clientAddress, rest }, apiId, requestId);
    const result = await withTimeout(
      // One id from the caller to the function's log.
      route.runtime.invoke(route.toEvent ? route.toEvent(event) : event, { requestId }),
      timeoutMs,
    );
    if (!result) {
      onLog(`${requestId} ${method} ${path}: no answer from the function within ${timeoutMs} ms`);
      return refuse(response, TIMED_OUT, requestId);
    }
    const good = result.ok ? readAnswer(result.result) : undefined;
    if (good && send(response, good)) return;
    onLog(`${requestId} ${method} ${path}: ${complaint(result)}`);
    refuse(response, BAD_ANSWER, requestId);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      // The client went away while it sent its body, or the runtime is stopped.
      onLog(`${request.method} ${request.url}: ${error instanceof Error ? error.message : String(error)}`);
      if (response.headersSent) response.destroy();
      else refuse(response, BAD_ANSWER, '');
    });
  });
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function matches(route: Route, method: string, path: string): boolean {
  if (route.method !== undefined && route.method !== method) return false;
  if (route.path !== undefined) return route.path === path;
  return path.startsWith(route.prefix ?? '/');
}

/** Undefined if the body is too large. The rest is still read and dropped, so that the client sees the 413. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  return bytes <= maxBytes ? Buffer.concat(chunks) : undefined;
}

/** Undefined after the time-out; the call itself goes on, as on the platform. */
async function withTimeout<T>(call: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, undefined);
  });
  try {
    return await Promise.race([call, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** False if HTTP can't carry the answer, for example a header that contains a line end. */
function send(response: ServerResponse, answer: ApigAnswer): boolean {
  const kept = Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase()));
  try {
    for (const [name, value] of kept) response.setHeader(name, value);
  } catch {
    for (const [name] of kept) response.removeHeader(name);
    return false;
  }
  response.statusCode = answer.statusCode;
  response.end(Buffer.from(answer.body, answer.isBase64Encoded ? 'base64' : 'utf8'));
  return true;
}

function refuse(response: ServerResponse, { status, code, message }: Refusal, requestId: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ error_code: code, error_msg: message, request_id: requestId }));
}

function complaint(result: InvocationResult): string {
  if (!result.ok) return `the function failed: ${JSON.stringify(result.error)}`;
  const text = JSON.stringify(result.result) ?? 'undefined';
  return `the function's answer is not {statusCode, headers, body, isBase64Encoded} of the right types: ${text.slice(0, 200)}`;
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
