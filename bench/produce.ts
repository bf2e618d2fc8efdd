/**
 * Sends one request at a time, as an event function gets them. Compares the produce bundle with kafkajs alone, which does
 * no HTTP, no validation and no reading of JSON. SASL_SSL, acks=all, idempotence, one record of 1 KB.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as esbuild } from 'esbuild';
import { Partitioners } from 'kafkajs';
import { build } from '../build.ts';
import { withProgress } from '../local/console.ts';
import { type KafkaCluster, withKafka } from '../local/kafka/cluster.ts';
import { environmentOf } from '../local/kafka/sandbox.ts';
import { median, percentile, printTable } from './figures.ts';
import { kafkajs } from './kafkajs.ts';

const WARM_UP = 300;
const INVOCATIONS = 2_000;
const COLD_STARTS = 15;
const VALUE = { text: 'x'.repeat(1_000) };

type Handler = (event: unknown, context: unknown) => Promise<{ statusCode: number; body: string }>;

export async function run(): Promise<void> {
  await withKafka({ tunedFor: 'throughput' }, async (cluster) => {
    await cluster.createTopic('bench');
    const directory = await mkdtemp(join(tmpdir(), 'bench-produce-'));
    try {
      const [ours] = await build({ functions: ['produce'], outdir: directory });
      if (!ours) throw new Error('produce was not built');
      const bare = await buildBare(directory);
      await warmInvocations(cluster, join(ours.directory, 'index.js'));
      await coldStarts(cluster, join(ours.directory, 'index.js'), bare);
      printTable(['bundle', 'bytes'], [['produce', ours.bytes.bundle]]);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
}

async function warmInvocations(cluster: KafkaCluster, bundle: string): Promise<void> {
  const { handler } = createRequire(import.meta.url)(bundle) as { handler: Handler };
  const event = apigEvent();
  const context = contextWith(environmentOf(cluster));
  const ours = async () => {
    const { statusCode, body } = await handler(event, context);
    if (statusCode !== 200) throw new Error(body);
  };

  const createPartitioner = Partitioners.DefaultPartitioner;
  const producer = kafkajs(environmentOf(cluster)).producer({ idempotent: true, createPartitioner });
  await producer.connect();
  const value = JSON.stringify(VALUE);
  const bare = () => producer.send({ topic: 'bench', acks: -1, messages: [{ key: 'a', value }] });

  const samples = await withProgress(`Invoking ${INVOCATIONS} times each`, () => interleaved(ours, bare));
  await producer.disconnect();
  const middle = (name: keyof typeof samples) => {
    const { ms, user, system } = samples[name];
    const all = {
      p50: percentile(ms, 0.5),
      p99: percentile(ms, 0.99),
      user: mean(user),
      system: mean(system),
    };
    return Object.values({ ...all, cpu: all.user + all.system });
  };
  const [produced, sent] = [middle('ours'), middle('bare')];
  printTable(
    ['warm invocation', 'p50 ms', 'p99 ms', 'user µs', 'system µs', 'CPU µs'],
    [
      ['produce bundle', ...produced],
      ['kafkajs send', ...sent],
      ['ratio', ...produced.map((figure, at) => figure / (sent[at] ?? Number.NaN))],
    ],
  );
  console.log();
}

/** For each call its time, and the CPU in microseconds that the process used meanwhile. */
interface Calls {
  ms: number[];
  user: number[];
  system: number[];
}

