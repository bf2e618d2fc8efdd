/**
 * Compares pulls with kafkajs's group consumer and kcat, over SASL_SSL: 600 waiting records, as a timer finds them, in a
 * warm instance; and a long pull of 1 KB records with a handler that does nothing.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../build.ts';
import { withProgress } from '../local/console.ts';
import { type KafkaCluster, withKafka } from '../local/kafka/cluster.ts';
import { environmentOf } from '../local/kafka/sandbox.ts';
import { bundleContestant } from './bundle.ts';
import { median, printTable } from './figures.ts';
import { kafkajs, takeBatches } from './kafkajs.ts';

const WAITING = 600;
const PULLS = 15;
const DRAINS = 3;
const LONG = 1_200_000;
const ROUNDS = 3;
const MEMORY_BYTES = 64 * 1024 * 1024;
const VALUE = 'x'.repeat(1_024);
const PARTITIONS = 6;

type Handler = (event: unknown, context: unknown) => Promise<{ processed: number; ms: number }>;

export async function run(): Promise<void> {
  // Kafka's own default, which the embedded one shortens for the tests.
  const properties = { 'group.initial.rebalance.delay.ms': '3000' };
  await withKafka({ tunedFor: 'throughput', properties }, async (cluster) => {
    const directory = await mkdtemp(join(tmpdir(), 'bench-consume-'));
    try {
      const [bundle] = await build({ functions: ['consume-batch'], outdir: directory });
      if (!bundle) throw new Error('consume-batch was not built');
      await waitingRecords(cluster, join(bundle.directory, 'index.js'));
      await longPull(cluster, await bundleContestant('consume-contestant.ts', directory));
      printTable(['bundle', 'bytes'], [['consume-batch', bundle.bytes.bundle]]);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
}

async function waitingRecords(cluster: KafkaCluster, bundle: string): Promise<void> {
  await cluster.createTopic('waiting', { partitions: PARTITIONS });
  await cluster.createTopic('waiting.dead-letter', { partitions: 1 });
  const { handler } = createRequire(import.meta.url)(bundle) as { handler: Handler };
  const context = contextWith({
    ...environmentFor(cluster),
    ...{ KAFKA_GROUP_ID: 'bench-ours', CONSUME_TOPICS: 'waiting', LOG_LEVEL: 'error' },
  });
  const pull = async () => {
    await publish(cluster, 'waiting', WAITING, '{"n":1}');
    const started = performance.now();
    const { processed } = await handler({}, context);
    if (processed !== WAITING) throw new Error(`${processed} records were pulled`);
    return performance.now() - started;
  };
  const ours = await withProgress(`Pulling ${WAITING} records, ${PULLS} times`, async () => {
    await pull();
    return repeated(PULLS, pull);
  });
  const theirs = await withProgress(
    `Draining ${WAITING} records as a group member, ${DRAINS} times`,
    async () =>
      repeated(DRAINS, async () => {
        await publish(cluster, 'waiting', WAITING, '{"n":1}');
        return drainAsMember(cluster, WAITING);
      }),
  );
  printTable(
    [`${WAITING} waiting records, ms`, 'median'],
    [
      ['consume-batch bundle, warm, whole invocation', median(ours)],
      ['kafkajs group consumer that drains and leaves', median(theirs)],
      ['times faster', median(theirs) / median(ours)],
    ],
  );
  console.log();
}

/** As a function would with kafkajs alone: join, drain, leave. */
async function drainAsMember(cluster: KafkaCluster, count: number): Promise<number> {
  const started = performance.now();
  const consumer = kafkajs(environmentFor(cluster)).consumer({ groupId: 'bench-kafkajs' });
  await consumer.connect();
  await consumer.subscribe({ topic: 'waiting', fromBeginning: true });
  await takeBatches(consumer, count);
  await consumer.disconnect();
  // The first drain of the group begins with what was pulled before.
  return performance.now() - started;
}

