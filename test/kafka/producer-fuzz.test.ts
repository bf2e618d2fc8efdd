/** The short form; `npm run test:soak` has the long one, and one on an old broker. */
import { test } from 'node:test';
import { fuzzProducer } from './producer-fuzz.ts';

test(
  '500 produce calls over faulty connections: every answer is what the log says',
  { timeout: 300_000 },
  (t) => fuzzProducer(t, { calls: 500 }),
);
