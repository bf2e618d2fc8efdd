import { Failure } from '../../src/errors.ts';
import {
  type HttpRequest,
  type HttpResponse,
  jsonResponse,
  type RequestHead,
} from '../../src/http/message.ts';
import type { Environment } from '../../src/variables.ts';
import { serveCheck } from '../connectivity-check/serve.ts';
import { servePull } from '../consume-batch/serve.ts';
import { warm } from '../produce/warm.ts';
import type { HttpConfig } from './config.ts';
import { type FunctionName, init, invoke } from './custom-image.ts';
import type { Metrics } from './metrics.ts';
import type { Serve } from './server.ts';

/** How long a call that is not a publish may take; a gateway in front waits no longer, either. */
const CALL_MS = 55_000;

/** What `PRODUCE_ROUTES=webhooks` closes beside produce's own routes. */
const OF_OTHERS = ['/metrics', '/connectivity-check', '/consume-batch'];
const OF_PLATFORM = ['/invoke', '/init'];
const READ = ['GET', 'HEAD'];

interface OwnRoute {
  methods: readonly string[];
  serve: (request: HttpRequest, deadline: number) => Promise<HttpResponse>;
}

/** Every function behind one server: their own paths, and what a container and its operators need. */
export function routesOf(
  environment: Environment,
  config: HttpConfig,
  metrics: Metrics,
): { serve: Serve; checkHead: (head: RequestHead) => void } {
  const own = ownRoutes(environment, config, metrics);
  const find = ({ method, path }: RequestHead) => {
    if (config.routes === 'webhooks' && OF_OTHERS.includes(path)) {
      throw unknownRoute(path, 'PRODUCE_ROUTES of this server is webhooks');
    }
    // Whoever reaches them can have any event handled: they are the platform's, and there where it needs them.
    if (config.function === undefined && OF_PLATFORM.includes(path)) {
      throw unknownRoute(path, 'FUNCTION of this server is not set');
    }
    const route = own.get(path);
    if (route && !route.methods.includes(method)) throw notAllowed(method, route.methods);
    return route;
  };
  return {
    checkHead(head) {
      if (!find(head)) warm(environment).checkHead(head);
    },
    serve(request) {
      const deadline = Date.now() + CALL_MS;
      return find(request)?.serve(request, deadline) ?? warm(environment).publish(request, deadline);
    },
  };
}

function ownRoutes(environment: Environment, config: HttpConfig, metrics: Metrics): Map<string, OwnRoute> {
  const call = ({ requestId }: HttpRequest, deadline: number) => ({ requestId, deadline, environment });
  return new Map<string, OwnRoute>([
    // The process alone: also where its variables are wrong, which every other route says.
    ['/healthy', { methods: READ, serve: async () => jsonResponse(200, { status: 'healthy' }) }],
    [
      '/metrics',
      {
        methods: READ,
        async serve() {
          const { type, body } = await metrics.text();
          return { status: 200, headers: { 'content-type': type }, body };
        },
      },
    ],
    ['/connectivity-check', { methods: READ, serve: (...args) => serveCheck(args[0], call(...args)) }],
    ['/consume-batch', { methods: ['POST'], serve: (...args) => servePull(args[0], call(...args)) }],
    ...(config.function === undefined ? [] : ofPlatform(config.function)),
  ]);
}

/** What the platform calls in a custom image. */
function ofPlatform(name: FunctionName): [string, OwnRoute][] {
  return [
    ['/invoke', { methods: ['POST'], serve: (request, deadline) => invoke(name, request, deadline) }],
    ['/init', { methods: ['POST'], serve: (request, deadline) => init(name, request, deadline) }],
  ];
}

function notAllowed(method: string, methods: readonly string[]): Failure {
  const served = `${method} is not served here, only ${methods.join(' and ')}`;
  return new Failure('METHOD_NOT_ALLOWED', served, { headers: { allow: methods.join(', ') } });
}

function unknownRoute(path: string, why: string): Failure {
  return new Failure('UNKNOWN_ROUTE', `there is no ${path}: ${why}`);
}
