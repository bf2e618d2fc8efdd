import type { Need } from '../../src/access/caller.ts';
import { Failure } from '../../src/errors.ts';
import type { RequestHead } from '../../src/http/message.ts';
import {
  allRoutes,
  type Method,
  needOf,
  type Path,
  type ProducePath,
  patternOf,
  routes,
} from '../../src/http/routes.ts';
import type { ProduceConfig } from './config.ts';
import type { Target } from './formats/rest-proxy.ts';
import { invalid } from './invalid.ts';

/** The handlers of each path, by method. HEAD uses GET's. */
export type Handlers<Handler> = {
  [P in ProducePath]: { [M in keyof (typeof routes)[P]['needs']]: Handler };
};

interface Route<Handler> {
  path: ProducePath;
  pattern: RegExp;
  handlers: Partial<Record<Method, Handler>>;
}

/** Finds a request's handler by the first matching route; throws UNKNOWN_ROUTE or METHOD_NOT_ALLOWED. */
export function finder<Handler>(
  handlers: Handlers<Handler>,
  served: ProduceConfig['routes'],
): (request: RequestHead) => { handler: Handler; need: Need | 'signature'; target: Target } {
  const table = allRoutes.flatMap(([path, about]): Route<Handler>[] => {
    if (!isProducePath(path) || (served === 'webhooks' && !about.ofWebhooks)) return [];
    return [{ path, pattern: patternOf(path, 'end'), handlers: handlers[path] }];
  });
  return (request) => {
    const { route, matched } = findRoute(table, request);
    const need = needOf(request.method, routes[route.path]);
    const handler = route.handlers[request.method === 'POST' ? 'POST' : 'GET'];
    if (handler === undefined) throw new RangeError(`nothing answers to ${request.method} ${route.path}`);
    const { topic, partition = matched.partition } = request.pathParameters ?? {};
    const target = {
      topic: topic ?? decodeSegment(matched.topic),
      partition: partition === undefined ? undefined : partitionNumber(partition),
    };
    return { handler, need, target };
  };
}

function isProducePath(path: Path): path is ProducePath {
  return !('isServers' in routes[path]);
}

function findRoute<Handler>(
  table: readonly Route<Handler>[],
  { path, pathParameters = {} }: RequestHead,
): { route: Route<Handler>; matched: Record<string, string> } {
  // A gateway that has matched the path itself may use another path. Its parameter names the topic all the same.
  const isOfTopic = pathParameters.topic !== undefined;
  const plain =
    pathParameters.partition === undefined ? '/topics/{topic}' : '/topics/{topic}/partitions/{partition}';
  for (const route of table) {
    const match = isOfTopic && !route.path.includes('{topic}') ? null : route.pattern.exec(path);
    if (match) return { route, matched: match.groups ?? {} };
  }
  const fallback = isOfTopic ? table.find((route) => route.path === plain) : undefined;
  if (fallback) return { route: fallback, matched: {} };
  const takesRecords = table.some((route) => route.path === '/topics/{topic}') ? 'topics' : 'webhooks';
  throw new Failure('UNKNOWN_ROUTE', `there is no ${path}; records go to POST /${takesRecords}/{topic}`);
}

function decodeSegment(segment: string | undefined): string | undefined {
  try {
    return segment?.includes('%') ? decodeURIComponent(segment) : segment;
  } catch {
    throw invalid([{ path: 'topic', message: 'is not percent-encoded UTF-8' }]);
  }
}

function partitionNumber(segment: string): number {
  const partition = Number(segment);
  if (/^\d{1,10}$/.test(segment) && partition < 2 ** 31) return partition;
  throw invalid([{ path: 'partition', message: 'must be a whole number that is not negative' }]);
}
