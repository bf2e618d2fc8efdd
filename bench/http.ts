/**
 * One record of 1 KB a request, from 1, 16 and 128 connections: our HTTP server; the same server with one
 * bare idempotent kafkajs `send` a request; the same server and function with no Kafka behind them; and the
 * server alone, which reads a body and answers. SASL_SSL, acks=all. Each contestant is a process of its own.
 */
import { type ChildProcess, execFile, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import autocannon from 'autocannon';
import { withProgress } from '../local/console.ts';
import { type KafkaCluster, withKafka } from '../local/kafka/cluster.ts';
import { bundleContestant } from './bundle.ts';
import { median, printTable } from './figures.ts';

const CONTESTANTS = ['ours', 'kafkajs', 'no Kafka', 'bare HTTP'] as const;
const CONNECTIONS = [1, 16, 128];
const ROUNDS = 5;
const WARM_UP_S = 5;
const ROUND_S = 3;
const BATCH = 100;

const hasWrk = spawnSync('wrk', ['-v']).error === undefined;

type Contestant = (typeof CONTESTANTS)[number];

interface Sample {
  perSecond: number;
  p50: number;
  p99: number;
}

export async function run(): Promise<void> {
  await withKafka({ tunedFor: 'throughput' }, async (cluster) => {
    await cluster.createTopic('bench');
    const script = await bundleContestant('http-contestant.ts', cluster.directory);
    const servers = await Promise.all(CONTESTANTS.map((name) => startServer(script, name, cluster)));
    try {
      for (const { url } of servers) {
        // One connection is served by other paths than many: both are to be compiled before they are measured.
        for (const connections of [128, 1]) await load(url, connections, WARM_UP_S, body(1));
      }
      for (const connections of CONNECTIONS) await compare(servers, connections);
      await batches(servers[0]?.url ?? '');
    } finally {
      for (const { child } of servers) child.kill();
    }
  });
}

interface Contender {
  name: Contestant;
  url: string;
  child: ChildProcess;
}

async function startServer(script: string, name: Contestant, cluster: KafkaCluster): Promise<Contender> {
  const { app } = cluster.users;
  const child = fork(script, [name], {
    env: {
      PATH: process.env.PATH,
      LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
      KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_SSL,
      KAFKA_SASL_USERNAME: app.username,
      KAFKA_SASL_PASSWORD: app.password,
      KAFKA_SSL_CA_LOCATION: cluster.caLocation,
    },
    // Lines go where a platform takes them: to a pipe.
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  child.stdout?.resume();
  const [port] = (await once(child, 'message')) as [number];
  return { name, url: `http://127.0.0.1:${port}/topics/bench`, child };
}

/** Rounds in turn, so that a machine that slows down slows all of them. */
async function compare(servers: readonly Contender[], connections: number): Promise<void> {
  const samples = new Map<Contestant, Sample[]>(CONTESTANTS.map((name) => [name, []]));
  await withProgress(`${connections} connections`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name, url } of servers)
        samples.get(name)?.push(await load(url, connections, ROUND_S, body(1)));
    }
  });
  const middle = (name: Contestant, figure: keyof Sample) => middleOf(samples.get(name) ?? [], figure);
  const ours = middle('ours', 'perSecond');
  printTable(
    [`${connections} connections`, 'requests/s', 'p50 ms', 'p99 ms', 'ours, times'],
    CONTESTANTS.map((name) => [
      name,
      middle(name, 'perSecond'),
      middle(name, 'p50'),
      middle(name, 'p99'),
      ours / middle(name, 'perSecond'),
    ]),
  );
  console.log();
}

async function batches(url: string): Promise<void> {
  const samples: Sample[] = [];
  await withProgress(`Batches of ${BATCH}`, async () => {
    await load(url, 16, WARM_UP_S, body(BATCH));
    for (let round = 0; round < ROUNDS; round++) samples.push(await load(url, 16, ROUND_S, body(BATCH)));
  });
  const perSecond = middleOf(samples, 'perSecond') * BATCH;
  printTable(
    [`batches of ${BATCH}, 16 connections`, 'records/s', 'p50 ms', 'p99 ms'],
    [['ours', perSecond, middleOf(samples, 'p50'), middleOf(samples, 'p99')]],
  );
}

function middleOf(samples: readonly Sample[], figure: keyof Sample): number {
  return median(samples.map((sample) => sample[figure]));
}

/** wrk where it is installed, because it takes little of the two cores that the servers need; else autocannon. */
function load(url: string, connections: number, duration: number, requestBody: string): Promise<Sample> {
  const run = hasWrk ? loadByWrk : loadByAutocannon;
  return run({ url, connections, duration, requestBody });
}

interface Load {
  url: string;
  connections: number;
  /** Seconds. */
  duration: number;
  requestBody: string;
}

async function loadByWrk({ url, connections, duration, requestBody }: Load): Promise<Sample> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-http-'));
  const script = join(directory, 'post.lua');
  await writeFile(
    script,
    WRK_SCRIPT.replace('BODY', () => requestBody),
  );
  const { stdout } = await promisify(execFile)('wrk', [
    ...['-t', '1', '--timeout', '10s', '-c', `${connections}`, '-d', `${duration}s`, '-s', script, url],
  ]);
  await rm(directory, { recursive: true });
  const figures = /RESULT (.*)/.exec(stdout)?.[1]?.split(' ').map(Number) ?? [];
  const [requests = 0, micros = 1, p50 = 0, p99 = 0, errors = 1] = figures;
  if (errors > 0) throw new Error(`${url}: ${errors} errors\n${stdout}`);
  return { perSecond: (requests / micros) * 1e6, p50: p50 / 1_000, p99: p99 / 1_000 };
}

const WRK_SCRIPT = `
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = [==[BODY]==]
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %f %f %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
`;

async function loadByAutocannon({ url, connections, duration, requestBody }: Load): Promise<Sample> {
  const result = await autocannon({
    url,
    connections,
    duration,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: requestBody,
  });
  if (result.non2xx + result.errors > 0) {
    throw new Error(`${url}: ${result.non2xx} answers other than 2xx, ${result.errors} errors`);
  }
  return {
    perSecond: result.requests.total / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
  };
}

function body(records: number): string {
  const record = { key: 'a', value: { text: 'x'.repeat(1_000) } };
  return JSON.stringify({
    records: Array.from({ length: records }, (_, i) => ({ ...record, key: `key-${i}` })),
  });
}
