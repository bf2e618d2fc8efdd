import { Failure } from '../../src/errors.ts';
import type { RequestHead } from '../../src/http/message.ts';
import type { Target } from './formats/rest-proxy.ts';
import { invalid } from './invalid.ts';

/** One place, and what answers there by method. HEAD is served wherever GET is. */
export interface Route<Handler> {
  path: string;
  pattern: RegExp;
  methods: Methods<Handler>;
}

interface Methods<Handler> {
  GET?: Handler;
  POST?: Handler;
}

/** A route under `path`, such as `/topics/{topic}`, whatever prefix a gateway puts before it. */
export function route<Handler>(path: string, methods: Methods<Handler>): Route<Handler> {
  const segments = path
    .slice(1)
    .replaceAll('.', '\\.')
    .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  return { path, pattern: path === '/' ? /^\/?$/ : new RegExp(`(?:^|/)${segments}/?$`), methods };
}

/** What answers to a request, by the first route that fits. Throws UNKNOWN_ROUTE, METHOD_NOT_ALLOWED. */
export function findHandler<Handler>(
  routes: readonly Route<Handler>[],
  request: RequestHead,
): { handler: Handler; target: Target } {
  const { route, matched } = findRoute(routes, request);
  const handler = handlerOf(route.methods, request.method);
  if (handler === undefined) throw notAllowed(request.method, route.methods);
  const { topic, partition } = request.pathParameters ?? {};
  return { handler, target: targetOf(topic ?? decodeSegment(matched.topic), partition ?? matched.partition) };
}

function findRoute<Handler>(
  routes: readonly Route<Handler>[],
  { path, pathParameters = {} }: RequestHead,
): { route: Route<Handler>; matched: Record<string, string> } {
  // A gateway that has matched the path itself may have called it anything: it is about that topic all the same.
  const isOfTopic = pathParameters.topic !== undefined;
  const plain =
    pathParameters.partition === undefined ? '/topics/{topic}' : '/topics/{topic}/partitions/{partition}';
  for (const route of routes) {
    const match = isOfTopic && !route.path.includes('{topic}') ? null : route.pattern.exec(path);
    if (match) return { route, matched: match.groups ?? {} };
  }
  const fallback = isOfTopic ? routes.find((route) => route.path === plain) : undefined;
  if (fallback) return { route: fallback, matched: {} };
  const takesRecords = routes.some((route) => route.path === '/topics/{topic}') ? 'topics' : 'webhooks';
  throw new Failure('UNKNOWN_ROUTE', `there is no ${path}; records go to POST /${takesRecords}/{topic}`);
}

function handlerOf<Handler>({ GET, POST }: Methods<Handler>, method: string): Handler | undefined {
  if (method === 'POST') return POST;
  return method === 'GET' || method === 'HEAD' ? GET : undefined;
}

function notAllowed(method: string, { GET, POST }: Methods<unknown>): Failure {
  const allow = [...(GET ? ['GET', 'HEAD'] : []), ...(POST ? ['POST'] : [])];
  const served = `${method} is not served here, only ${allow.join(' and ')}`;
  return new Failure('METHOD_NOT_ALLOWED', served, { headers: { allow: allow.join(', ') } });
}

function targetOf(topic: string | undefined, partition: string | undefined): Target {
  return { topic, partition: partition === undefined ? undefined : partitionNumber(partition) };
}

function decodeSegment(segment: string | undefined): string | undefined {
  try {
    return segment && decodeURIComponent(segment);
  } catch {
    throw invalid([{ path: 'topic', message: 'is not percent-encoded UTF-8' }]);
  }
}

function partitionNumber(segment: string): number {
  const partition = Number(segment);
  if (/^\d{1,10}$/.test(segment) && partition < 2 ** 31) return partition;
  throw invalid([{ path: 'partition', message: 'must be a whole number that is not negative' }]);
}
