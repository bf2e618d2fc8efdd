/** What APIG (dedicated gateway) sends to a function, and what it takes back. */
import type { IncomingHttpHeaders } from 'node:http';

/** The APIG event. `body` is base64 even when there is none. */
export interface ApigEvent {
  body: string;
  requestContext: { apiId: string; requestId: string; stage: 'RELEASE' };
  queryStringParameters: Record<string, string | string[]>;
  httpMethod: string;
  pathParameters: Record<string, string>;
  headers: Record<string, string>;
  path: string;
  isBase64Encoded: true;
}

/** The only form of answer that the gateway accepts. */
export interface ApigAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
  isBase64Encoded: boolean;
}

/** An HTTP request as the gateway received it; `path` and `query` are still percent-encoded. */
export interface HttpRequest {
  method: string;
  path: string;
  query: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  clientAddress: string;
  /** What a catch-all path matched; undefined on a route with a fixed path. */
  rest: string | undefined;
}

/** Header names are in lower case, a repeated query parameter is an array, a catch-all's key is an empty string. */
export function toApigEvent(request: HttpRequest, apiId: string, requestId: string): ApigEvent {
  return {
    body: request.body.toString('base64'),
    requestContext: { apiId, requestId, stage: 'RELEASE' },
    queryStringParameters: readQuery(request.query),
    httpMethod: request.method,
    pathParameters: request.rest === undefined ? {} : { '': request.rest },
    headers: {
      ...flatten(request.headers),
      'x-forwarded-proto': 'http',
      'x-real-ip': request.clientAddress,
    },
    path: request.path,
    isBase64Encoded: true,
  };
}

/** Undefined if the answer doesn't have exactly the shape that the gateway takes. */
export function readAnswer(result: unknown): ApigAnswer | undefined {
  if (typeof result !== 'object' || result === null) return undefined;
  const { statusCode, headers, body, isBase64Encoded } = result as Record<string, unknown>;
  if (typeof statusCode !== 'number' || !Number.isInteger(statusCode)) return undefined;
  if (statusCode < 200 || statusCode > 599) return undefined;
  if (typeof body !== 'string' || typeof isBase64Encoded !== 'boolean') return undefined;
  if (!isStringRecord(headers)) return undefined;
  return { statusCode, headers, body, isBase64Encoded };
}

function readQuery(query: string): Record<string, string | string[]> {
  const parameters = new URLSearchParams(query);
  return Object.fromEntries(
    [...new Set(parameters.keys())].map((name) => {
      const values = parameters.getAll(name);
      return [name, values.length === 1 ? (values[0] ?? '') : values];
    }),
  );
}

function flatten(headers: IncomingHttpHeaders): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

function isStringRecord(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((item) => typeof item === 'string');
}
