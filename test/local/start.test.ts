import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { inShell, npmStart, startableCheckout } from './npm-start.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const RECORDS = 'node local/run.mjs local/records/main.ts';

function publish(url: string, topic: string, records: unknown[], headers = {}) {
  return fetch(`${url}/topics/${topic}`, {
    method: 'POST',
    headers: { ...JSON_TYPE, ...headers },
    body: JSON.stringify({ records }),
  });
}

/** The file's pull, every two seconds instead of every minute. */
function pullOften(checkout: string): void {
  const file = join(checkout, 'serverless.yml');
  const text = readFileSync(file, 'utf8');
  assert.match(text, /rate: 1m/);
  writeFileSync(file, text.replace('rate: 1m', "cron: '@every 2s'"));
}

/** Topics with their partitions, and groups, as another client sees them through `.kafka-functions/env`. */
async function lookInside(checkout: string) {
  const { stdout } = await inShell(checkout, 'env');
  const environment = new Map(stdout.split('\n').map((line) => line.split(/=(.*)/s) as [string, string]));
  const variable = (name: string) => environment.get(name) ?? '';
  const admin = new Kafka({
    brokers: variable('KAFKA_BOOTSTRAP_SERVERS').split(','),
    ssl: { ca: readFileSync(variable('KAFKA_SSL_CA_LOCATION')) },
    sasl: {
      mechanism: 'scram-sha-512',
      username: variable('KAFKA_SASL_USERNAME'),
      password: variable('KAFKA_SASL_PASSWORD'),
    },
    logLevel: logLevel.NOTHING,
  }).admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata();
  const { groups } = await admin.listGroups();
  await admin.disconnect();
  return {
    topics: Object.fromEntries(
      topics
        .filter(({ name }) => !name.startsWith('__'))
        .map(({ name, partitions }) => [name, partitions.length]),
    ),
    groups: groups.map(({ groupId }) => groupId).sort(),
  };
}

test('npm start: variables, topics and the pull of serverless.yml; other shells reach its Kafka', async () => {
  const checkout = startableCheckout();
  pullOften(checkout);
  writeFileSync(
    join(checkout, '.env'),
    [
      'KAFKA_BOOTSTRAP_SERVERS=10.255.0.1:9093',
      'KAFKA_SECURITY_PROTOCOL=PLAINTEXT',
      'KAFKA_SASL_USERNAME=production',
      'KAFKA_SASL_PASSWORD=production-password',
      'KAFKA_SSL_CA_LOCATION=/nowhere.pem',
      'KAFKA_GROUP_ID=production-group',
      'PRODUCE_TOPICS=orders,refunds,logs-*',
      'CONSUME_TOPICS=orders,returns',
    ].join('\n'),
  );
  mkdirSync(join(checkout, 'settings'));
  writeFileSync(join(checkout, 'settings/consume-batch.env'), 'CONSUME_SINK_TOPIC={topic}.clean');
  const { child, ended, ready, until, output, url } = npmStart(checkout, {
    args: ['--topics', 'payments,audit:12'],
  });
  await ready();
  assert.deepEqual((await lookInside(checkout)).topics, {
    orders: 6,
    'orders.clean': 6,
    'orders.dead-letter': 6,
    returns: 6,
    'returns.clean': 6,
    'returns.dead-letter': 6,
    refunds: 6,
    payments: 6,
    audit: 12,
  });
  const { mode } = statSync(join(checkout, '.kafka-functions/env'));
  assert.equal(mode & 0o777, 0o600);

  // Handled once, a tombstone too.
  const values = [{ total: -5 }, { id: '1' }, null];
  const answer = await publish(
    url(),
    'orders',
    values.map((value, key) => ({ key, value })),
    { 'x-request-id': 'mine-1', origin: 'http://localhost:3000' },
  );
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('x-request-id'), 'mine-1');
  assert.equal(answer.headers.get('access-control-allow-origin'), 'http://localhost:3000');
  await until('"deadLettered":1');
  const again = (await (await fetch(`${url()}/consume-batch`, { method: 'POST' })).json()) as Record<
    string,
    unknown
  >;
  assert.deepEqual([again.processed, again.deadLettered, again.more], [0, 0, false], output());
  assert.deepEqual((await lookInside(checkout)).groups, ['kafka-functions']);
  assert.equal((await publish(url(), 'audit', [{ value: 1 }])).status, 200);
  assert.equal((await publish(url(), 'invoices', [{ value: 1 }])).status, 403);
  assert.equal(
    (await publish(url(), 'orders', [{ value: 1 }], { origin: 'https://evil.example' })).status,
    403,
  );

  const deadLetters = await inShell(checkout, `${RECORDS} orders.dead-letter`);
  assert.equal(deadLetters.stdout.trimEnd().split('\n').length, 1, deadLetters.stdout + deadLetters.stderr);
  assert.deepEqual(JSON.parse(deadLetters.stdout).value, { total: -5 });
  const doctor = await inShell(checkout, 'node local/run.mjs functions/connectivity-check/doctor.ts');
  assert.equal(doctor.code, 0, doctor.stdout);
  const replay = await inShell(
    checkout,
    'node local/run.mjs functions/consume-batch/replay/replay.ts --topic orders.dead-letter',
  );
  assert.equal(replay.stdout, 'orders\t1\n', replay.stderr);

  child.kill('SIGINT');
  assert.equal(await ended, 0, output());
  assert.ok(!existsSync(join(checkout, '.kafka-functions/env')));
  assert.doesNotMatch(output(), /Warning:/);
});

