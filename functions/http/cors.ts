import type { HttpResponse, RequestHead } from '../../src/http/message.ts';
import { EVENT_HEADERS, isEventHeader } from '../produce/formats/cloudevents.ts';
import { SIGNATURE_HEADERS } from '../produce/formats/webhook.ts';
import type { HttpConfig } from './config.ts';

const CORS_METHODS = 'GET, POST, OPTIONS';
const CORS_HEADERS = [
  ...['authorization', 'x-api-key', 'content-type', 'content-encoding', 'accept', 'x-request-id'],
  'idempotency-key',
  // https://www.w3.org/TR/trace-context/
  ...['traceparent', 'tracestate'],
  ...EVENT_HEADERS,
  ...SIGNATURE_HEADERS,
];
const CORS_EXPOSED = 'x-request-id, retry-after, allow';
const CORS_MAX_AGE_S = '600';

/** The response to a browser's preflight; undefined for any other request. */
export function preflight(head: RequestHead, config: HttpConfig): HttpResponse | undefined {
  if (head.method !== 'OPTIONS' || head.headers['access-control-request-method'] === undefined)
    return undefined;
  const headers = corsHeaders(head, config);
  if (headers['access-control-allow-origin'] === undefined) return { status: 403, headers: {}, body: '' };
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
