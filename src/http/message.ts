import { randomUUID } from 'node:crypto';
import type { Caller } from '../access/caller.ts';
import type { Failure } from '../errors.ts';
import { traceOf } from '../trace.ts';
import { visible } from '../visible.ts';

export const JSON_TYPE = 'application/json';
const DEFAULT_RETRY_AFTER_MS = 1_000;

/** An HTTP request as every function gets it, from any gateway or server. */
export interface HttpRequest {
  method: string;
  /** Without the query string, still percent-encoded. */
  path: string;
  query: Readonly<Record<string, string>>;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: Buffer;
  /** Set where the gateway has matched the path itself. */
  pathParameters?: Readonly<Record<string, string>>;
  /** The platform's id, else the caller's, else a new one. Every response carries it. */
  requestId: string;
  /** Undefined until the key was looked at, and where it is not accepted. */
  caller?: Caller | undefined;
  /** The body parsed as JSON, where that was already done. */
  json?: unknown;
}

/** The request before its body has come. */
export type RequestHead = Omit<HttpRequest, 'body' | 'json'>;

export interface HttpResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Answers a request by the deadline (epoch milliseconds). It may throw a Failure. */
export type Serve = (request: HttpRequest, deadline: number) => Promise<HttpResponse>;

/** Finds what serves a request, by its head. Throws a Failure where the head alone is wrong, so that its body need not be read. */
export type Route = (head: RequestHead) => Serve;

/** Whether this text may stand in a header and in a log line as it is. */
export function isRequestId(text: unknown): text is string {
  return typeof text === 'string' && /^[\w.:=+/-]{1,128}$/.test(text);
}

/** The caller's own id of the request where it is harmless, else a new one. */
export function callersRequestId(headers: HttpRequest['headers']): string {
  const own = headers['x-request-id'];
  return isRequestId(own) ? own : randomUUID();
}

/** What a log line says of the call of a request. */
export function callFields({ requestId, caller, headers }: RequestHead) {
  return { requestId, caller: caller?.name, traceId: traceOf(headers)?.traceId };
}

/** A media type without its parameters, in lower case; empty where there is none. */
export function mediaType(header: string | undefined): string {
  if (header === undefined) return '';
  const semicolon = header.indexOf(';');
  return (semicolon < 0 ? header : header.slice(0, semicolon)).trim().toLowerCase();
}

export function jsonResponse(status: number, body: unknown, type = JSON_TYPE): HttpResponse {
  return { status, headers: { 'content-type': type }, body: visible(JSON.stringify(body)) };
}

/** The error body of the contract, with `more` members. */
export function failureResponse(failure: Failure, type = JSON_TYPE, more: object = {}): HttpResponse {
  const { message, validationErrors, retriable, retryAfterMs = DEFAULT_RETRY_AFTER_MS } = failure;
  const { error_code, ...verdict } = failureVerdict(failure);
  const body = {
    error_code,
    message,
    ...verdict,
    ...(validationErrors && { validation_errors: validationErrors }),
    ...more,
  };
  const response = jsonResponse(failure.status, body, type);
  if (retriable) response.headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));
  Object.assign(response.headers, failure.headers);
  return response;
}

export function failureVerdict({ errorCode, code, retriable, delivery }: Failure) {
  return { error_code: errorCode, code, retriable, delivery };
}
