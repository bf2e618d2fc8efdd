/**
 * `npm start`: runs what `serverless.yml` deploys on this machine, as the platform would, against a real Kafka. Ctrl-C
 * ends all of it, and nothing outlives this process however it ends.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownFunctions } from '../build/function-readers.ts';
import { settingsOf } from '../build/settings.ts';
import { build, functionSources, isFunctionSource } from '../build.ts';
import type { FunctionDescription } from '../deploy/description.ts';
import { readConfig } from '../src/variables.ts';
import { visible } from '../src/visible.ts';
import { type StartArguments, startArguments, USAGE } from './arguments.ts';
import { callerProblem } from './callers.ts';
import { dim, withProgress } from './console.ts';
import { removeEnvFile, writeEnvFile } from './env-file.ts';
import {
  functionVariables,
  shellOnly,
  startEnvironment,
  type Values,
  withoutCredentials,
} from './function-variables.ts';
import { type GatewayOptions, startGateway } from './functiongraph/gateway.ts';
import { startRuntime } from './functiongraph/runtime.ts';
import { areFree } from './kafka/ports.ts';
import { type SandboxKafka, type SandboxTopic, startSandboxKafka } from './kafka/sandbox.ts';
import { namedTopics } from './named-topics.ts';
import { routesTo } from './routes.ts';
import { readServerlessFile } from './serverless-file.ts';
import { type LocalSink, type StartedSink, startSink } from './sinks.ts';
import { type RunningTrigger, startTriggers, type TriggeredFunction } from './triggers.ts';
import { printWhatToPaste } from './what-to-paste.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STATE = join(ROOT, '.kafka-functions');
const ENV_FILE = join(STATE, 'env');
const DEFAULT_PORT = 8080;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Variables that `doctor` and `replay` need besides those of the cluster. */
const TOOL_VARIABLES = ['CONSUME_TOPICS', 'CHECK_TOPIC', 'CHECK_GROUP_ID'];

/** Ends what has been started, in reverse order. */
const started: (() => Promise<unknown>)[] = [];

try {
  const wanted = startArguments();
  if (wanted.help) console.log(USAGE);
  else await run(wanted);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  for (const stop of started.reverse()) await stop().catch(() => {});
}

async function run(wanted: StartArguments): Promise<void> {
  // During the start it is enough to exit: the other processes end with this one.
  const leave = () => process.exit(130);
  for (const signal of SIGNALS) process.on(signal, leave);
  const port = await ownPort();
  const hasOwnCluster = Boolean(process.env.KAFKA_BOOTSTRAP_SERVERS);
  if (hasOwnCluster && (wanted.topics.length > 0 || wanted.keep || wanted.sink)) {
    throw new Error(
      '--topics, --sink and --keep are of the embedded Kafka: unset KAFKA_BOOTSTRAP_SERVERS for it',
    );
  }
  const environment = startEnvironment(ROOT);
  const origins = readConfig(environment, (variables) => variables.list('HTTP_CORS_ORIGINS'));
  // In the user's own cluster the deployed functions may have a group; this one must differ.
  const stage = hasOwnCluster ? 'local' : 'dev';
  const { deployment, asked, unresolved } = readServerlessFile(join(ROOT, 'serverless.yml'), environment, {
    stage,
    more: usersFunctions(),
  });
  if (unresolved.length > 0) {
    notice(`serverless.yml: only osls resolves ${unresolved.join(', ')}; here they have no value.`);
  }
  const beyond = shellOnly(asked);
  if (beyond.length > 0) {
    notice(
      `From this shell: ${beyond.join(', ')}. A deployment has what serverless.yml and settings/ say, and not these.`,
    );
  }
  const descriptions = deployment.functions.filter(isServed);
  const settings = await settingsOf(functionSources(), join(ROOT, 'settings'));
  const bundled = descriptions.map(({ source }) => settings.get(source) ?? {});
  const variablesWith = (cluster: Values | undefined) =>
    descriptions.map((description) => functionVariables(description, asked, cluster));
  const embedded = hasOwnCluster
    ? undefined
    : await startEmbeddedKafka(
        namedTopics(
          variablesWith({}).map((values, at) => ({ ...bundled[at], ...values })),
          wanted.topics,
        ),
        wanted.keep,
      );
  const variables = variablesWith(embedded?.environment).map((values, at) =>
    publishable(values, bundled[at] ?? {}, wanted.topics),
  );
  const sink = wanted.sink && (await startOwnSink(wanted.sink, descriptions, variables));
  if (embedded)
    await offerEnvironment({ ...embedded.environment, ...sink?.variables }, variables, wanted.keep);
  const functions = await startFunctions(descriptions, variables);
  const triggers = hasOwnCluster && !wanted.triggers ? [] : await startAllTriggers(functions);
  const problemOf: GatewayOptions['problemOf'] = (headers, ownPort) =>
    callerProblem(headers, ownPort, origins);
  const gateway = await startGateway({ port, routes: routesTo(functions), problemOf, cors: true });
  started.push(() => gateway.close());
  const told = new Promise((resolve) => {
    for (const signal of SIGNALS) process.once(signal, resolve).off(signal, leave);
  });
  printWhatToPaste(gateway.url, { hasEnvFile: embedded !== undefined && existsSync(ENV_FILE), sink });
  noticeWhatRuns(triggers, embedded);
  await told;
  // A second signal doesn't wait for an orderly end.
  for (const signal of SIGNALS) process.on(signal, leave);
}

