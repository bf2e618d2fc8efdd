/** Lets pages of other origins use the gateway (https://fetch.spec.whatwg.org/#http-cors-protocol). */
import type { IncomingHttpHeaders } from 'node:http';

const MAX_AGE_S = 600;

/** Whether a browser asks if it may send a request, one that a form could not send. */
export function isPreflight(method: string, headers: IncomingHttpHeaders): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}

/** For an allowed origin: it may send whatever it asks for, and read every header of the answer. */
export function corsHeaders(headers: IncomingHttpHeaders): [string, string][] {
  const { origin } = headers;
  if (origin === undefined) return [['vary', 'origin']];
  const always: [string, string][] = [
    ['vary', 'origin'],
    ['access-control-allow-origin', origin],
    ['access-control-expose-headers', '*'],
  ];
  const method = headers['access-control-request-method'];
  if (method === undefined) return always;
  return [
    ...always,
    ['access-control-allow-methods', method],
    ['access-control-allow-headers', String(headers['access-control-request-headers'] ?? '')],
    ['access-control-max-age', `${MAX_AGE_S}`],
  ];
}
