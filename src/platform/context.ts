import type { Context as LambdaContext } from 'aws-lambda';
import { isRequestId } from '../http/message.ts';
import { processEnvironment } from '../settings.ts';
import type { Environment } from '../variables.ts';

/** FunctionGraph's context, as its Node.js runtime hands it out; only what is used here. */
export interface FunctionGraphContext {
  getRequestID(): string;
  getRemainingTimeInMilliSeconds(): number;
  getUserData(name: string): string | undefined;
}

export type PlatformContext = FunctionGraphContext | LambdaContext;

/** One call of a function, whichever platform makes it. */
export interface Call {
  /** Empty where the platform gives none that a header could carry. */
  requestId: string;
  /** Epoch milliseconds: by then the answer is on its way. */
  deadline: number;
  environment: Environment;
}

/** What is kept of the remaining time for writing the answer and for the platform itself. */
const RESERVE_MS = 250;
/** Where the platform doesn't say how much time there is (a test, a container). */
const DEFAULT_TIME_MS = 30_000;

export function callOf(context: PlatformContext | undefined): Call {
  const remainingMs = remainingTime(context) ?? DEFAULT_TIME_MS;
  return {
    requestId: requestIdOf(context),
    deadline: Date.now() + Math.max(0, remainingMs - Math.min(RESERVE_MS, remainingMs / 4)),
    environment: (name) => {
      const userData = context && 'getUserData' in context ? context.getUserData(name) : undefined;
      return userData ?? processEnvironment(name);
    },
  };
}

function remainingTime(context: PlatformContext | undefined): number | undefined {
  if (!context) return undefined;
  if ('getRemainingTimeInMilliSeconds' in context) return Number(context.getRemainingTimeInMilliSeconds());
  return context.getRemainingTimeInMillis?.();
}

function requestIdOf(context: PlatformContext | undefined): string {
  if (!context) return '';
  const id: unknown = 'getRequestID' in context ? context.getRequestID() : context.awsRequestId;
  return isRequestId(id) ? id : '';
}