/** HTTP servers are not run here. Throws if the function has no source. */
function isServed({ key, source, runtime }: FunctionDescription): boolean {
  if (runtime === 'http')
    notice(`${key}: an HTTP server is not run here; docs/http-server.md says how it is.`);
  else if (!isFunctionSource(source)) {
    throw new Error(`serverless.yml: functions.${key}: there is no functions/${source}/index.ts`);
  }
  return runtime !== 'http';
}

/** Also those that `serverless.yml` doesn't have. */
function usersFunctions(): string[] {
  return functionSources().filter((name) => !ownFunctions.includes(name));
}

function notice(text: string): void {
  process.stderr.write(`${dim(visible(text))}\n`);
}

/** Checked before anything else is started. */
async function ownPort(): Promise<number> {
  const text = process.env.PORT ?? String(DEFAULT_PORT);
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new Error('PORT must be a port number');
  if (port !== 0 && !(await areFree([port]))) {
    throw new Error(`port ${port} of 127.0.0.1 is in use: set PORT to another one`);
  }
  return port;
}

async function startEmbeddedKafka(topics: readonly SandboxTopic[], keep: boolean): Promise<SandboxKafka> {
  const sandbox = await startSandboxKafka({ topics, directory: keep ? join(STATE, 'kafka') : undefined });
  started.push(() => sandbox.cluster.stop());
  return sandbox;
}

/** Starts a destination, and gives its variables to each consume-batch and to each check, which climbs to it. */
async function startOwnSink(
  name: LocalSink,
  descriptions: readonly FunctionDescription[],
  variables: Values[],
): Promise<StartedSink> {
  const consumer = descriptions.findIndex(({ source }) => source === 'consume-batch');
  const sink = await startSink(name, variables[consumer] ?? {});
  const topics = { CONSUME_TOPICS: variables[consumer]?.CONSUME_TOPICS ?? '' };
  started.push(sink.stop);
  for (const [at, { source }] of descriptions.entries()) {
    if (source !== 'produce') variables[at] = { ...variables[at], ...topics, ...sink.variables };
  }
  return sink;
}

/** Topics of `--topics` may be published to here, whatever the deployment allows. */
function publishable(values: Values, bundled: Values, own: readonly SandboxTopic[]): Values {
  const allowed = values.PRODUCE_TOPICS ?? bundled.PRODUCE_TOPICS;
  if (!allowed || own.length === 0) return values;
  const topics = [allowed, ...own.map(({ name }) => name)];
  return { ...values, PRODUCE_TOPICS: [...new Set(topics)].join(',') };
}

/** Lets other shells reach the embedded Kafka, and the sink's server. If the file can't be written, everything else still works. */
async function offerEnvironment(own: Values, functions: readonly Values[], keep: boolean): Promise<void> {
  const tools = TOOL_VARIABLES.flatMap((name): [string, string][] => {
    const value = functions.map((variables) => variables[name]).find(Boolean);
    return value === undefined ? [] : [[name, value]];
  });
  const variables = { ...own, ...Object.fromEntries(tools) };
  // Also if a signal ends the process during the start.
  if (!keep) process.once('exit', () => removeEnvFile(ENV_FILE, variables));
  try {
    await writeEnvFile(ENV_FILE, variables);
  } catch (error) {
    notice(`${ENV_FILE} could not be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}

async function startFunctions(
  descriptions: readonly FunctionDescription[],
  variables: readonly Values[],
): Promise<TriggeredFunction[]> {
  // Synchronously: between two turns a signal could leave it behind.
  const outdir = mkdtempSync(join(tmpdir(), 'kafka-functions-'));
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true, maxRetries: 5 }));
  const sources = [...new Set(descriptions.map(({ source }) => source))];
  const built = await withProgress('Building the functions', () => build({ outdir, functions: sources }));
  const directories = new Map(built.map(({ source: folder, directory }) => [folder, directory]));
  return descriptions.map((description, at) => {
    const { key, source, handler, initializer, timeout, initializerTimeout, memorySize } = description;
    const runtime = startRuntime({
      directory: directories.get(source) ?? '',
      functionName: key,
      handler,
      initializer,
      timeoutMs: timeout * 1_000,
      initializerTimeoutMs: initializerTimeout * 1_000,
      memoryMb: memorySize,
      ...withoutCredentials(description, variables[at] ?? {}),
      onLog: (line) => process.stderr.write(`${dim(`${key} ${line}`)}\n`),
    });
    started.push(() => runtime.stop());
    return { description, runtime, variables: variables[at] ?? {} };
  });
}

async function startAllTriggers(functions: readonly TriggeredFunction[]): Promise<RunningTrigger[]> {
  const options = { certificates: join(ROOT, 'certificates'), onNotice: notice };
  const running: RunningTrigger[] = [];
  for (const triggered of functions) running.push(...(await startTriggers(triggered, options)));
  started.push(...running.map(({ stop }) => stop));
  return running;
}

function noticeWhatRuns(triggers: readonly RunningTrigger[], embedded: SandboxKafka | undefined): void {
  if (embedded) {
    const topics = embedded.topics.map(({ name, partitions }) => `${name} (${partitions})`);
    notice(`Topics, with their partitions: ${topics.join(', ')}.`);
  }
  const labels = triggers.map(({ label }) => label);
  notice(
    labels.length > 0
      ? `Called by themselves: ${labels.join('; ')}.`
      : 'No timer and no trigger runs, since the cluster is your own: npm start -- --triggers runs them.',
  );
  notice('Ctrl-C stops everything.');
}
