import { createLog } from '../log.ts';
import { type Call, callOf, type PlatformContext } from './context.ts';

/** The first request comes after the initializer: nobody waits longer for it than this. */
const MAX_TIME_MS = 10_000;

/**
 * An initializer with the two parameters that the platform counts. What fails in it is logged and not
 * thrown: the first request tries again, and answers for what it meets.
 */
export function initializerOf(
  open: (call: Call) => Promise<unknown>,
): (context: PlatformContext, callback: unknown) => Promise<void> {
  return async (context, _callback) => {
    const call = callOf(context);
    try {
      await open({ ...call, deadline: Math.min(call.deadline, Date.now() + MAX_TIME_MS) });
    } catch (error) {
      createLog('info').warn('the initializer failed; the first request tries again', {
        requestId: call.requestId,
        error,
      });
    }
  };
}
