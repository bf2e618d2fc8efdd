import { faultOf } from '../../../../src/postgres/errors.ts';
import { PermanentError, PoisonError, TransientError } from '../../records/record-failure.ts';
import { HandlerThrew } from './user-transaction.ts';

/** Who is to blame; `unclassified`: the user's code didn't say. */
export type Blame = 'record' | 'configuration' | 'world' | 'unclassified';

/** For what the driver throws, its socket, or the user's code. */
export function blameOf(error: unknown): Blame {
  if (error instanceof PermanentError || error instanceof PoisonError) return 'record';
  if (error instanceof HandlerThrew) return 'unclassified';
  if (error instanceof TransientError) return 'world';
  const fault = faultOf(error);
  return fault === 'data' ? 'record' : fault;
}
