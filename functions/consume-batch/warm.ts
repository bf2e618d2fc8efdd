import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import { Producer } from '../../src/kafka/produce/producer.ts';
import { createLog } from '../../src/log.ts';
import { type Environment, readConfig } from '../../src/variables.ts';
import { functionConfig, type PullConfig, pullConfig } from './config.ts';
import { Consumer } from './consume.ts';

const MIB = 1024 * 1024;
/** What came out of a topic fits into another one: the cluster's limit is the one that counts. */
const MAX_REQUEST_BYTES = 16 * MIB;
const MAX_QUEUE_BYTES = 64 * MIB;

let instance: ReturnType<typeof start> | undefined;
let pull: PullConfig | undefined;

/** What this instance keeps from call to call. A configuration that can't be used is read again next time. */
export function warm(environment: Environment) {
  instance ??= start(environment);
  return instance;
}

/** Read at the first pull, because a trigger's records need none of it; what is wrong is reported together. */
export function pullConfigOf(environment: Environment): PullConfig {
  pull ??= readConfig(environment, (variables) => ({
    ...functionConfig(variables),
    pull: pullConfig(variables),
  })).pull;
  return pull;
}

/** Closes what the pipeline opened. */
export async function closeResources(): Promise<void> {
  await instance?.consumer.close();
}

/** A server closes them by itself, once its requests are answered. */
function closeAtEnd(): void {
  if (process.listenerCount('SIGTERM') > 0) return;
  process.once('SIGTERM', () => void closeResources().finally(() => process.exit(0)));
}

function start(environment: Environment) {
  const config = readConfig(environment, functionConfig);
  const log = createLog(config.logLevel);
  const connection = new Connection(clientOptions(config.connection), log);
  const limits = {
    maxRequestSize: Math.max(config.producer.maxRequestSize, MAX_REQUEST_BYTES),
    maxQueueBytes: Math.max(config.producer.maxQueueBytes, MAX_QUEUE_BYTES),
  };
  // Dead letters and forwarded records are in the log on every replica before their offsets are committed.
  const producer = new Producer(connection, { ...config.producer, ...limits, acks: 'all' }, log);
  const consumer = new Consumer({ connection, producer, config: config.consume, log });
  closeAtEnd();
  const { topics, partialResponse } = config;
  return { connection, producer, consumer, log, topics, partialResponse };
}
