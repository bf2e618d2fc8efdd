import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import { Producer } from '../../src/kafka/produce/producer.ts';
import { createLog } from '../../src/log.ts';
import { type Environment, readConfig } from '../../src/variables.ts';
import { functionConfig, type PullConfig, pullConfig } from './config.ts';
import { Consumer } from './consume.ts';

const MIB = 1024 * 1024;
/** A record that came from a topic should fit into another one, so the cluster's limit decides. */
const MAX_REQUEST_BYTES = 16 * MIB;
const MAX_QUEUE_BYTES = 64 * MIB;

let instance: ReturnType<typeof start> | undefined;
let pull: PullConfig | undefined;

/** Kept by this instance from call to call. A configuration that can't be used is read again next time. */
export function warm(environment: Environment) {
  instance ??= start(environment);
  return instance;
}

/** Read at the first pull, because records of a trigger don't need it. Everything wrong is reported together. */
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

/** The HTTP server closes them itself, after its last request. */
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
  // Dead letters and forwarded records are on every replica before their offsets are committed.
  const producer = new Producer(connection, { ...config.producer, ...limits, acks: 'all' }, log);
  const consumer = new Consumer({ connection, producer, config: config.consume, log });
  closeAtEnd();
  const { topics, partialResponse } = config;
  return { connection, producer, consumer, log, topics, partialResponse };
}
