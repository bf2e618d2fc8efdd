import { Failure } from '../errors.ts';

export type Method = 'GET' | 'POST';

export interface RouteAbout {
  /** HEAD is served wherever GET is. */
  methods: readonly Method[];
  /** Served by the HTTP server only, and not by produce behind a gateway. */
  isServers?: true;
  /** Also served with `PRODUCE_ROUTES=webhooks`. */
  ofWebhooks?: true;
  /** Needed where keys are configured: by default a key, or a signature where webhooks are signed. */
  shows?: 'nothing' | 'signature';
}

/**
 * Every path that is served over HTTP. The first one that matches counts. Publishing, OpenAPI, access, metrics'
 * labels and refusals all use this table.
 */
export const routes = {
  '/topics/{topic}/partitions/{partition}': { methods: ['GET', 'POST'] },
  '/topics/{topic}/partitions': { methods: ['GET'] },
  '/webhooks/{topic}': { methods: ['POST'], ofWebhooks: true, shows: 'signature' },
  '/topics/{topic}': { methods: ['GET', 'POST'] },
  '/topics': { methods: ['GET'] },
  '/brokers': { methods: ['GET'] },
  '/healthy': { methods: ['GET'], ofWebhooks: true, shows: 'nothing' },
  '/ready': { methods: ['GET'], ofWebhooks: true, shows: 'nothing' },
  '/openapi.json': { methods: ['GET'] },
  '/': { methods: ['POST'] },
  '/metrics': { methods: ['GET'], isServers: true },
  '/connectivity-check': { methods: ['GET'], isServers: true },
  '/consume-batch': { methods: ['POST'], isServers: true },
  // The platform calls these in a custom image; `FUNCTION` says for which function.
  '/invoke': { methods: ['POST'], isServers: true, ofWebhooks: true },
  '/init': { methods: ['POST'], isServers: true, ofWebhooks: true },
} as const satisfies Readonly<Record<string, RouteAbout>>;

export type Path = keyof typeof routes;
export type ServerPath = {
  [P in Path]: (typeof routes)[P] extends { isServers: true } ? P : never;
}[Path];
export type ProducePath = Exclude<Path, ServerPath>;

/** All of `routes`, as a list. */
export const allRoutes: readonly [Path, RouteAbout][] = Object.entries(routes) as [Path, RouteAbout][];

/** Matches the whole path, or its end behind any prefix that a gateway puts before it. */
export function patternOf(path: Path, where: 'whole' | 'end'): RegExp {
  if (path === '/') return /^\/?$/;
  const segments = path
    .slice(1)
    .replaceAll('.', '\\.')
    .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  return new RegExp(`${where === 'whole' ? '^' : '(?:^|/)'}${where === 'whole' ? '/' : ''}${segments}/?$`);
}

/** Throws METHOD_NOT_ALLOWED. */
export function requireMethod(method: string, { methods }: RouteAbout): void {
  if (methods.some((one) => one === method || (one === 'GET' && method === 'HEAD'))) return;
  const allowed = methods.flatMap((one) => (one === 'GET' ? ['GET', 'HEAD'] : [one]));
  throw new Failure('METHOD_NOT_ALLOWED', `${method} is not served here, only ${allowed.join(' and ')}`, {
    headers: { allow: allowed.join(', ') },
  });
}
