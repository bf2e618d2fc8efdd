/**
 * `npm start`: the functions as the platform runs them, against a real Kafka, on this machine. Ctrl-C
 * ends all of it, and nothing outlives this process in any case.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../build.ts';
import { readConfig } from '../src/variables.ts';
import { callerProblem } from './callers.ts';
import { dim, withProgress } from './console.ts';
import { type GatewayOptions, startGateway } from './functiongraph/gateway.ts';
import { startKafkaTrigger } from './functiongraph/kafka-trigger.ts';
import { type Runtime, startRuntime } from './functiongraph/runtime.ts';
import { startTimerTrigger } from './functiongraph/timer.ts';
import type { KafkaCluster } from './kafka/cluster.ts';
import { areFree } from './kafka/ports.ts';
import { type SandboxKafka, startSandboxKafka } from './kafka/sandbox.ts';

const FUNCTIONS = ['produce', 'consume-batch', 'connectivity-check'];
const DEFAULT_PORT = 8080;
const CHECK_EVERY_MS = 60_000;
/** What consume-batch and the check need beside the cluster's own variables. */
const SAMPLE_VARIABLES = {
  KAFKA_GROUP_ID: 'orders-ingestion',
  CONSUME_TOPICS: 'orders',
  CHECK_TOPIC: 'orders',
};
/** What of this shell's environment is a variable of the functions (README, "Configuration"). */
const VARIABLE = /^(KAFKA|PRODUCE|CONSUME|CHECK|WEBHOOK|CLOUDEVENTS)_|^LOG_LEVEL$/;
const CREDENTIAL = /PASSWORD|SECRET|SINK_HEADERS/;

/** What has been started, ended in reverse order. */
const started: (() => Promise<unknown>)[] = [];

try {
  await run();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  for (const stop of started.reverse()) await stop().catch(() => {});
}

async function run(): Promise<void> {
  // While things start, ending is enough: what runs in other processes ends with this one.
  const leave = () => process.exit(130);
  process.on('SIGINT', leave).on('SIGTERM', leave);
  const port = await ownPort();
  const origins = readConfig(
    (name) => process.env[name],
    (variables) => variables.list('HTTP_CORS_ORIGINS'),
  );
  const embedded = await startEmbeddedKafka();
  const environment = { ...SAMPLE_VARIABLES, ...embedded?.environment, ...ownVariables() };
  const runtimes = await startFunctions(environment);
  if (embedded) await startKafkaTriggerFor(runtimes, embedded.cluster);
  startCheckTimer(runtimes);
  const problemOf: GatewayOptions['problemOf'] = (headers, ownPort) =>
    callerProblem(headers, ownPort, origins);
  const gateway = await startGateway({ port, routes: routesTo(runtimes), problemOf });
  started.push(() => gateway.close());
  process.off('SIGINT', leave).off('SIGTERM', leave);
  printWhatToPaste(gateway.url);
  await new Promise((resolve) => {
    process.once('SIGINT', resolve).once('SIGTERM', resolve);
  });
}

/** Looked at before anything is started for it. */
async function ownPort(): Promise<number> {
  const text = process.env.PORT ?? String(DEFAULT_PORT);
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new Error('PORT must be a port number');
  if (port !== 0 && !(await areFree([port]))) {
    throw new Error(`port ${port} of 127.0.0.1 is in use: set PORT to another one`);
  }
  return port;
}

/** Undefined where the environment names a cluster of one's own. */
async function startEmbeddedKafka(): Promise<SandboxKafka | undefined> {
  if (process.env.KAFKA_BOOTSTRAP_SERVERS) return undefined;
  const sandbox = await startSandboxKafka();
  started.push(() => sandbox.cluster.stop());
  return sandbox;
}

/** Delivers what is published to `orders`. In a cluster of one's own nothing is consumed that nobody asked for. */
async function startKafkaTriggerFor(
  runtimes: Map<string, Runtime>,
  { bootstrapServers, caPem, users: { app } }: KafkaCluster,
): Promise<void> {
  const runtime = runtimes.get('consume-batch');
  if (!runtime) return;
  const trigger = await startKafkaTrigger({
    runtime,
    topics: [SAMPLE_VARIABLES.CONSUME_TOPICS],
    onResult: (result) => {
      if (!result.ok)
        console.error(dim('consume-batch failed; the trigger does not deliver the records again'));
    },
    kafka: {
      brokers: bootstrapServers.SASL_SSL.split(','),
      ssl: { ca: caPem },
      sasl: { mechanism: 'scram-sha-512', ...app },
    },
  });
  started.push(() => trigger.stop());
}

function startCheckTimer(runtimes: Map<string, Runtime>): void {
  const runtime = runtimes.get('connectivity-check');
  if (!runtime) return;
  const timer = startTimerTrigger({ runtime, name: 'every-minute', everyMs: CHECK_EVERY_MS });
  started.push(async () => timer.stop());
}

function ownVariables(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => VARIABLE.test(name));
  return Object.fromEntries(own.map(([name, value]) => [name, value ?? '']));
}

async function startFunctions(environment: Record<string, string>): Promise<Map<string, Runtime>> {
  const outdir = await mkdtemp(join(tmpdir(), 'kafka-functions-'));
  started.push(() => rm(outdir, { recursive: true, force: true }));
  const built = await withProgress('Building the functions', () => build({ outdir, functions: FUNCTIONS }));
  const isCredential = ([name]: [string, string]) => CREDENTIAL.test(name);
  const variables = Object.entries(environment);
  return new Map(
    built.map(({ name, directory }) => {
      const runtime = startRuntime({
        directory,
        functionName: name,
        initializer: 'index.initializer',
        userData: Object.fromEntries(variables.filter((variable) => !isCredential(variable))),
        encryptedUserData: Object.fromEntries(variables.filter(isCredential)),
        onLog: (line) => process.stderr.write(`${dim(`${name} ${line}`)}\n`),
      });
      started.push(() => runtime.stop());
      return [name, runtime];
    }),
  );
}

function routesTo(runtimes: Map<string, Runtime>) {
  const route = (name: string, match: { method?: string; path?: string }) => {
    const runtime = runtimes.get(name);
    return runtime ? [{ ...match, runtime }] : [];
  };
  return [
    ...route('connectivity-check', { path: '/connectivity-check' }),
    ...route('consume-batch', { method: 'POST', path: '/consume-batch' }),
    ...route('produce', {}),
  ];
}

function printWhatToPaste(url: string): void {
  console.log(`
Ready. Publish a record:

  curl -s -XPOST -H 'content-type: application/json' \\
    --data '{"records":[{"key":"a","value":{"n":1}}]}' ${url}/topics/orders

Be told whether, and where, the connection fails (or open it in a browser):

  curl -s ${url}/connectivity-check

Pull now what a consumer group has waiting:

  curl -s -XPOST ${url}/consume-batch
`);
  console.error(dim('Ctrl-C stops everything.'));
}
