import { errorCodes, Failure } from '../../src/errors.ts';
import { type HttpRequest, type HttpResponse, jsonResponse } from '../../src/http/message.ts';
import * as connectivityCheck from '../connectivity-check/index.ts';
import * as consumeBatch from '../consume-batch/index.ts';
import * as produce from '../produce/index.ts';
import type { functionNames } from './config.ts';

const functions = { produce, 'consume-batch': consumeBatch, 'connectivity-check': connectivityCheck };

export type FunctionName = (typeof functionNames)[number];

/** An event function's context, from the headers of the platform's request. */
function contextOf({ requestId }: HttpRequest, deadline: number) {
  return {
    getRequestID: () => requestId,
    getRemainingTimeInMilliSeconds: () => Math.max(0, deadline - Date.now()),
    // A container has its variables in its environment.
    getUserData: () => undefined,
  };
}

/** `POST /invoke`: passes the event in the body to the function that `FUNCTION` names. */
export async function invoke(
  name: FunctionName,
  request: HttpRequest,
  deadline: number,
): Promise<HttpResponse> {
  const { handler } = functions[name];
  const event = eventOf(request);
  try {
    return jsonResponse(200, (await handler(event, contextOf(request, deadline))) ?? null);
  } catch (error) {
    throw failureOf(error);
  }
}

/** Functions throw `CODE: sentence`, because the platform reports only an error's message. */
function failureOf(error: unknown): unknown {
  const [, name, sentence] = /^([A-Z_]+): ([\s\S]*)$/.exec(error instanceof Error ? error.message : '') ?? [];
  const code = errorCodes.find((known) => known === name);
  return code && sentence ? new Failure(code, sentence, { cause: error }) : error;
}

/** `POST /init`: the platform's call before the first event. */
export async function init(
  name: FunctionName,
  request: HttpRequest,
  deadline: number,
): Promise<HttpResponse> {
  await functions[name].initializer(contextOf(request, deadline), undefined);
  return jsonResponse(200, { status: 'initialised' });
}

function eventOf({ body }: HttpRequest): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new Failure('MALFORMED_REQUEST', 'the event is not JSON');
  }
}