async function interleaved(
  ours: () => Promise<unknown>,
  bare: () => Promise<unknown>,
): Promise<{ ours: Calls; bare: Calls }> {
  const none = (): Calls => ({ ms: [], user: [], system: [] });
  const samples = { ours: none(), bare: none() };
  const quiet = console.info;
  console.info = () => {};
  for (let i = 0; i < WARM_UP + INVOCATIONS; i++) {
    for (const [name, call] of [['ours', ours] as const, ['bare', bare] as const]) {
      const cpu = process.cpuUsage();
      const started = performance.now();
      await call();
      const ms = performance.now() - started;
      const { user, system } = process.cpuUsage(cpu);
      if (i < WARM_UP) continue;
      samples[name].ms.push(ms);
      samples[name].user.push(user);
      samples[name].system.push(system);
    }
  }
  console.info = quiet;
  return samples;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

async function coldStarts(cluster: KafkaCluster, ours: string, bare: string): Promise<void> {
  const driver = join(ours, '..', 'first-call.cjs');
  await writeFile(driver, FIRST_CALL);
  const environment = {
    ...environmentOf(cluster),
    PATH: process.env.PATH ?? '',
    BENCH_EVENT: JSON.stringify(apigEvent()),
  };
  const times: Record<'ours' | 'bare', { start: number[]; load: number[] }> = {
    ours: { start: [], load: [] },
    bare: { start: [], load: [] },
  };
  await withProgress(`Starting ${COLD_STARTS} times each`, async () => {
    for (let i = 0; i <= COLD_STARTS; i++) {
      for (const [name, script, args] of [
        ['ours', driver, [ours]] as const,
        ['bare', bare, [] as string[]] as const,
      ]) {
        const started = performance.now();
        const child = spawnSync(process.execPath, [script, ...args], { env: environment, encoding: 'utf8' });
        const elapsed = performance.now() - started;
        const report = /LOADED (\S+) ACKNOWLEDGED/.exec(child.stdout);
        if (!report) throw new Error(`${name}: ${child.stdout}${child.stderr}`);
        // The first round warms the file cache.
        if (i === 0) continue;
        times[name].start.push(elapsed);
        times[name].load.push(Number(report[1]));
      }
    }
  });
  printTable(
    ['cold start, ms (median)', 'process start to acknowledgement', 'require'],
    [
      ['produce bundle', median(times.ours.start), median(times.ours.load)],
      ['kafkajs bundle', median(times.bare.start), median(times.bare.load)],
      [
        'ratio',
        median(times.ours.start) / median(times.bare.start),
        median(times.ours.load) / median(times.bare.load),
      ],
    ],
  );
  console.log();
}

/** Calls initializer and handler once, as the platform does at a cold start. */
const FIRST_CALL = `
const before = performance.now();
const { handler, initializer } = require(process.argv[2]);
const loaded = performance.now() - before;
const context = { getRequestID: () => 'r', getRemainingTimeInMilliSeconds: () => 10000, getUserData: () => undefined };
console.info = () => {};
initializer(context, () => {}).then(() => handler(JSON.parse(process.env.BENCH_EVENT), context)).then((answer) => {
  if (answer.statusCode !== 200) throw new Error(answer.body);
  process.stdout.write('LOADED ' + loaded + ' ACKNOWLEDGED', () => process.exit(0));
});
`;

async function buildBare(directory: string): Promise<string> {
  const outfile = join(directory, 'bare.cjs');
  await esbuild({
    stdin: { contents: BARE, resolveDir: fileURLToPath(new URL('..', import.meta.url)) },
    bundle: true,
    platform: 'node',
    target: 'node20.15',
    format: 'cjs',
    minify: true,
    outfile,
  });
  return outfile;
}

const BARE = `
const before = performance.now();
const { Kafka, logLevel, Partitioners } = require('kafkajs');
const loaded = performance.now() - before;
const { readFileSync } = require('node:fs');
const e = process.env;
const kafka = new Kafka({
  brokers: e.KAFKA_BOOTSTRAP_SERVERS.split(','),
  ssl: { ca: readFileSync(e.KAFKA_SSL_CA_LOCATION, 'utf8') },
  sasl: { mechanism: 'scram-sha-512', username: e.KAFKA_SASL_USERNAME, password: e.KAFKA_SASL_PASSWORD },
  logLevel: logLevel.NOTHING,
  connectionTimeout: 5000,
});
const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
producer.connect()
  .then(() => producer.send({ topic: 'bench', acks: -1, messages: [{ key: 'a', value: '${JSON.stringify(VALUE)}' }] }))
  .then(() => process.stdout.write('LOADED ' + loaded + ' ACKNOWLEDGED', () => process.exit(0)));
`;

function apigEvent(): unknown {
  const body = JSON.stringify({ records: [{ key: 'a', value: VALUE }] });
  return {
    httpMethod: 'POST',
    path: '/topics/bench',
    headers: { 'content-type': 'application/json' },
    queryStringParameters: {},
    pathParameters: {},
    requestContext: { requestId: 'r', stage: 'RELEASE', apiId: 'a' },
    body: Buffer.from(body).toString('base64'),
    isBase64Encoded: true,
  };
}

function contextWith(variables: Record<string, string>): unknown {
  return {
    getRequestID: () => 'r',
    getRemainingTimeInMilliSeconds: () => 30_000,
    getUserData: (name: string) => variables[name],
  };
}
