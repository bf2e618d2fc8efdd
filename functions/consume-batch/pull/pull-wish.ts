import * as v from 'valibot';
import { Failure } from '../../../src/errors.ts';

const MAX_INT32 = 2 ** 31 - 1;
/** For member names in messages, which may be anything. */
const MAX_PATH_LENGTH = 64;

const wishSchema = v.strictObject({
  topics: v.optional(
    v.pipe(
      v.array(v.string('must be a topic name'), 'must be an array of topic names'),
      v.minLength(1, 'must not be empty'),
    ),
  ),
  partitions: v.optional(
    v.pipe(
      v.array(
        v.pipe(
          v.number('must be a number'),
          v.integer('must be a whole number'),
          v.minValue(0, 'must not be negative'),
        ),
        'must be an array of numbers',
      ),
      v.minLength(1, 'must not be empty'),
    ),
  ),
  maxRecords: v.optional(
    v.pipe(
      v.number('must be a number'),
      v.integer('must be a whole number'),
      v.minValue(1, 'must be 1 at least'),
      v.maxValue(MAX_INT32, `must be at most ${MAX_INT32}`),
    ),
  ),
});

/** How an event may narrow a pull. */
export type PullWish = v.InferOutput<typeof wishSchema>;

export const wishMembers = Object.keys(wishSchema.entries);

/** Throws MALFORMED_REQUEST where a member has the wrong type or is unknown: with a typo it would pull everything. */
export function readWish(members: unknown): PullWish {
  const { success, output, issues } = v.safeParse(wishSchema, members, { abortEarly: true });
  if (success) return output;
  const validationErrors = issues.map((issue) => ({
    path: (v.getDotPath(issue) ?? '').slice(0, MAX_PATH_LENGTH),
    message:
      issue.type === 'strict_object' ? `is not known: there are ${wishMembers.join(', ')}` : issue.message,
  }));
  const sentence = validationErrors.map(({ path, message }) => `${path} ${message}`).join('; ');
  throw new Failure('MALFORMED_REQUEST', `the event asks for a pull that cannot be: ${sentence}`, {
    validationErrors,
  });
}
