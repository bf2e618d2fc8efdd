import { Failure } from '../../src/errors.ts';
import {
  type HttpRequest,
  type HttpResponse,
  jsonResponse,
  type RequestHead,
} from '../../src/http/message.ts';
import { type Path, type RouteAbout, requireMethod, routes, type ServerPath } from '../../src/http/routes.ts';
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
const READ = ['GET', 'HEAD'];
const HEALTHY = { status: 'healthy' };

type OwnServe = (request: HttpRequest, deadline: number) => Promise<HttpResponse>;

/** Every function behind one server: their own paths, and what a container and its operators need. */
export function routesOf(
  environment: Environment,
  config: HttpConfig,
  metrics: Metrics,
): { serve: Serve; checkHead: (head: RequestHead) => void } {
  const own = ownRoutes(environment, metrics, config.function);
  const find = ({ method, path }: RequestHead): OwnServe | undefined => {
    // The process alone: also where its variables are wrong, which every other route of produce says.
    if (path === '/healthy' && READ.includes(method)) return async () => jsonResponse(200, HEALTHY);
    if (!isServers(path)) return undefined;
    const about: RouteAbout = routes[path];
    if (config.routes === 'webhooks' && !about.ofWebhooks) {
      throw unknownRoute(path, 'PRODUCE_ROUTES of this server is webhooks');
    }
    const serve = own[path];
    // Whoever reaches them can have any event handled: they are the platform's, and there where it needs them.
    if (!serve) throw unknownRoute(path, 'FUNCTION of this server is not set');
    requireMethod(method, about);
    return serve;
  };
  return {
    checkHead(head) {
      if (!find(head)) warm(environment).checkHead(head);
    },
    serve(request) {
      const deadline = Date.now() + CALL_MS;
      return find(request)?.(request, deadline) ?? warm(environment).publish(request, deadline);
    },
  };
}

function isServers(path: string): path is ServerPath {
  return path in routes && 'isServers' in routes[path as Path];
}

/** Undefined: not there. */
function ownRoutes(
  environment: Environment,
  metrics: Metrics,
  name: FunctionName | undefined,
): Record<ServerPath, OwnServe | undefined> {
  const call = ({ requestId }: HttpRequest, deadline: number) => ({ requestId, deadline, environment });
  return {
    '/metrics': async () => {
      const { type, body } = await metrics.text();
      return { status: 200, headers: { 'content-type': type }, body };
    },
    '/connectivity-check': (...args) => serveCheck(args[0], call(...args)),
    '/consume-batch': (...args) => servePull(args[0], call(...args)),
    '/invoke': name && ((...args) => invoke(name, ...args)),
    '/init': name && ((...args) => init(name, ...args)),
  };
}

function unknownRoute(path: string, why: string): Failure {
  return new Failure('UNKNOWN_ROUTE', `there is no ${path}: ${why}`);
}
