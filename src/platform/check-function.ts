import { toFailure } from '../errors.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { createLog } from '../log.ts';
import { type Call, callOf, type PlatformContext } from './context.ts';
import { isHttpEvent } from './http-event.ts';
import { httpHandler } from './http-function.ts';
import { isObject } from './members.ts';
import { isTimer } from './trigger.ts';

/** What a checking function does, whoever triggers it. */
export interface CheckFunction<Report> {
  run(call: Call): Promise<Report>;
  serve(request: HttpRequest, call: Call): Promise<HttpResponse>;
  /** Writes the line that a run by timer leaves. */
  log(report: Report, call: Call): void;
  /** What a run by timer fails with, because the platform's alarms know calls and no reports; undefined: with nothing. */
  fault(report: Report, call: Call): string | undefined;
}

/** A handler with the two parameters that the platform counts. Every event that is not an HTTP request runs the check. */
export function checkHandler<Report>(
  check: CheckFunction<Report>,
): (event: unknown, context: PlatformContext) => Promise<unknown> {
  const http = httpHandler((request, call) => check.serve(request, call));
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
