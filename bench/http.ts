/**
 * Requests with one record of 1 KB, SASL_SSL, acks=all, from 1 to 512 connections. Each contestant has its own process:
 * our HTTP function as it is deployed, on the Node.js that runs this, on Node.js 24, and with keys; a Go server over
 * franz-go; a hand-written server with one idempotent kafkajs `send` a request; ours, and a hand-written one, without
 * Kafka. CPU is the process's user and system time divided by its requests: users pay for it, and it varies less than
 * requests/s.
 */
import { type ChildProcess, execFile, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import autocannon from 'autocannon';
import { build } from '../build.ts';
import { withProgress } from '../local/console.ts';
import { type KafkaCluster, withKafka } from '../local/kafka/cluster.ts';
import { freePorts } from '../local/kafka/ports.ts';
import { environmentOf } from '../local/kafka/sandbox.ts';
import { node24 } from '../test/support/tools.ts';
import { bundleContestant } from './bundle.ts';
import { median, printTable } from './figures.ts';

const CONNECTIONS = [1, 16, 128, 512] as const;
const ROUNDS = 5;
const WARM_UP_S = 5;
const ROUND_S = 3;
const BATCH = 100;
/** Every contestant is sent the key, so that the requests are the same; one looks at it. */
const KEY = randomBytes(32).toString('hex');
const MICROS_A_TICK = 1e6 / 100;

const hasWrk = spawnSync('wrk', ['-v']).error === undefined;
const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

interface Contestant {
  name: string;
  /** Resolves with the port. */
  start: (environment: NodeJS.ProcessEnv) => Promise<{ child: ChildProcess; port: number }>;
}

interface Contender {
  name: string;
  url: string;
  child: ChildProcess;
}

interface Figures {
  requests: number;
  perSecond: number;
  p50: number;
  p99: number;
}

/** A round's figures; CPU in microseconds a request. */
interface Sample extends Figures {
  user: number;
  system: number;
  cpu: number;
}

/** The median of the rounds, by contestant. */
type Middles = ReadonlyMap<string, Sample>;

export async function run(): Promise<void> {
  await withKafka({ tunedFor: 'throughput' }, async (cluster) => {
    await cluster.createTopic('bench');
    const directory = await mkdtemp(join(tmpdir(), 'bench-http-'));
    const servers: Contender[] = [];
    try {
      for (const { name, start } of await contestants(directory)) {
        const { child, port } = await start(environmentFor(cluster));
        servers.push({ name, url: `http://127.0.0.1:${port}/topics/bench`, child });
      }
      const found = new Map<number, Middles>();
      for (const connections of CONNECTIONS) found.set(connections, await compare(servers, connections));
      await batches(servers[0]);
      printGoals(found);
    } finally {
      for (const { child } of servers) child.kill();
      await rm(directory, { recursive: true, force: true });
    }
  });
}

async function contestants(directory: string): Promise<Contestant[]> {
  const [http] = await build({ functions: ['http'], outdir: directory });
  const bundle = join(http?.directory ?? '', 'index.js');
  const script = await bundleContestant('http-contestant.ts', directory);
  const HTTP_API_KEYS = `${hash('sha256', KEY)}=bench:publish:bench+publish:other.*`;
  const found: Contestant[] = [
    { name: 'ours', start: ourServer(process.execPath, bundle) },
    { name: 'ours, keys', start: ourServer(process.execPath, bundle, { HTTP_API_KEYS }) },
    { name: 'kafkajs', start: contestantServer(script, 'kafkajs') },
    { name: 'no Kafka', start: contestantServer(script, 'no Kafka') },
    { name: 'bare HTTP', start: contestantServer(script, 'bare HTTP') },
  ];
  const peer = join(directory, 'peer');
  const missingNode = await node24.missing();
  if (missingNode) console.log(`Without Node.js 24: ${missingNode}`);
  else found.splice(1, 0, { name: 'ours, Node 24', start: ourServer(node24.path, bundle) });
  if (spawnSync('go', ['build', '-o', peer, '.'], { cwd: source('peer') }).status !== 0) {
    console.log('Without the franz-go server: go cannot build bench/peer here.');
  } else found.splice(-3, 0, { name: 'franz-go', start: peerServer(peer) });
  return found;
}

/** With the flags of the platform's start. */
function ourServer(node: string, bundle: string, variables: NodeJS.ProcessEnv = {}): Contestant['start'] {
  const bootstrap = readFileSync(source('../functions/http/bootstrap'), 'utf8');
  const flags = bootstrap.match(/ --[\w-]+(=\S+)?/g)?.map((flag) => flag.trim()) ?? [];
  return async (environment) => {
    const [port = 0] = await freePorts(1);
    const child = spawnQuiet(node, [...flags, bundle], {
      env: { ...environment, ...variables, PORT: `${port}` },
    });
    for (;;) {
      const isUp = await fetch(`http://127.0.0.1:${port}/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isUp) return { child, port };
    }
  };
}

function contestantServer(script: string, name: string): Contestant['start'] {
  return async (environment) => {
    const stdio: SpawnOptions['stdio'] = ['ignore', 'pipe', 'inherit', 'ipc'];
    const child = spawnQuiet(process.execPath, [script, name], { env: environment, stdio });
    const [port] = (await once(child, 'message')) as [number];
    return { child, port };
  };
}

function peerServer(peer: string): Contestant['start'] {
  return async (environment) => {
    const child = spawn(peer, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    return { child, port: Number(line) };
  };
}

/** Log lines go to a pipe, as on a platform. */
function spawnQuiet(command: string, args: string[], options: SpawnOptions): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  child.stdout?.resume();
  return child;
}

function environmentFor(cluster: KafkaCluster): NodeJS.ProcessEnv {
  const { PATH, LOG_LEVEL = 'warn' } = process.env;
  return { PATH, LOG_LEVEL, ...environmentOf(cluster) };
}

/** Warms each contestant, then runs rounds in turn, so that a machine that slows down slows all of them. */
async function compare(servers: readonly Contender[], connections: number): Promise<Middles> {
  const samples = new Map<string, Sample[]>(servers.map(({ name }) => [name, []]));
  await withProgress(`${connections} connections`, async () => {
    for (const server of servers) await measured(server, connections, WARM_UP_S, body(1));
    for (let round = 0; round < ROUNDS; round++) {
      for (const server of servers)
        samples.get(server.name)?.push(await measured(server, connections, ROUND_S, body(1)));
    }
  });
  const middles = new Map([...samples].map(([name, all]) => [name, middleOf(all)]));
  printTable(
    [
      `${connections} connections`,
      'requests/s',
      'p50 ms',
      'p99 ms',
      'user µs',
      'system µs',
      'CPU µs',
      'CPU, ours /',
    ],
    [...middles].map(([name, { perSecond, p50, p99, user, system, cpu }]) => [
      ...[name, perSecond, p50, p99, user, system, cpu],
      (middles.get('ours')?.cpu ?? Number.NaN) / cpu,
    ]),
  );
  console.log();
  return middles;
}

async function batches(server: Contender | undefined): Promise<void> {
  if (!server) return;
  const samples: Sample[] = [];
  await withProgress(`Batches of ${BATCH}`, async () => {
    await measured(server, 16, WARM_UP_S, body(BATCH));
    for (let round = 0; round < ROUNDS; round++)
      samples.push(await measured(server, 16, ROUND_S, body(BATCH)));
  });
  const { perSecond, p50, p99, cpu } = middleOf(samples);
  printTable(
    [`batches of ${BATCH}, 16 connections`, 'records/s', 'p50 ms', 'p99 ms', 'CPU µs a record'],
    [['ours', perSecond * BATCH, p50, p99, cpu / BATCH]],
  );
  console.log();
}

/** Compares with the goals; without a peer its rows have no figures. */
function printGoals(found: ReadonlyMap<number, Middles>): void {
  const of = (connections: number, name: string, figure: keyof Sample) =>
    found.get(connections)?.get(name)?.[figure] ?? Number.NaN;
  const rows: [string, string, number, number][] = [];
  const goal = (
    text: string,
    goals: string,
    connections: number,
    figure: keyof Sample,
    other = 'franz-go',
  ) => {
    const ratio = (name: string) => of(connections, name, figure) / of(connections, other, figure);
    rows.push([text, goals, ratio('ours'), ratio('ours, Node 24')]);
  };
  goal('CPU a request, 128 connections / franz-go', '≤ 1.0, 0.8', 128, 'cpu');
  goal('CPU a request, 512 / franz-go', '≤ 1.0, 0.8', 512, 'cpu');
  goal('requests/s, 128 / franz-go', '≥ 1.3, 1.6', 128, 'perSecond');
  goal('p99, 128 / franz-go', '≤ 1.5, 1.0', 128, 'p99');
  goal('p99, 512 / franz-go', '≤ 2', 512, 'p99');
  goal('requests/s, 16 / franz-go', '≥ 4', 16, 'perSecond');
  goal('p50, 1 connection / kafkajs', '≤ 1.0', 1, 'p50', 'kafkajs');
  goal('requests/s, 128 / kafkajs', '≥ 4', 128, 'perSecond', 'kafkajs');
  goal('CPU a request, 128 / bare HTTP', '≤ 1.9', 128, 'cpu', 'bare HTTP');
  rows.push([
    'CPU a request, 128, with keys / without',
    '≤ 1.05',
    of(128, 'ours, keys', 'cpu') / of(128, 'ours', 'cpu'),
    Number.NaN,
  ]);
  printTable(['goal', 'at', 'Node 20', 'Node 24'], rows);
}

function middleOf(samples: readonly Sample[]): Sample {
  const middle = (figure: keyof Sample) => median(samples.map((sample) => sample[figure]));
  const figures = ['requests', 'perSecond', 'p50', 'p99', 'user', 'system', 'cpu'] as const;
  return Object.fromEntries(figures.map((figure) => [figure, middle(figure)])) as unknown as Sample;
}

async function measured(
  { url, child }: Contender,
  connections: number,
  duration: number,
  requestBody: string,
): Promise<Sample> {
  const before = timesOf(child);
  // wrk, if it is installed: it uses little of the two cores that the servers need.
  const figures = await (hasWrk ? loadByWrk : loadByAutocannon)({ url, connections, duration, requestBody });
  const after = timesOf(child);
  const a = (spent: keyof typeof after) => (after[spent] - before[spent]) / figures.requests;
  return { ...figures, user: a('user'), system: a('system'), cpu: a('user') + a('system') };
}

/** A process's own time, in microseconds (proc_pid_stat(5), utime and stime). */
function timesOf({ pid }: ChildProcess): { user: number; system: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { user: Number(fields[11]) * MICROS_A_TICK, system: Number(fields[12]) * MICROS_A_TICK };
}

interface Load {
  url: string;
  connections: number;
  /** Seconds. */
  duration: number;
  requestBody: string;
}

async function loadByWrk({ url, connections, duration, requestBody }: Load): Promise<Figures> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-http-'));
  const script = join(directory, 'post.lua');
  await writeFile(
    script,
    WRK_SCRIPT.replace('KEY', KEY).replace('BODY', () => requestBody),
  );
  const { stdout } = await promisify(execFile)('wrk', [
    ...['-t', '1', '--timeout', '10s', '-c', `${connections}`, '-d', `${duration}s`, '-s', script, url],
  ]);
  await rm(directory, { recursive: true });
  const figures = /RESULT (.*)/.exec(stdout)?.[1]?.split(' ').map(Number) ?? [];
  const [requests = 0, micros = 1, p50 = 0, p99 = 0, errors = 1] = figures;
  if (errors > 0) throw new Error(`${url}: ${errors} errors\n${stdout}`);
  return { requests, perSecond: (requests / micros) * 1e6, p50: p50 / 1_000, p99: p99 / 1_000 };
}

const WRK_SCRIPT = `
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["x-api-key"] = "KEY"
wrk.body = [==[BODY]==]
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %f %f %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
`;

async function loadByAutocannon({ url, connections, duration, requestBody }: Load): Promise<Figures> {
  const result = await autocannon({
    url,
    connections,
    duration,
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY },
    body: requestBody,
  });
  if (result.non2xx + result.errors > 0) {
    throw new Error(`${url}: ${result.non2xx} answers other than 2xx, ${result.errors} errors`);
  }
  return {
    requests: result.requests.total,
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
