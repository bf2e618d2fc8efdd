import { consumerHandler } from '../../src/platform/consumer-function.ts';
import { initializerOf } from '../../src/platform/initializer.ts';
import { refuseForeignTopics } from './foreign-topics.ts';
import { wishMembers } from './pull/pull-wish.ts';
import { pull, servePull } from './serve.ts';
import { warm } from './warm.ts';

export const handler = consumerHandler({
  push: async (records, call) => {
    const { consumer, topics, partialResponse } = warm(call.environment);
    refuseForeignTopics(records, topics);
    return { ...(await consumer.push(records, call)), partialResponse };
  },
  pull,
  serve: servePull,
  wishes: wishMembers,
});

export const initializer = initializerOf(({ environment, deadline }) => {
  const { consumer, topics } = warm(environment);
  return consumer.open(topics, deadline);
});
