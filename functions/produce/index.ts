import {
  connectionConfig,
  type Environment,
  logLevel,
  produceConfig,
  producerConfig,
  readConfig,
} from '../../src/config.ts';
import { clientOptions } from '../../src/kafka/client-options.ts';
import { Connection } from '../../src/kafka/connection.ts';
import { Producer } from '../../src/kafka/producer.ts';
import { createLog } from '../../src/log.ts';
import { httpHandler } from '../../src/platform/http-function.ts';
import { initializerOf } from '../../src/platform/initializer.ts';
import { createPublish } from './publish.ts';

export const handler = httpHandler((request, { environment, deadline }) =>
  warm(environment).publish(request, deadline),
);

export const initializer = initializerOf(({ environment, deadline }) =>
  warm(environment).producer.warm(deadline),
);

let instance: ReturnType<typeof start> | undefined;

/** What this instance keeps from call to call. A configuration that can't be used is read again next time. */
function warm(environment: Environment) {
  instance ??= start(environment);
  return instance;
}

function start(environment: Environment) {
  const config = readConfig(environment, (variables) => ({
    connection: connectionConfig(variables),
    producer: producerConfig(variables),
    produce: produceConfig(variables),
    logLevel: logLevel(variables),
  }));
  const log = createLog(config.logLevel);
  const connection = new Connection(clientOptions(config.connection), log);
  const producer = new Producer(connection, config.producer, log);
  return { producer, publish: createPublish({ producer, config: config.produce, log }) };
}
