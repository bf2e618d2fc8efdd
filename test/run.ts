/**
 * `npm test [-- part of a file's path …]`: every test, or those of the files named. Others have names of their own:
 * `npm run test:soak` (long ones), `test:brokers` (every old broker), `test:clients` (clients that others' tools
 * generate from `/openapi.json`), `test:terraform` (a Terraform of one's own), `test:nodes` (later versions of Node.js). Fails as well
 * where a password of any test cluster, or a warning of Node.js, shows up in the output.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { kafkaDistribution } from '../local/kafka/distribution.ts';
import { type OldVersion, oldReleases } from '../local/kafka/releases.ts';
import { offerCluster } from './support/shared-cluster.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const FILE_TIMEOUT_MS = 600_000;
const NODE_WARNING = /^\(node:\d+\) (?:\[\w+\] )?\w*Warning/m;
/** What is kept of a chunk, as long as what is looked for. */
const TAIL_LENGTH = 64;

const suites = {
  test: { ending: '.test.ts', oldVersions: ['2.7.2'] },
  'test:soak': { ending: '.soak.ts', oldVersions: [] },
  'test:clients': { ending: '.clients.ts', oldVersions: [] },
  'test:terraform': { ending: '.terraform.ts', oldVersions: [] },
  'test:brokers': { ending: '.brokers.ts', oldVersions: Object.keys(oldReleases) as OldVersion[] },
} as const satisfies Record<string, { ending: string; oldVersions: readonly OldVersion[] }>;

const name = process.env.npm_lifecycle_event ?? 'test';
const { ending, oldVersions } = suites[name in suites ? (name as keyof typeof suites) : 'test'];
const wanted = process.argv.slice(2);
/** The user's own tests lie beside what they test. */
const files = ['test', 'functions']
  .flatMap((folder) =>
    readdirSync(`${root}/${folder}`, { recursive: true, encoding: 'utf8' }).map(
      (file) => `${folder}/${file}`,
    ),
  )
  .filter((file) => file.endsWith(ending))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`No test file (*${ending}) has ${wanted.join(' or ')} in its name.`);
  process.exit(1);
}

// Fetched here, once and with progress, and not by each test at the same time.
for (const version of [undefined, ...oldVersions]) await kafkaDistribution(version);

const passwordPrefix = `pw${randomBytes(6).toString('hex')}`;
// Of the users of the shared broker, too.
process.env.TEST_PASSWORD_PREFIX = passwordPrefix;
const shared = await offerCluster();
const tests = spawn(
  process.execPath,
  [
    '--import',
    'tsx',
    '--import',
    './local/kafkajs-timers.ts',
    '--test',
    '--test-reporter=spec',
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    '--test-concurrency=2',
    ...files,
  ],
  {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...shared.variables },
  },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => tests.kill(signal));

let leaked = false;
let warned = false;
for (const [from, to] of [
  [tests.stdout, process.stdout],
  [tests.stderr, process.stderr],
] as const) {
  let tail = '';
  from.on('data', (chunk: Buffer) => {
    const text = tail + chunk.toString('latin1');
    leaked ||= text.includes(passwordPrefix);
    warned ||= NODE_WARNING.test(text);
    tail = text.slice(-TAIL_LENGTH);
    to.write(chunk);
  });
}
tests.on('close', async (code) => {
  if (leaked) console.error('A password of a test cluster stands in the output above.');
  if (warned) console.error('Node.js warns of something in the output above: (node:…) …Warning.');
  process.exitCode = leaked || warned ? 1 : (code ?? 1);
  await shared.close();
});
