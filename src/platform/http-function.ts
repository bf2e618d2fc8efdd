import middy from '@middy/core';
import httpJsonBodyParser from '@middy/http-json-body-parser';
import type { APIGatewayProxyResult, Context as LambdaContext } from 'aws-lambda';
import { type Failure, toFailure } from '../errors.ts';
import { failureResponse, type HttpRequest, type HttpResponse } from '../http/message.ts';
import { createLog } from '../log.ts';
import { type Call, callOf, type PlatformContext } from './context.ts';
import { httpResult, readHttpEvent, readRequestId } from './http-event.ts';

/** What a larger body holds is built by nobody but the function that asked for it, within its own bounds. */
const MAX_PARSED_BYTES = 64 * 1024;

/** middy takes AWS's context for granted and hands it on untouched; ours is in its place. */
type MiddyContext = LambdaContext & Call;

/** What the middlewares see: a body that is not too large as text for the parser, and the request with the body's own bytes. */
interface ParsedEvent {
  headers: Readonly<Record<string, string>>;
  body: unknown;
  isBase64Encoded: false;
  request: HttpRequest;
}

/**
 * A gateway's handler with the two parameters that the platform counts; middy's own has none. The event and the
 * context are read before middy sees them: middy looks for AWS's context methods, and its body parser for two
 * spellings of one header. `refuse` answers where `serve` throws or could not be called; it gets no request where the
 * event holds none.
 */
export function httpHandler(
  serve: (request: HttpRequest, call: Call) => Promise<HttpResponse>,
  refuse: (failure: Failure, request: HttpRequest | undefined) => HttpResponse = (failure) =>
    failureResponse(failure),
): (event: unknown, context: PlatformContext) => Promise<APIGatewayProxyResult> {
  const chain = middy<ParsedEvent, HttpResponse, Error, MiddyContext>({ timeoutEarlyInMillis: 0 })
    .use(jsonBody())
    .handler(({ request, body }, call) =>
      serve(typeof body === 'string' ? request : { ...request, json: body }, call),
    );
  return async (event, context) => {
    const call = callOf(context);
    const requestId = readRequestId(event, call.requestId);
    let request: HttpRequest | undefined;
    try {
      request = readHttpEvent(event, requestId);
      const { headers, body } = request;
      const text = body.length > MAX_PARSED_BYTES ? '' : body.toString();
      const parsed: ParsedEvent = { headers, body: text, isBase64Encoded: false, request };
      return httpResult(await chain(parsed, call as MiddyContext), requestId, event);
    } catch (error) {
      const failure = toFailure(error);
      logRefusal(failure, requestId);
      return httpResult(refuse(failure, request), requestId, event);
    }
  };
}

/** Whatever kept the request from the function, its configuration and so its own log may be missing. */
function logRefusal(failure: Failure, requestId: string): void {
  const level = failure.code === 'INTERNAL' ? 'error' : 'warn';
  createLog('info')[level]('request failed', { requestId, code: failure.code, error: failure });
}

/**
 * The parser, less its errors: it answers 415 to malformed JSON, and knows neither the caller's formats
 * nor an absent content type. What it can't parse the function itself looks at, and says what is wrong.
 */
function jsonBody(): middy.MiddlewareObj<ParsedEvent, HttpResponse, Error, MiddyContext> {
  // Its types know the events of AWS; what it reads are `headers`, `body` and `isBase64Encoded`.
  const parser = httpJsonBodyParser({
    disableContentTypeError: true,
  }) as unknown as middy.MiddlewareObj<ParsedEvent>;
  return {
    before: async (request) => {
      try {
        await parser.before?.(request);
      } catch {}
    },
  };
}
