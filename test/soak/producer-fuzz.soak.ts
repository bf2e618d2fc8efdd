import { test } from 'node:test';
import { fuzzProducer } from '../kafka/producer-fuzz.ts';

for (const release of [undefined, '2.7.2'] as const) {
  test(`20,000 produce calls over faulty connections, Kafka ${release ?? 'of npm start'}: every answer is what the log says`, (t) =>
    fuzzProducer(t, { calls: 20_000, ...(release && { release }) }));
}
