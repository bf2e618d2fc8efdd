import { causesOf } from '../../../src/errors.ts';

/**
 * What a failed record's next step follows from. `transient`: the world is not ready, the record is fine.
 * `sink`: where records go is set up wrongly, and no record is to blame: nothing more is sent there by this
 * call. `permanent`: no later attempt will succeed. `poison`: it cannot even be decoded. `unclassified`:
 * nobody said; it is retried like a transient failure, and goes to the dead-letter topic after that.
 */
export type FailureClass = 'transient' | 'sink' | 'permanent' | 'poison' | 'unclassified';

/** Throw it in handleRecord where a later attempt may succeed: a database that is away, a rate limit. */
export class TransientError extends Error {
  override readonly name: string = 'TransientError';
}

/** Throw it where no attempt will ever succeed: the record breaks a rule. */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError';
}

/** Throw it where the record cannot be decoded. */
export class PoisonError extends Error {
  override readonly name: string = 'PoisonError';
}

/** One record of a batch that failed, and why. */
export interface RecordFailure {
  /** In the batch. */
  index: number;
  failureClass: FailureClass;
  error: Error;
}

/** Codes of sockets, name servers and TLS, and names that time-outs and aborts have: the world's failures. */
const transientCodes =
  /^(E(CONN|PIPE|TIMEDOUT|HOST|NET|AI_AGAIN|NOTFOUND|ADDR|BUSY|MFILE|AGAIN)|UND_ERR|ERR_(TLS|SSL|SOCKET|STREAM))/;
const transientNames = ['AbortError', 'TimeoutError'];

/** The class of whatever a handler threw. */
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
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
    return transientNames.includes(cause.name) || transientCodes.test(code);
  });
}

function describe(thrown: unknown): string {
  return typeof thrown === 'string' ? thrown.slice(0, 200) : typeof thrown;
}
