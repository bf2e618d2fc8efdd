import { createHash, timingSafeEqual } from 'node:crypto';
import type { HttpConfig } from '../../src/config.ts';
import { Failure } from '../../src/errors.ts';
import type { HttpResponse, RequestHead } from '../../src/http.ts';

const CORS_METHODS = 'GET, POST, OPTIONS';
const CORS_HEADERS = 'authorization, x-api-key, content-type, content-encoding, accept, x-request-id';
const CORS_MAX_AGE_S = '600';

/**
 * Throws API_KEY_REFUSED unless the request carries an accepted key, or needs none; false where there are keys
 * and it needs none.
 */
export function checkApiKey({ path, headers }: RequestHead, config: HttpConfig): boolean {
  if (config.apiKeyHashes.length === 0) return true;
  if (needsNoKey(path, config)) return false;
  const key = headers['x-api-key'] ?? /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (key === undefined || !isAccepted(key, config.apiKeyHashes)) {
    throw new Failure(
      'API_KEY_REFUSED',
      'an accepted key is needed: Authorization: Bearer … or X-Api-Key: …',
      { headers: { 'www-authenticate': 'Bearer' } },
    );
  }
  return true;
}

/** The answer to a browser that asks before it sends a request; undefined for any other request. */
export function preflight(head: RequestHead, config: HttpConfig): HttpResponse | undefined {
  if (head.method !== 'OPTIONS' || head.headers['access-control-request-method'] === undefined)
    return undefined;
  const headers = corsHeaders(head, config);
  if (headers['access-control-allow-origin'] === undefined) return { status: 403, headers, body: '' };
  headers['access-control-allow-methods'] = CORS_METHODS;
  headers['access-control-allow-headers'] = CORS_HEADERS;
  headers['access-control-max-age'] = CORS_MAX_AGE_S;
  return { status: 204, headers, body: '' };
}

/** What lets a page of an allowed origin read the answer. Without `HTTP_CORS_ORIGINS` no header is set at all. */
export function corsHeaders({ headers }: RequestHead, { corsOrigins }: HttpConfig): Record<string, string> {
  if (corsOrigins.length === 0) return {};
  const { origin } = headers;
  const isAllowed = origin !== undefined && (corsOrigins.includes(origin) || corsOrigins.includes('*'));
  return isAllowed ? { vary: 'origin', 'access-control-allow-origin': origin } : { vary: 'origin' };
}

/** The whole path is looked at: `/webhooks/x/topics/orders` is a way to publish to `orders`, without any signature. */
function needsNoKey(path: string, { webhooksAreSigned }: HttpConfig): boolean {
  return (
    path === '/healthy' || path === '/ready' || (webhooksAreSigned && /^\/webhooks\/[^/]+\/?$/.test(path))
  );
}

/** Compares with every hash, and each in constant time: how long it takes tells nothing of the keys. */
function isAccepted(key: string, hashes: readonly Buffer[]): boolean {
  const hash = createHash('sha256').update(key).digest();
  return hashes.map((accepted) => timingSafeEqual(hash, accepted)).includes(true);
}