test('npm start with KAFKA_TRIGGER=true: no timer, and a tombstone is handled', async () => {
  const checkout = startableCheckout();
  pullOften(checkout);
  const { child, ended, ready, until, output, url } = npmStart(checkout, {
    variables: { KAFKA_TRIGGER: 'true' },
  });
  await ready();
  assert.match(output(), /its timer is off here/);
  assert.equal((await publish(url(), 'orders', [{ value: null }, { value: { id: '1' } }])).status, 200);
  await until('"processed":2,"failed":0,"deadLettered":0');
  // A pull beside it would handle the records once more.
  const beside = await fetch(`${url()}/consume-batch`, { method: 'POST' });
  assert.equal(beside.status, 409);
  assert.equal(((await beside.json()) as { code: string }).code, 'GROUP_ACTIVE');
  child.kill('SIGINT');
  assert.equal(await ended, 0, output());
  assert.doesNotMatch(output(), /Warning:/);
});

test('npm start -- --keep: data, users and addresses are there again, for one at a time', async () => {
  const checkout = startableCheckout();
  const first = npmStart(checkout, { args: ['--keep', '--topics', 'audit:3'] });
  await first.ready();
  assert.equal((await publish(first.url(), 'audit', [{ value: 'kept' }])).status, 200);
  const rival = npmStart(checkout, { args: ['--keep'] });
  assert.equal(await rival.ended, 1);
  assert.match(
    rival.output(),
    new RegExp(`process ${first.child.pid} has .*kafka: end that npm start first`),
  );
  const file = join(checkout, '.kafka-functions/env');
  const environment = readFileSync(file, 'utf8');
  first.child.kill('SIGINT');
  assert.equal(await first.ended, 0, first.output());

  const second = npmStart(checkout, { args: ['--keep', '--topics', 'audit:12'] });
  await second.ready();
  assert.match(second.output(), /Topic audit was kept with 3 partitions/);
  assert.equal(readFileSync(file, 'utf8'), environment);
  const { stdout, stderr } = await inShell(checkout, `${RECORDS} audit`);
  assert.equal(JSON.parse(stdout || 'null')?.value, 'kept', stderr);
  second.child.kill('SIGINT');
  assert.equal(await second.ended, 0, second.output());
  assert.ok(existsSync(file));
});

