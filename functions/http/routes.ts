import { permit } from '../../src/access/caller.ts';
import { Failure } from '../../src/errors.ts';
import {
  type HttpRequest,
  jsonResponse,
  type RequestHead,
  type Route,
  type Serve,
} from '../../src/http/message.ts';
import { needOf, routes, type ServerPath } from '../../src/http/routes.ts';
import type { Environment } from '../../src/variables.ts';
import { serveCheck } from '../connectivity-check/serve.ts';
import { servePull } from '../consume-batch/serve.ts';
import { warm } from '../produce/warm.ts';
import type { HttpConfig } from './config.ts';
import { type FunctionName, init, invoke } from './custom-image.ts';
import type { Metrics } from './metrics.ts';

const READ = ['GET', 'HEAD'];
const HEALTHY = { status: 'healthy' };

/** Serves every function, and what a container and its operators need. */
export function routesOf(environment: Environment, config: HttpConfig, metrics: Metrics): Route {
  const own = ownRoutes(environment, metrics, config.function);
  const isOwn = (path: string): path is ServerPath => Object.hasOwn(own, path);
  const ownOf = ({ method, path, caller }: RequestHead): Serve | undefined => {
    // Only about the process, so it answers even where variables are wrong.
    if (path === '/healthy' && READ.includes(method)) return async () => jsonResponse(200, HEALTHY);
    if (!isOwn(path)) return undefined;
    const about = routes[path];
    if (config.routes === 'webhooks' && !('ofWebhooks' in about)) {
      throw unknownRoute(path, 'PRODUCE_ROUTES of this server is webhooks');
    }
    const serve = own[path];
    // They can have any event handled, so they are served only where the platform needs them.
    if (!serve) throw unknownRoute(path, 'FUNCTION of this server is not set');
    permit(caller, needOf(method, about));
    return serve;
  };
  return (head) => ownOf(head) ?? warm(environment).route(head);
}

/** Undefined: the path is not served. */
function ownRoutes(
  environment: Environment,
  metrics: Metrics,
  name: FunctionName | undefined,
): Record<ServerPath, Serve | undefined> {
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
