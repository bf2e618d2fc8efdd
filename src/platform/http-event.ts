import type { APIGatewayProxyEvent, APIGatewayProxyEventV2, APIGatewayProxyResult } from 'aws-lambda';
import { Failure } from '../errors.ts';
import { callersRequestId, type HttpRequest, type HttpResponse, isRequestId } from '../http.ts';
import { isObject } from './members.ts';

/**
 * FunctionGraph's APIG event. It is close to AWS's of version 1, but `isBase64Encoded` is true even
 * where there is no body, and whether a repeated query parameter is a string or an array is open.
 */
export interface ApigEvent {
  httpMethod: string;
  path?: string;
  headers?: Record<string, string | string[] | undefined> | null;
  queryStringParameters?: Record<string, string | string[] | undefined> | null;
  pathParameters?: Record<string, string | undefined> | null;
  body?: string | null;
  isBase64Encoded?: boolean;
  requestContext?: { requestId?: string; stage?: string };
}

export type HttpEvent = ApigEvent | APIGatewayProxyEvent | APIGatewayProxyEventV2;

/** The platform's id of the call, else the gateway's of the request, else the caller's own, else a new one. */
export function readRequestId(event: unknown, platformId: string): string {
  const { requestContext, headers }: Record<string, unknown> = isObject(event) ? event : {};
  const gatewayId = isObject(requestContext) ? requestContext.requestId : undefined;
  return [platformId, gatewayId].find(isRequestId) ?? callersRequestId(lowerCase(headers));
}

/** The HTTP request in a gateway's event; throws MALFORMED_REQUEST where the event holds none. */
export function readHttpEvent(event: unknown, requestId: string): HttpRequest {
  if (!isObject(event)) throw new Failure('MALFORMED_REQUEST', 'the event is no HTTP request of a gateway');
  const http = isObject(event.requestContext) ? event.requestContext.http : undefined;
  const method = isObject(http) ? http.method : event.httpMethod;
  if (typeof method !== 'string') {
    throw new Failure('MALFORMED_REQUEST', 'the event is no HTTP request of a gateway: it has no method');
  }
  return {
    method: method.toUpperCase(),
    path: pathOf(event),
    query: strings(event.queryStringParameters),
    headers: lowerCase(event.headers),
    body: bodyOf(event),
    pathParameters: strings(event.pathParameters),
    requestId,
  };
}

/** The answer in the one shape that both gateways take; anything else would be a 500 of the gateway's own. */
export function httpResult(
  { status, headers, body }: HttpResponse,
  requestId: string,
): APIGatewayProxyResult {
  const all = { ...headers, 'x-request-id': requestId };
  return { statusCode: status, headers: all, body, isBase64Encoded: false };
}

/** Version 2 of AWS's event has the stage in its path, unless it is the default one. */
function pathOf({ path, rawPath, requestContext }: Record<string, unknown>): string {
  if (typeof rawPath !== 'string') return typeof path === 'string' ? path : '/';
  const stage = isObject(requestContext) ? requestContext.stage : undefined;
  if (typeof stage !== 'string' || !`${rawPath}/`.startsWith(`/${stage}/`)) return rawPath;
  return rawPath.slice(1 + stage.length) || '/';
}

function bodyOf({ body, isBase64Encoded }: Record<string, unknown>): Buffer {
  if (body === undefined || body === null) return Buffer.alloc(0);
  if (typeof body !== 'string') throw new Failure('MALFORMED_REQUEST', "the event's body must be a string");
  if (isBase64Encoded !== true) return Buffer.from(body);
  const bytes = Buffer.from(body, 'base64');
  // The decoder skips over what it doesn't know; a gateway's base64 has nothing of that kind.
  if (Math.abs(bytes.length - (body.length * 3) / 4) > 2) {
    throw new Failure('MALFORMED_REQUEST', "the event's body is not base64, as isBase64Encoded says");
  }
  return bytes;
}

function lowerCase(headers: unknown): Record<string, string> {
  return strings(headers, (name) => name.toLowerCase());
}

/** Members that are strings, or lists of them joined as HTTP does. */
function strings(members: unknown, rename = (name: string) => name): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  if (!isObject(members)) return result;
  for (const [name, value] of Object.entries(members)) {
    const text = Array.isArray(value) ? value.filter((item) => typeof item === 'string').join(',') : value;
    if (typeof text === 'string') result[rename(name)] = text;
  }
  return result;
}
