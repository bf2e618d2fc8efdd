import { kafkaForTests } from '../support/cluster.ts';

/** One cluster for all of consume-batch's cases: starting one takes seconds. Its log cleaner doesn't wait. */
export const cluster = await kafkaForTests({
  properties: { 'log.cleaner.backoff.ms': '100', 'log.initial.task.delay.ms': '100' },
});
