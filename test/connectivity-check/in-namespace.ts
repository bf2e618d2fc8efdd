/**
 * Runs in namespaces of its own (`unshare`), where nothing but what is set up here exists: a name server that
 * fails by name, routes that reject, links that drop. Writes one JSON line a scenario.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificateAuthority } from '../../local/kafka/certificates.ts';
import { checkWith, type Variables } from '../support/check.ts';
import { METADATA, oneBroker, startSketchBroker } from '../support/faults/sketch-broker.ts';
import { startNameServer } from './name-server.ts';
import { plainKafkajsSays } from './plain-kafkajs.ts';

export interface NamespaceScenario {
  fault: string;
  what: string;
  variables: Variables;
  budgetMs: number;
}

const directory = mkdtempSync(join(tmpdir(), 'namespace-'));
const resolvConf = join(directory, 'resolv.conf');
const children: ChildProcess[] = [];

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function nameServer(address: string): void {
  writeFileSync(resolvConf, `nameserver ${address}\noptions timeout:1 attempts:1\n`);
}

/** A link behind which frames vanish: its neighbours have addresses that nobody answers to. */
function layBlackhole(): void {
  ip('link', 'add', 'hole', 'type', 'veth', 'peer', 'name', 'hole-end');
  ip('addr', 'add', '10.7.0.1/24', 'dev', 'hole');
  ip('link', 'set', 'hole', 'up');
  ip('link', 'set', 'hole-end', 'up');
  for (const host of [2, 3, 4])
    ip('neigh', 'add', `10.7.0.${host}`, 'lladdr', '02:00:00:00:00:01', 'dev', 'hole');
}

