import { toFailure } from '../errors.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { routes } from '../http/routes.ts';
import { createLog } from '../log.ts';
import { type Call, callOf, type PlatformContext } from './context.ts';
import { isHttpEvent } from './http-event.ts';
import { httpHandler } from './http-function.ts';
import { isObject } from './members.ts';
import { isTimer } from './trigger.ts';

/** A function that checks something, without the platform. */
export interface CheckFunction<Report> {
  run(call: Call): Promise<Report>;
  serve(request: HttpRequest, call: Call): Promise<HttpResponse>;
  /** Logs the report of a run by timer. */
  log(report: Report, call: Call): void;
  /** The error of a run by timer, because the platform's alarms only see calls that fail. */
  fault(report: Report, call: Call): string | undefined;
}

/** Creates a handler with the two parameters that the platform counts. Any event but HTTP runs the check. */
export function checkHandler<Report>(
  check: CheckFunction<Report>,
): (event: unknown, context: PlatformContext) => Promise<unknown> {
  const http = httpHandler(check.serve, undefined, routes['/connectivity-check'].needs.GET);
  return async (event, context) => {
    if (isHttpEvent(event)) return http(event, context);
    const call = callOf(context);
    const report = await check.run(call).catch((error: unknown) => {
      const failure = toFailure(error);
      createLog('info').error('the check failed', { requestId: call.requestId, error: failure });
      throw new Error(`${failure.code}: ${failure.message}`);
    });
    if (!isObject(event) || !isTimer(event)) return report;
    check.log(report, call);
    const fault = check.fault(report, call);
    if (fault !== undefined) throw new Error(fault);
    return report;
  };
}
