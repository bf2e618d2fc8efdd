import type { Context as LambdaContext } from 'aws-lambda';
import { isRequestId } from '../http/message.ts';
import { processEnvironment } from '../settings.ts';
import type { Environment } from '../variables.ts';

/** The used part of FunctionGraph's context, as its Node.js runtime provides it. */
export interface FunctionGraphContext {
  getRequestID(): string;
  getRemainingTimeInMilliSeconds(): number;
  getUserData(name: string): string | undefined;
  /** The temporary access key of the function's agency; empty where it has none. */
  getSecurityAccessKey?(): string | undefined;
  getSecuritySecretKey?(): string | undefined;
  getSecurityToken?(): string | undefined;
}

export type PlatformContext = FunctionGraphContext | LambdaContext;

/** One call of a function, from any platform. */
export interface Call {
  /** Empty where the platform gives no id that fits into a header. */
  requestId: string;
  /** Epoch milliseconds: the response must be on its way by then. */
  deadline: number;
  environment: Environment;
}

/** Time that is kept for writing the response and for the platform itself. */
const RESERVE_MS = 250;
/** Used where the platform doesn't tell the remaining time (a test, a container). */
const DEFAULT_TIME_MS = 30_000;

export function callOf(context: PlatformContext | undefined): Call {
  const remainingMs = remainingTime(context) ?? DEFAULT_TIME_MS;
  return {
    requestId: requestIdOf(context),
    deadline: Date.now() + Math.max(0, remainingMs - Math.min(RESERVE_MS, remainingMs / 4)),
    environment: (name) => {
      const userData = context && 'getUserData' in context ? context.getUserData(name) : undefined;
      return userData ?? processEnvironment(name) ?? temporaryKey(context, name);
    },
  };
}

/** FunctionGraph's temporary access key, under the names that Lambda gives its own in the environment. */
function temporaryKey(context: PlatformContext | undefined, name: string): string | undefined {
  if (!context || !('getUserData' in context)) return undefined;
  if (name === 'AWS_ACCESS_KEY_ID') return context.getSecurityAccessKey?.() || undefined;
  if (name === 'AWS_SECRET_ACCESS_KEY') return context.getSecuritySecretKey?.() || undefined;
  if (name === 'AWS_SESSION_TOKEN') return context.getSecurityToken?.() || undefined;
  return undefined;
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
