import type { Need } from '../access/caller.ts';
import { Failure } from '../errors.ts';

export type Method = 'GET' | 'POST';

export interface RouteAbout {
  /** By the methods that are served; HEAD is served wherever GET is. */
  needs: Readonly<Partial<Record<Method, Need | 'signature'>>>;
  /** Served by the HTTP server only, and not by produce behind a gateway. */
  isServers?: true;
  /** Also served with `PRODUCE_ROUTES=webhooks`. */
  ofWebhooks?: true;
}

/**
 * Every path that is served over HTTP. The first one that matches counts. Publishing, access, OpenAPI, metrics' labels
 * and refusals all use this table. `signature`: that of a webhook; without WEBHOOK_SECRET it is `publish`.
 */
export const routes = {
  '/topics/{topic}/partitions/{partition}': { needs: { GET: 'a key', POST: 'publish' } },
  '/topics/{topic}/partitions': { needs: { GET: 'a key' } },
  '/webhooks/{topic}': { needs: { POST: 'signature' }, ofWebhooks: true },
  '/topics/{topic}': { needs: { GET: 'a key', POST: 'publish' } },
  '/topics': { needs: { GET: 'a key' } },
  '/brokers': { needs: { GET: 'a key' } },
  '/healthy': { needs: { GET: 'nothing' }, ofWebhooks: true },
  '/ready': { needs: { GET: 'nothing' }, ofWebhooks: true },
  '/openapi.json': { needs: { GET: 'a key' } },
  '/': { needs: { POST: 'publish' } },
  '/metrics': { needs: { GET: 'metrics' }, isServers: true },
  '/connectivity-check': { needs: { GET: 'check' }, isServers: true },
  '/consume-batch': { needs: { POST: 'pull' }, isServers: true },
  // The platform calls these in a custom image, and can show no key; `FUNCTION` says for which function.
  '/invoke': { needs: { POST: 'nothing' }, isServers: true, ofWebhooks: true },
  '/init': { needs: { POST: 'nothing' }, isServers: true, ofWebhooks: true },
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

/** What this method needs of its caller. Throws METHOD_NOT_ALLOWED. */
export function needOf<N extends string>(
  method: string,
  { needs }: { readonly needs: Readonly<Partial<Record<Method, N>>> },
): N {
  const known = method === 'HEAD' ? 'GET' : method;
  for (const [one, need] of Object.entries<N>(needs)) if (one === known) return need;
  const allowed = Object.keys(needs).flatMap((one) => (one === 'GET' ? ['GET', 'HEAD'] : [one]));
  throw new Failure('METHOD_NOT_ALLOWED', `${method} is not served here, only ${allowed.join(' and ')}`, {
    headers: { allow: allowed.join(', ') },
  });
}
