import { httpHandler } from '../../src/platform/http-function.ts';
import { initializerOf } from '../../src/platform/initializer.ts';
import { refusal } from './response.ts';
import { warm } from './warm.ts';

export const handler = httpHandler(
  (request, { environment, deadline }) => warm(environment).publish(request, deadline),
  refusal,
  // Each of its routes asks for itself.
  'nothing',
);

export const initializer = initializerOf(({ environment, deadline }) =>
  warm(environment).producer.open(deadline),
);
