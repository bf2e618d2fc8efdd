import { causesOf, codeOf } from '../../../src/errors.ts';

/**
 * Decides what happens to a failed record.
 * `transient`: the record is fine and is tried again. `sink`: the sink is set up wrongly, no record is to blame, and
 * this call sends nothing more to it. `permanent`: no later attempt will succeed. `poison`: it can't even be decoded.
 * `unclassified`: nobody said, so it is tried again and then goes to the dead-letter topic.
 */
export type FailureClass = 'transient' | 'sink' | 'permanent' | 'poison' | 'unclassified';

/** Throw it where a later attempt may succeed, such as when a database is down or a rate limit is reached. */
export class TransientError extends Error {
  override readonly name: string = 'TransientError';
}

/** Throw it where no attempt will ever succeed, because the record breaks a rule. */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError';
}

/** Throw it where the record can't be decoded. */
export class PoisonError extends Error {
  override readonly name: string = 'PoisonError';
}

/** One record of a batch that failed, and why. */
export interface RecordFailure {
  /** Its index in the batch. */
  index: number;
  failureClass: FailureClass;
  error: Error;
}

/** Codes of sockets, name servers and TLS, and names of time-outs and aborts: a later attempt may succeed. */
const transientCodes =
  /^(E(CONN|PIPE|TIMEDOUT|HOST|NET|AI_AGAIN|NOTFOUND|ADDR|BUSY|MFILE|AGAIN)|UND_ERR|ERR_(TLS|SSL|SOCKET|STREAM))/;
const transientNames = ['AbortError', 'TimeoutError'];

/** Classifies whatever a handler threw. */
export function recordFailure(index: number, thrown: unknown): RecordFailure {
  const error = thrown instanceof Error ? thrown : new Error(`a value was thrown: ${describe(thrown)}`);
  return { index, failureClass: classOf(error), error };
}

function classOf(error: Error): FailureClass {
  if (error instanceof PoisonError) return 'poison';
  if (error instanceof PermanentError) return 'permanent';
  if (error instanceof TransientError || isOfTheWorld(error)) return 'transient';
  return 'unclassified';
}

/** fetch, for one, hides the socket's error in `cause`. */
function isOfTheWorld(error: Error): boolean {
  return causesOf(error).some((cause) => {
    return transientNames.includes(cause.name) || transientCodes.test(codeOf(cause));
  });
}

function describe(thrown: unknown): string {
  return typeof thrown === 'string' ? thrown.slice(0, 200) : typeof thrown;
}
