import { Failure } from '../../src/errors.ts';
import { type HttpRequest, type HttpResponse, jsonResponse } from '../../src/http/message.ts';
import { needOf, routes } from '../../src/http/routes.ts';
import { isObject } from '../../src/platform/members.ts';
import type { Environment } from '../../src/variables.ts';
import type { PullAnswer } from './pull/drain.ts';
import { readWish } from './pull/pull-wish.ts';
import type { CallOrigin } from './records/pipeline.ts';
import { pullConfigOf, warm } from './warm.ts';

const MAX_WISH_BYTES = 64 * 1024;

export interface PullCall extends Partial<CallOrigin> {
  /** Epoch milliseconds. */
  deadline: number;
  environment: Environment;
}

/** Pulls by the deadline. `wish` may narrow the configured pull. Throws a Failure. */
export async function pull(wish: unknown, call: PullCall): Promise<PullAnswer> {
  const { environment, deadline } = call;
  const config = pullConfigOf(environment);
  return warm(environment).consumer.pull(readWish(wish), config, deadline, call);
}

/** A pull over HTTP: `POST` with a wish as a JSON object, or with an empty body. Throws a Failure. */
export async function servePull(request: HttpRequest, call: PullCall): Promise<HttpResponse> {
  needOf(request.method, routes['/consume-batch']);
  const { traceparent, tracestate } = request.headers;
  const origin = { traceparent, tracestate, caller: request.caller?.name };
  return jsonResponse(200, await pull(wishOf(request), { ...call, ...origin }));
}

function wishOf({ body, json }: HttpRequest): unknown {
  if (body.length === 0) return {};
  const what = `a JSON object of at most ${MAX_WISH_BYTES} bytes, or empty`;
  const malformed = new Failure('MALFORMED_REQUEST', `the body must be ${what}`);
  if (body.length > MAX_WISH_BYTES) throw malformed;
  let wish = json;
  try {
    wish ??= JSON.parse(body.toString());
  } catch {
    throw malformed;
  }
  if (!isObject(wish)) throw malformed;
  return wish;
}