test('npm start with a cluster of one’s own: no timer without --triggers', async () => {
  const checkout = startableCheckout();
  const variables = { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1' };
  for (const [args, expected] of [
    [[], /No timer and no trigger runs/],
    [
      ['--triggers'],
      /Called by themselves: consume-batch every 1m \(timer pull\); connectivity-check every 5m/,
    ],
  ] as const) {
    const { child, ended, ready, output } = npmStart(checkout, { args, variables });
    await ready();
    assert.match(output(), expected);
    child.kill('SIGTERM');
    assert.equal(await ended, 0, output());
  }
  const { ended, output } = npmStart(checkout, { args: ['--topics', 'a'], variables });
  assert.equal(await ended, 1);
  assert.match(output(), /--topics, --sink and --keep are of the embedded Kafka/);
});

test('npm start: a function of one’s own is at /functions/<name>, in serverless.yml or not', async () => {
  const checkout = startableCheckout();
  for (const name of ['hello', 'unlisted']) mkdirSync(join(checkout, 'functions', name));
  for (const name of ['hello', 'unlisted'])
    writeFileSync(
      join(checkout, 'functions', name, 'index.ts'),
      `export const initializer = (_context: unknown, done: (error: null) => void) => done(null);
    export const handler = async (event: { path: string }, context: { getUserData(name: string): string }) => ({
      statusCode: 200, headers: {}, body: event.path + ' ' + (context.getUserData('MINE') ?? context.getUserData('LOG_LEVEL')), isBase64Encoded: false,
    });`,
    );
  const file = join(checkout, 'serverless.yml');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(/^functions:$/m, 'functions:\n  hello:\n    environment: {MINE: own}\n'));
  const { child, ended, ready, url } = npmStart(checkout, {
    variables: { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1' },
  });
  await ready();
  for (const path of ['/functions/hello', '/functions/hello/there']) {
    assert.equal(await (await fetch(`${url()}${path}`)).text(), `${path} own`);
  }
  assert.equal(await (await fetch(`${url()}/functions/unlisted`)).text(), '/functions/unlisted info');
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
});

test('npm start: a hang-up while it builds leaves no bundle behind', async () => {
  const checkout = startableCheckout();
  const TMPDIR = join(checkout, 'tmp');
  mkdirSync(TMPDIR);
  const watcher = watch(TMPDIR);
  const bundles = () => readdirSync(TMPDIR).filter((name) => name.startsWith('kafka-functions-'));
  const { child, ended } = npmStart(checkout, {
    variables: { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1', TMPDIR },
  });
  while (bundles().length === 0) await once(watcher, 'change');
  watcher.close();
  child.kill('SIGHUP');
  assert.equal(await ended, 130);
  assert.deepEqual(bundles(), []);
});

test('npm start: what is wrong is named before anything is started', async () => {
  const checkout = startableCheckout();
  const refused = [
    [{ PORT: 'abc' }, [], /PORT must be a port number/],
    [{}, ['--topics', 'a b'], /--topics a b: it takes <topic> or <topic>:<partitions>/],
    [{}, ['--topics', 'audit:0'], /--topics audit:0: the partitions must be a whole number from 1 to 1000/],
    [{}, ['--tpoics', 'a'], /Unknown option '--tpoics'/],
    [{ PULL_TIMER: 'maybe' }, [], /strToBool takes true, false, 1 and 0, and got "maybe"/],
  ] as const;
  for (const [variables, args, expected] of refused) {
    const { ended, output } = npmStart(checkout, { args, variables });
    assert.equal(await ended, 1);
    assert.match(output(), expected);
    assert.doesNotMatch(output(), / {4}at |Starting/);
  }
  const help = npmStart(checkout, { args: ['--help'] });
  assert.equal(await help.ended, 0);
  assert.match(help.output(), /^Usage: npm start/);
});

test('npm start -- --sink postgres: what is published is a row a moment later', async () => {
  const checkout = startableCheckout();
  pullOften(checkout);
  const { child, ended, ready, until, output, url } = npmStart(checkout, { args: ['--sink', 'postgres'] });
  await ready();
  assert.match(output(), /npm run sink -- look/);
  assert.equal((await publish(url(), 'orders', [{ key: 'a', value: { n: 1 } }])).status, 200);
  await until('"processed":1');
  const look = 'node local/run.mjs functions/consume-batch/sinks/postgres/command.ts look';
  const { stdout, stderr } = await inShell(checkout, look);
  assert.match(stdout, /^"orders": 1 rows\n\{.*"value":\{"n":1\}/, stderr);
  const doctor = await inShell(checkout, 'node local/run.mjs functions/connectivity-check/doctor.ts');
  assert.match(doctor.stdout, /sink +ok/);
  const report = await (await fetch(`${url()}/connectivity-check?format=json`)).text();
  assert.match(report, /"stage":"sink","status":"passed"[^}]*orders/);
  child.kill('SIGINT');
  assert.equal(await ended, 0, output());
  assert.doesNotMatch(output(), /Warning:/);
});

test('npm start -- --sink s3: what is published is in an object a moment later', async () => {
  const checkout = startableCheckout();
  pullOften(checkout);
  const { child, ended, ready, until, output, url } = npmStart(checkout, { args: ['--sink', 's3'] });
  await ready();
  assert.equal((await publish(url(), 'orders', [{ key: 'a', value: { n: 1 } }])).status, 200);
  await until('"processed":1');
  const look = /^ {2}(find .*)$/m.exec(output())?.[1] ?? '';
  const { stdout, stderr } = await inShell(checkout, look);
  assert.match(stdout, /orders.*\.jsonl\.gz\n\{"n":1\}\n/, stderr);
  const doctor = await inShell(checkout, 'node local/run.mjs functions/connectivity-check/doctor.ts');
  assert.match(doctor.stdout, /sink +ok/);
  child.kill('SIGINT');
  assert.equal(await ended, 0, output());
  assert.doesNotMatch(output(), /Warning:/);
});
