/**
 * `npm start`: the functions as the platform runs them, against a real Kafka, on this machine. Ctrl-C
 * ends all of it, and nothing outlives this process in any case.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../build.ts';
import { dim, withProgress } from './console.ts';
import { startGateway } from './functiongraph/gateway.ts';
import { type Runtime, startRuntime } from './functiongraph/runtime.ts';
import { startSandboxKafka } from './kafka/sandbox.ts';

const DEFAULT_PORT = 8080;
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
  const environment = { ...(await kafkaEnvironment()), ...ownVariables() };
  const runtimes = await startFunctions(environment);
  const port = Number(process.env.PORT ?? DEFAULT_PORT);
  const gateway = await startGateway({ port, routes: routesTo(runtimes) });
  started.push(() => gateway.close());
  process.off('SIGINT', leave).off('SIGTERM', leave);
  printWhatToPaste(gateway.url);
  await new Promise((resolve) => {
    process.once('SIGINT', resolve).once('SIGTERM', resolve);
  });
}

/** The embedded Kafka's variables, or none where the environment names a cluster. */
async function kafkaEnvironment(): Promise<Record<string, string>> {
  if (process.env.KAFKA_BOOTSTRAP_SERVERS) return {};
  const { cluster, environment } = await startSandboxKafka();
  started.push(() => cluster.stop());
  return environment;
}

function ownVariables(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => VARIABLE.test(name));
  return Object.fromEntries(own.map(([name, value]) => [name, value ?? '']));
}

async function startFunctions(environment: Record<string, string>): Promise<Map<string, Runtime>> {
  const outdir = await mkdtemp(join(tmpdir(), 'kafka-functions-'));
  started.push(() => rm(outdir, { recursive: true, force: true }));
  const built = await withProgress('Building the functions', () => build({ outdir }));
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
`);
  console.error(dim('Ctrl-C stops everything.'));
}