/** A network namespace that lives as long as the process in it. */
async function namespace(): Promise<number> {
  const holder = spawn('unshare', ['-n', 'sh', '-c', 'echo ready; exec sleep 120'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(holder);
  await once(holder.stdout, 'data');
  return holder.pid ?? 0;
}

/**
 * This namespace - a router - a TLS server, where the router's far side takes nothing above 600 bytes and
 * says nothing about it: what a path with a smaller MTU does when ICMP is filtered.
 */
async function layNarrowPath(): Promise<string> {
  const router = await namespace();
  const server = await namespace();
  const inside = (pid: number, ...command: string[]) =>
    execFileSync('nsenter', ['-t', `${pid}`, '-n', ...command], { stdio: ['ignore', 'ignore', 'pipe'] });
  ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'middle', 'netns', `${router}`);
  ip('addr', 'add', '10.8.1.1/24', 'dev', 'near');
  ip('link', 'set', 'near', 'up');
  ip('route', 'add', '10.8.2.0/24', 'via', '10.8.1.2');
  inside(router, 'ip', 'addr', 'add', '10.8.1.2/24', 'dev', 'middle');
  inside(router, 'ip', 'link', 'set', 'middle', 'up');
  inside(
    router,
    'ip',
    'link',
    'add',
    'narrow',
    'mtu',
    '600',
    'type',
    'veth',
    'peer',
    'name',
    'far',
    'netns',
    `${server}`,
  );
  inside(router, 'ip', 'addr', 'add', '10.8.2.2/24', 'dev', 'narrow');
  inside(router, 'ip', 'link', 'set', 'narrow', 'up');
  inside(router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  inside(server, 'ip', 'addr', 'add', '10.8.2.1/24', 'dev', 'far');
  inside(server, 'ip', 'link', 'set', 'far', 'mtu', '1500', 'gso_max_segs', '1');
  inside(server, 'ip', 'link', 'set', 'far', 'up');
  inside(server, 'ip', 'route', 'add', 'default', 'via', '10.8.2.2');
  const ca = await createCertificateAuthority();
  // Names make the certificate as large as those of real clusters.
  const hosts = Array.from({ length: 30 }, (_, index) => `broker-${index}.kafka.example.org`);
  const { chain, key } = await ca.issue({ commonName: 'broker', hosts });
  writeFileSync(join(directory, 'server.json'), JSON.stringify({ cert: chain, key }));
  const program = `require('node:tls').createServer(JSON.parse(require('node:fs').readFileSync(process.argv[1])))
    .on('tlsClientError', () => {}).listen(9093, '10.8.2.1', () => console.log('ready'))`;
  const listening = spawn(
    'nsenter',
    ['-t', `${server}`, '-n', process.execPath, '-e', program, join(directory, 'server.json')],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  children.push(listening);
  await once(listening.stdout, 'data');
  return '10.8.2.1:9093';
}

function scenario(
  fault: string,
  what: string,
  servers: string,
  more: Variables = {},
  budgetMs = 2_000,
): NamespaceScenario {
  const variables = { KAFKA_BOOTSTRAP_SERVERS: servers, KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT', ...more };
  return { fault, what, variables, budgetMs };
}

async function run(
  { variables, budgetMs, ...about }: NamespaceScenario,
  { plain = true } = {},
): Promise<void> {
  const startedAt = performance.now();
  const report = await checkWith(variables, budgetMs);
  const elapsedMs = Math.round(performance.now() - startedAt);
  const kafkajs = plain ? await plainKafkajsSays(variables) : '';
  process.stdout.write(`${JSON.stringify({ ...about, budgetMs, elapsedMs, kafkajs, report })}\n`);
}

try {
  ip('link', 'set', 'lo', 'up');
  nameServer('127.0.0.1');
  execFileSync('mount', ['--bind', resolvConf, '/etc/resolv.conf']);
  await startNameServer({ 'private.test': '10.9.8.7', 'here.test': '127.0.0.1', 'lost.test': '10.7.0.2' });
  layBlackhole();
  ip('route', 'add', 'unreachable', '10.1.0.0/16');
  ip('route', 'add', 'prohibit', '10.2.0.0/16');
  ip('route', 'add', 'blackhole', '10.3.0.0/16');
  const toNoName = await startSketchBroker({
    answers: { [METADATA]: () => oneBroker({ host: 'nx.test', port: 9093 }) },
  });
  const toNoRoute = await startSketchBroker({
    answers: { [METADATA]: () => oneBroker({ host: '192.168.7.7', port: 9093 }) },
  });
  const narrow = await layNarrowPath();
  const certificates = { KAFKA_SECURITY_PROTOCOL: 'SSL' };

  await Promise.all(
    [
      scenario('DNS_NXDOMAIN', 'a name that does not exist', 'nx.test:9092'),
      scenario('DNS_NODATA', 'a name without an address', 'nodata.test:9092'),
      scenario('DNS_SERVFAIL', 'a name server that fails', 'servfail.test:9092'),
      scenario('DNS_SERVFAIL', 'a name server that refuses', 'refused.test:9092'),
      scenario('DNS_TIMEOUT', 'a name server that is silent', 'silent.test:9092', {}, 3_000),
      scenario('TCP_TIMEOUT', 'packets that vanish', '10.7.0.2:9092'),
      scenario('TCP_TIMEOUT', 'a public port with a private address', 'lost.test:9094'),
      scenario('TCP_UNREACHABLE', 'a route that is unreachable', '10.1.0.1:9092'),
      scenario('TCP_UNREACHABLE', 'a route that prohibits', '10.2.0.1:9092'),
      scenario('TCP_NO_ROUTE', 'no route at all', '203.0.113.1:9094'),
      scenario('TCP_NO_ROUTE', 'a route into nothing', '10.3.0.1:9092'),
      scenario('MTU_BLACKHOLE', "the server's certificate does not fit the path", narrow, certificates),
      scenario(
        'ADVERTISED_DNS_NXDOMAIN',
        'a broker by a name that nobody knows',
        `127.0.0.1:${toNoName.port}`,
      ),
      scenario('ADVERTISED_TCP_NO_ROUTE', 'a broker where no route leads', `127.0.0.1:${toNoRoute.port}`),
    ].map((one) => run(one)),
  );
  // Everything blackholed, for several budgets at once.
  const dropped = '10.7.0.2:9093,10.7.0.3:9093,10.7.0.4:9095';
  const budgets = (process.env.BUDGETS_MS ?? '1000,2000,3500').split(',').map(Number);
  await Promise.all(
    [
      ...budgets.map((budgetMs) => scenario('TCP_TIMEOUT', 'budget', dropped, certificates, budgetMs)),
      scenario('DNS_TIMEOUT', 'budget', 'silent.test:9093', certificates, 1_000),
    ].map((one) => run(one, { plain: false })),
  );
  nameServer('127.0.0.9');
  await run(scenario('DNS_NO_RESOLVER', 'nothing listens where the name server should', 'here.test:9092'));
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
}
process.exit();