async function longPull(cluster: KafkaCluster, script: string): Promise<void> {
  await cluster.createTopic('long', { partitions: PARTITIONS });
  await withProgress(`Publishing ${LONG} records`, () => publish(cluster, 'long', LONG, VALUE));
  const contestants: [string, () => Promise<number>][] = [
    [
      'pull, KAFKA_CHECK_CRCS=true',
      async () => (await contestant(script, cluster, 'ours', { CHECK: 'true' })).rate,
    ],
    [
      'pull, KAFKA_CHECK_CRCS=false',
      async () => (await contestant(script, cluster, 'ours', { CHECK: 'false' })).rate,
    ],
    [
      'kafkajs eachBatch, from its first fetch',
      async () => (await contestant(script, cluster, 'kafkajs')).rate,
    ],
  ];
  if (spawnSync('kcat', ['-V']).status === 0) contestants.push(['kcat -C', () => kcat(cluster)]);
  else console.error('kcat is not installed (Debian package kcat): its row is left out.');
  const rates = new Map<string, number[]>();
  await withProgress(`Reading ${LONG} records, ${ROUNDS} rounds`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, read] of contestants) rates.set(name, [...(rates.get(name) ?? []), await read()]);
    }
  });
  const theirs = median(rates.get('kafkajs eachBatch, from its first fetch') ?? []);
  printTable(
    ['1 KB records, a handler that does nothing', 'records/s', 'of kafkajs'],
    [...rates].map(([name, samples]) => [name, median(samples), median(samples) / theirs]),
  );
  const { base, peak } = await contestant(script, cluster, 'ours', { MAX_BYTES: String(MEMORY_BYTES) });
  printTable(
    ['memory of a pull with CONSUME_MAX_BYTES = 64 MiB', 'MiB'],
    [
      ['before', base],
      ['at its peak', peak],
      ['of CONSUME_MAX_BYTES', (peak - base) / (MEMORY_BYTES / 1024 / 1024)],
    ],
  );
  console.log();
}

interface Reading {
  rate: number;
  /** Resident memory in MiB, before and at its peak. */
  base: number;
  peak: number;
}

/** In a process of its own, so that no contestant collects another's garbage. */
async function contestant(
  script: string,
  cluster: KafkaCluster,
  name: 'ours' | 'kafkajs',
  variables: Record<string, string> = {},
): Promise<Reading> {
  const child = spawn(process.execPath, [script, name, 'long', String(LONG)], {
    env: { ...process.env, ...environmentFor(cluster), ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${name} ended with ${code}`);
  return JSON.parse(output) as Reading;
}

/** With PLAIN, because Debian's kcat sends a SCRAM nonce that Kafka 4 refuses (librdkafka#4895). */
async function kcat(cluster: KafkaCluster): Promise<number> {
  const { username, password } = cluster.users.app;
  const properties = {
    'security.protocol': 'SASL_SSL',
    'sasl.mechanism': 'PLAIN',
    'sasl.username': username,
    'sasl.password': password,
    'ssl.ca.location': cluster.caLocation,
    'ssl.endpoint.identification.algorithm': 'none',
    'check.crcs': 'true',
  };
  const options = Object.entries(properties).flatMap(([key, value]) => ['-X', `${key}=${value}`]);
  const started = performance.now();
  const args = ['-C', '-q', '-e', '-o', 'beginning', '-t', 'long', '-f', '%o\\n'];
  const child = spawn('kcat', ['-b', cluster.bootstrapServers.SASL_SSL, ...options, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`kcat ended with ${code}`);
  return LONG / ((performance.now() - started) / 1_000);
}

async function publish(cluster: KafkaCluster, topic: string, count: number, value: string): Promise<void> {
  const producer = kafkajs(environmentFor(cluster)).producer();
  await producer.connect();
  const size = 900;
  for (let at = 0; at < count; at += size * PARTITIONS) {
    const messages = Array.from({ length: Math.min(size * PARTITIONS, count - at) }, (_, n) => ({
      key: `${at + n}`,
      value,
      partition: n % PARTITIONS,
    }));
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}

async function repeated<T>(times: number, task: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let n = 0; n < times; n++) results.push(await task());
  return results;
}

function environmentFor(cluster: KafkaCluster): Record<string, string> {
  return { ...environmentOf(cluster), KAFKA_SASL_MECHANISM: 'PLAIN' };
}

function contextWith(variables: Record<string, string>) {
  return {
    getRequestID: () => 'bench',
    getRemainingTimeInMilliSeconds: () => 60_000,
    getUserData: (name: string) => variables[name],
  };
}
