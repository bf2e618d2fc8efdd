import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import { Producer } from '../../src/kafka/produce/producer.ts';
import { createLog } from '../../src/log.ts';
import { type Environment, readConfig } from '../../src/variables.ts';
import { functionConfig } from './config.ts';
import { createPublish, createRoute } from './publish.ts';

let instance: ReturnType<typeof start> | undefined;

/** Kept by this instance from call to call. A configuration that can't be used is read again next time. */
export function warm(environment: Environment) {
  instance ??= start(environment);
  return instance;
}

function start(environment: Environment) {
  const config = readConfig(environment, functionConfig);
  const log = createLog(config.logLevel);
  const connection = new Connection(clientOptions(config.connection), log);
  const producer = new Producer(connection, config.producer, log);
  const publisher = { producer, config: config.produce, log };
  return { connection, producer, publish: createPublish(publisher), route: createRoute(publisher) };
}
