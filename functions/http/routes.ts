import type { HttpConfig } from '../../src/config.ts';
import { Failure } from '../../src/errors.ts';
import { type HttpRequest, type HttpResponse, jsonResponse } from '../../src/http.ts';
import type { Environment } from '../../src/variables.ts';
import { serveCheck } from '../connectivity-check/serve.ts';
import { servePull } from '../consume-batch/serve.ts';
import { warm } from '../produce/warm.ts';
import { init, invoke } from './custom-image.ts';
import type { Metrics } from './metrics.ts';
import type { Serve } from './server.ts';

/** How long a call that is not a publish may take; a gateway in front waits no longer, either. */
const CALL_MS = 55_000;

/** What `PRODUCE_ROUTES=webhooks` closes beside produce's own routes. */
const OF_OTHERS = ['/metrics', '/connectivity-check', '/consume-batch'];

/** Every function behind one server: their own paths, and what a container and its operators need. */
export function routesOf(environment: Environment, config: HttpConfig, metrics: Metrics): Serve {
  return async (request) => {
    const started = performance.now();
    const response = await route(request, environment, config, metrics);
    const { method, path } = request;
    metrics.observe({ method, path, status: response.status, ms: performance.now() - started });
    return response;
  };
}

async function route(
  request: HttpRequest,
  environment: Environment,
  config: HttpConfig,
  metrics: Metrics,
): Promise<HttpResponse> {
  const deadline = Date.now() + CALL_MS;
  const call = { requestId: request.requestId, deadline, environment };
  if (config.routes === 'webhooks' && OF_OTHERS.includes(request.path)) {
    throw unknownRoute(request, 'PRODUCE_ROUTES of this server is webhooks');
  }
  switch (request.path) {
    // The process alone: also where its variables are wrong, which every other route says.
    case '/healthy':
      only(request, 'GET', 'HEAD');
      return jsonResponse(200, { status: 'healthy' });
    case '/metrics': {
      only(request, 'GET');
      const { type, body } = await metrics.text();
      return { status: 200, headers: { 'content-type': type }, body };
    }
    case '/connectivity-check':
      return serveCheck(request, call);
    case '/consume-batch':
      return servePull(request, call);
    case '/invoke':
    case '/init': {
      const { function: name } = config;
      // Whoever reaches them can have any event handled: they are the platform's, and there where it needs them.
      if (name === undefined) throw unknownRoute(request, 'FUNCTION of this server is not set');
      only(request, 'POST');
      return (request.path === '/init' ? init : invoke)(name, request, deadline);
    }
    default:
      return warm(environment).publish(request, deadline);
  }
}

function only(request: HttpRequest, ...methods: string[]): void {
  if (!methods.includes(request.method)) {
    const served = `${request.method} is not served here, only ${methods.join(' and ')}`;
    throw new Failure('METHOD_NOT_ALLOWED', served, { allow: methods });
  }
}

function unknownRoute({ path }: HttpRequest, why: string): Failure {
  return new Failure('UNKNOWN_ROUTE', `there is no ${path}: ${why}`);
}
