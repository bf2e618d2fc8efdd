import { createHash, timingSafeEqual } from 'node:crypto';
import { Failure } from '../../src/errors.ts';
import type { HttpResponse, RequestHead } from '../../src/http/message.ts';
import { allRoutes, patternOf } from '../../src/http/routes.ts';
import { EVENT_HEADERS, isEventHeader } from '../produce/formats/cloudevents.ts';
import { SIGNATURE_HEADERS } from '../produce/formats/webhook.ts';
import type { HttpConfig } from './config.ts';

const withoutKey = allRoutes.flatMap(([path, { shows }]) =>
  shows ? [{ pattern: patternOf(path, 'whole'), shows }] : [],
);
const CORS_METHODS = 'GET, POST, OPTIONS';
const CORS_HEADERS = [
  ...['authorization', 'x-api-key', 'content-type', 'content-encoding', 'accept', 'x-request-id'],
  // https://www.w3.org/TR/trace-context/
  ...['traceparent', 'tracestate'],
  ...EVENT_HEADERS,
  ...SIGNATURE_HEADERS,
];
const CORS_EXPOSED = 'x-request-id, retry-after, allow';
const CORS_MAX_AGE_S = '600';

/** Throws API_KEY_REFUSED without an accepted key. False where no key is needed although some are configured. */
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

/** The response to a browser's preflight; undefined for any other request. */
export function preflight(head: RequestHead, config: HttpConfig): HttpResponse | undefined {
  if (head.method !== 'OPTIONS' || head.headers['access-control-request-method'] === undefined)
    return undefined;
  const headers = corsHeaders(head, config);
  if (headers['access-control-allow-origin'] === undefined) return { status: 403, headers, body: '' };
  headers['access-control-allow-methods'] = CORS_METHODS;
  headers['access-control-allow-headers'] = allowedHeaders(head, config).join(', ');
  headers.vary = 'access-control-request-headers';
  headers['access-control-max-age'] = CORS_MAX_AGE_S;
  return { status: 204, headers, body: '' };
}

/** Headers that let a page of an allowed origin read the response. Without `HTTP_CORS_ORIGINS` there are none. */
export function corsHeaders({ headers }: RequestHead, { corsOrigins }: HttpConfig): Record<string, string> {
  if (corsOrigins.length === 0) return {};
  const { origin } = headers;
  const isAllowed = origin !== undefined && (corsOrigins.includes(origin) || corsOrigins.includes('*'));
  if (!isAllowed) return { vary: 'origin' };
  return {
    vary: 'origin',
    'access-control-allow-origin': origin,
    'access-control-expose-headers': CORS_EXPOSED,
  };
}

/**
 * The headers that some format reads. Of those with open-ended names (extensions of CloudEvents, copies by
 * WEBHOOK_HEADERS), the ones that the page asks for. A `*` would not do, because browsers exclude Authorization from
 * it.
 */
function allowedHeaders({ headers }: RequestHead, { webhookHeaders }: HttpConfig): string[] {
  const { keyHeader, copiesHeader } = webhookHeaders;
  const asked = (headers['access-control-request-headers'] ?? '').toLowerCase().split(/[\s,]+/);
  const read = asked.filter((name) => isEventHeader(name) || copiesHeader(name));
  return [...new Set([...CORS_HEADERS, ...(keyHeader === undefined ? [] : [keyHeader]), ...read])];
}

/** Matches the whole path: `/webhooks/x/topics/orders` publishes to `orders`, without any signature. */
function needsNoKey(path: string, { webhooksAreSigned }: HttpConfig): boolean {
  const route = withoutKey.find(({ pattern }) => pattern.test(path));
  return route?.shows === 'nothing' || (route?.shows === 'signature' && webhooksAreSigned);
}

/** Compares with every hash in constant time, so that the time tells nothing about the keys. */
function isAccepted(key: string, hashes: readonly Buffer[]): boolean {
  const hash = createHash('sha256').update(key).digest();
  return hashes.map((accepted) => timingSafeEqual(hash, accepted)).includes(true);
}
