import { Failure, type ValidationError } from '../../src/errors.ts';

const MAX_VALIDATION_ERRORS = 20;
/** Names in messages are the caller's, of any length. */
const MAX_PATH_LENGTH = 200;

/** Reports everything that is wrong with a request's content. */
export function invalid(errors: readonly ValidationError[]): Failure {
  const shown = errors.slice(0, MAX_VALIDATION_ERRORS).map(({ path, message }) => ({
    path: path.length > MAX_PATH_LENGTH ? `${path.slice(0, MAX_PATH_LENGTH)}…` : path,
    message,
  }));
  const [first] = shown;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return new Failure('INVALID_RECORD', `${first?.path} ${first?.message}${more}`, {
    validationErrors: shown,
  });
}
