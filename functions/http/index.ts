/** The functions behind one HTTP server: an HTTP function, a container, a process anywhere. */

import { type Failure, toFailure } from '../../src/errors.ts';
import { createLog, type Log, logLevel } from '../../src/log.ts';
import { processEnvironment as environment } from '../../src/settings.ts';
import { readConfig } from '../../src/variables.ts';
import { readCheckConfig } from '../connectivity-check/run-check.ts';
import { type Waiting, waitingDeadLetters, waitingRecords } from '../consume-batch/backlog.ts';
import { closeResources, pullConfigOf, warm as warmConsumer } from '../consume-batch/warm.ts';
import { warm } from '../produce/warm.ts';
import { httpConfig } from './config.ts';
import { drainOn } from './drain.ts';
import { Metrics } from './metrics.ts';
import { routesOf } from './routes.ts';
import { createHttpServer } from './server.ts';

const WARM_UP_MS = 10_000;
/** Well below the 10 s that Prometheus waits for a scrape. */
const ASK_MS = 2_000;

try {
  start();
} catch (error) {
  createLog('error').error('the server cannot start', { error });
  process.exitCode = 1;
}

function start(): void {
  const { http: config, level } = readConfig(environment, (variables) => ({
    http: httpConfig(variables),
    level: logLevel(variables),
  }));
  const log = createLog(level);
  const metrics = new Metrics({
    producer: producerFigures,
    waitingRecords: () => waiting(waitingRecords),
    waitingDeadLetters: () => waiting(waitingDeadLetters),
  });
  const observe = metrics.observe.bind(metrics);
  const server = createHttpServer(routesOf(environment, config, metrics), config, { log, observe });
  server.on('error', (error) => {
    log.error('the server cannot listen', { host: config.host, port: config.port, error });
    process.exit(1);
  });
  server.listen(config.port, config.host, () => {
    log.info('listening', { host: config.host, port: config.port });
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    drainOn(signal, server, { log, close: closeResources });
  const problems = configurationProblems();
  tell(problems, log);
  if (problems.has('produce')) return;
  // Connects now, so that the first request doesn't pay for it.
  warm(environment)
    .producer.open(Date.now() + WARM_UP_MS)
    .catch((error: unknown) => log.warn('no connection to Kafka yet; each request tries again', { error }));
}

/** Why functions can't work, by their names. */
function configurationProblems(): Map<string, Failure> {
  const readers = {
    produce: warm,
    'consume-batch': pulls() ? pullConfigOf : warmConsumer,
    'connectivity-check': readCheckConfig,
  };
  const problems = new Map<string, Failure>();
  for (const [name, read] of Object.entries(readers)) {
    try {
      read(environment);
    } catch (error) {
      problems.set(name, toFailure(error));
    }
  }
  return problems;
}

/**
 * Logs each problem once for all functions that it concerns. The server runs all the same, because other functions
 * may be configured well. Each request to such a function reports its problem again.
 */
function tell(problems: ReadonlyMap<string, Failure>, log: Log): void {
  const byMessage = new Map([...problems.values()].map((error) => [error.message, error]));
  for (const error of byMessage.values()) {
    const names = [...problems].flatMap(([name, { message }]) => (message === error.message ? [name] : []));
    log.error(`not usable as configured: ${names.join(', ')}`, { code: error.code, error });
  }
}

/** Empty where nothing is pulled, or the configuration can't be used. */
async function waiting(ask: typeof waitingRecords): Promise<Waiting[]> {
  if (!pulls()) return [];
  try {
    return await ask(environment, Date.now() + ASK_MS);
  } catch {
    return [];
  }
}

/** Whether a pull is configured, even in part. */
function pulls(): boolean {
  return ['KAFKA_GROUP_ID', 'CONSUME_TOPICS'].some((name) => environment(name));
}

/** Undefined while the configuration can't be used, which every other route reports. */
function producerFigures() {
  try {
    return warm(environment).producer.figures;
  } catch {
    return undefined;
  }
}
