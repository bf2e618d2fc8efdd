import type { APIGatewayProxyResult } from 'aws-lambda';
import { callersRequestId, type HttpRequest, type HttpResponse, isRequestId } from '../http/message.ts';
import { base64Bytes } from './base64.ts';
import { malformed, readHeaders, readQuery } from './http-fields.ts';
import { isObject, type Members } from './members.ts';

/** Whether a gateway sent the event, in any form: the answer must be an HTTP response then. */
export function isHttpEvent(event: unknown): boolean {
  return isObject(event) && (typeof event.httpMethod === 'string' || isV2(event) || isLattice(event));
}

/** The platform's id of the call, else the gateway's of the request, else the caller's own, else a new one. */
export function readRequestId(event: unknown, platformId: string): string {
  const members: Members = isObject(event) ? event : {};
  const { requestContext } = members;
  const gatewayId = isObject(requestContext) ? requestContext.requestId : undefined;
  return [platformId, gatewayId].find(isRequestId) ?? callersRequestId(headersOrNone(members));
}

function headersOrNone(event: Members): Record<string, string> {
  try {
    return readHeaders(event);
  } catch {
    return {};
  }
}

/**
 * Reads the HTTP request in an event of FunctionGraph's APIG, of AWS's API Gateway in either version (a function URL
 * sends version 2) or of a load balancer. Throws MALFORMED_REQUEST where any part of it has another shape.
 */
export function readHttpEvent(event: unknown, requestId: string): HttpRequest {
  if (!isObject(event)) throw malformed('it is no object');
  const { method, path } = isV2(event) ? v2Target(event) : target(event);
  return {
    method: method.toUpperCase(),
    path,
    query: readQuery(event),
    headers: readHeaders(event),
    body: bodyOf(event),
    pathParameters: strings(event.pathParameters),
    requestId,
  };
}

/**
 * The response in the one shape that all gateways take; they turn anything else into their own 500. A load balancer
 * that sends lists of header values drops the headers of a response without such lists.
 */
export function httpResult(
  { status, headers, body }: HttpResponse,
  requestId: string,
  event?: unknown,
): APIGatewayProxyResult {
  const all = Object.entries({ ...headers, 'x-request-id': requestId });
  const lists = isObject(event) && isObject(event.multiValueHeaders);
  return {
    statusCode: status,
    ...(lists
      ? { multiValueHeaders: Object.fromEntries(all.map(([name, value]) => [name, [value]])) }
      : { headers: Object.fromEntries(all) }),
    body,
    isBase64Encoded: false,
  };
}

function isV2({ requestContext }: Members): boolean {
  return isObject(requestContext) && isObject(requestContext.http);
}

/** VPC Lattice, in either version of its event. */
function isLattice({ httpMethod, method, path, raw_path }: Members): boolean {
  return httpMethod === undefined && typeof method === 'string' && typeof (path ?? raw_path) === 'string';
}

function target(event: Members): { method: string; path: string } {
  const { httpMethod: method, path } = event;
  if (isLattice(event)) {
    throw malformed('VPC Lattice is not served, but API Gateway, a function URL or a load balancer (ALB) is');
  }
  if (typeof method !== 'string') throw malformed('it has no method');
  if (path !== undefined && path !== null && typeof path !== 'string') throw malformed('path must be text');
  return { method, path: path ?? '/' };
}

/** Version 2 of AWS's event has the stage in its path, unless it is the default stage. */
function v2Target({ version, rawPath, rawQueryString, requestContext }: Members): {
  method: string;
  path: string;
} {
  const { http, stage } = requestContext as Members;
  const { method } = http as Members;
  if (version !== undefined && version !== '2.0') throw malformed('its version must be 2.0');
  if (typeof method !== 'string') throw malformed('it has no method');
  if (typeof rawPath !== 'string') throw malformed('it has no rawPath');
  if (rawQueryString !== undefined && typeof rawQueryString !== 'string') {
    throw malformed('rawQueryString must be text');
  }
  if (typeof stage !== 'string' || !`${rawPath}/`.startsWith(`/${stage}/`)) return { method, path: rawPath };
  return { method, path: rawPath.slice(1 + stage.length) || '/' };
}

/** APIG sets `isBase64Encoded` even where there is no body. */
function bodyOf({ body, isBase64Encoded }: Members): Buffer {
  if (isBase64Encoded !== undefined && isBase64Encoded !== null && typeof isBase64Encoded !== 'boolean') {
    throw malformed('isBase64Encoded must be true or false');
  }
  if (body === undefined || body === null) return Buffer.alloc(0);
  if (typeof body !== 'string') throw malformed('body must be text');
  if (isBase64Encoded !== true) return Buffer.from(body);
  const bytes = base64Bytes(body);
  if (!bytes) throw malformed('body is not base64, as isBase64Encoded says');
  return bytes;
}

/** The members that are strings. */
function strings(members: unknown): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  if (!isObject(members)) return result;
  for (const [name, value] of Object.entries(members)) if (typeof value === 'string') result[name] = value;
  return result;
}
