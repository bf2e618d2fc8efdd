import middy from '@middy/core';
import httpJsonBodyParser from '@middy/http-json-body-parser';
import type { APIGatewayProxyResult, Context as LambdaContext } from 'aws-lambda';
import { type Need, permit } from '../access/caller.ts';
import { apiKeys } from '../access/config.ts';
import { type Failure, toFailure } from '../errors.ts';
import { callFields, failureResponse, type HttpRequest, type HttpResponse } from '../http/message.ts';
import { createLog, logFailed } from '../log.ts';
import { readConfig } from '../variables.ts';
import { type Call, callOf, type PlatformContext } from './context.ts';
import { httpResult, readHttpEvent, readRequestId } from './http-event.ts';

/** Larger bodies are parsed only by the function that wants them, within its own bounds. */
const MAX_PARSED_BYTES = 64 * 1024;

/** middy expects AWS's context and passes it on untouched, so a Call can take its place. */
type MiddyContext = LambdaContext & Call;

/** The event for the middlewares: a body that is not too large as text for the parser, and the whole request. */
interface ParsedEvent {
  headers: Readonly<Record<string, string>>;
  body: unknown;
  isBase64Encoded: false;
  request: HttpRequest;
}

/**
 * Creates a gateway's handler with the two parameters that the platform counts; middy's own has none. The event and
 * the context are read before middy sees them: middy looks for AWS's context methods, and its body parser for two
 * spellings of one header. `refuse` answers where `serve` throws or could not be called; it gets no request where the
 * event holds none. `need` is asked of the caller where HTTP_API_KEYS is set.
 */
export function httpHandler(
  serve: (request: HttpRequest, call: Call) => Promise<HttpResponse>,
  refuse: (failure: Failure, request: HttpRequest | undefined) => HttpResponse = (failure) =>
    failureResponse(failure),
  need: Need = 'a key',
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
      if (need !== 'nothing') {
        request.caller = readConfig(call.environment, apiKeys).callerOf(request.headers);
        permit(request.caller, need);
      }
      const { headers, body } = request;
      const text = body.length > MAX_PARSED_BYTES ? '' : body.toString();
      const parsed: ParsedEvent = { headers, body: text, isBase64Encoded: false, request };
      return httpResult(await chain(parsed, call as MiddyContext), requestId, event);
    } catch (error) {
      const failure = toFailure(error);
      // The function's own log may be missing together with its configuration.
      logFailed(createLog('info'), failure, request ? callFields(request) : { requestId });
      return httpResult(refuse(failure, request), requestId, event);
    }
  };
}

/**
 * The body parser without its errors. It would answer 415 to malformed JSON, and knows neither the vendor's types nor
 * a missing content type. The function itself judges what it could not parse.
 */
function jsonBody(): middy.MiddlewareObj<ParsedEvent, HttpResponse, Error, MiddyContext> {
  // Its types are for AWS's events, but it reads only `headers`, `body` and `isBase64Encoded`.
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
