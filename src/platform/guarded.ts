import { permit } from '../access/caller.ts';
import { apiKeys } from '../access/config.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { type Environment, readConfig } from '../variables.ts';

type ServeCall<Call> = (request: HttpRequest, call: Call) => Promise<HttpResponse>;

/** Serves the requests of callers who may do this, for a function with one route behind a gateway. */
export function guarded<Call extends { environment: Environment }>(
  need: 'check' | 'pull',
  serve: ServeCall<Call>,
): ServeCall<Call> {
  return async (request, call) => {
    const caller = readConfig(call.environment, apiKeys).callerOf(request.headers);
    permit(caller, need);
    return serve({ ...request, caller }, call);
  };
}
