import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { after, describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../local/kafka/ports.ts';
import { npmTool } from '../../local/tools.ts';
import { withoutLateFiles } from '../support/bundle.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { unusedPort } from '../support/faults/servers.ts';
import { readTopic } from '../support/records.ts';
import { command, dockerfile, entrypoint, layOutImage, user } from './image.ts';

const linter = npmTool(['dockerfile-utils@0.16.3'], 'dockerfile-utils/bin/dockerfile-utils');

test('the Dockerfile: Node.js 24, nobody in particular, nothing of this machine', async (t: TestContext) => {
  assert.deepEqual(
    [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image),
    ['node:24-slim', 'node:24-slim'],
  );
  assert.deepEqual([user, entrypoint, command], ['1003:1003', ['node'], ['/app/index.js']]);
  const ignored = readFileSync(new URL('../../.dockerignore', import.meta.url), 'utf8').split('\n');
  for (const path of ['.env', '.git', 'node_modules', 'certificates/*'])
    assert.ok(ignored.includes(path), path);
  const reason = await linter.missing();
  if (reason) return t.skip(reason);
  const path = fileURLToPath(new URL('../../Dockerfile', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [linter.path, 'lint', path], {
    encoding: 'utf8',
  });
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
});

const cluster = await kafkaForTests();
const image = await layOutImage(cluster.caLocation);

describe('the tree, run by an unprivileged user that can write nowhere', () => {
  const variables = {
    KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_SSL,
    KAFKA_SASL_USERNAME: cluster.users.app.username,
    KAFKA_SASL_PASSWORD: cluster.users.app.password,
    KAFKA_SSL_CA_LOCATION: `${image.root}/certificates/ca.crt`,
  };

  test('holds the server, the functions of a CronJob, and no certificate', () => {
    assert.deepEqual(withoutLateFiles(image.files), [
      '/app/connectivity-check/index.js',
      '/app/connectivity-check/package.json',
      '/app/consume-batch/index.js',
      '/app/consume-batch/package.json',
      '/app/index.js',
      '/app/package.json',
      '/app/run.cjs',
    ]);
    for (const file of image.files) {
      assert.doesNotMatch(readFileSync(`${image.root}${file}`, 'utf8'), /BEGIN CERTIFICATE-----\\n\w/);
    }
    if (process.getuid?.() === 0) {
      for (const path of ['/', '/app', '/app/index.js', '/certificates'])
        assert.ok(!image.mayWrite(path), path);
    }
  });

  test('publishes, pulls, says how it is, and ends in order on SIGTERM', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const [port] = await freePorts(1);
    const consuming = { CONSUME_TOPICS: topic, KAFKA_GROUP_ID: `${topic}-group`, CONSUME_SINK: 'log' };
    const server = image.run({ ...variables, ...consuming, PORT: `${port}` });
    await server.until('"listening"');
    if (process.getuid?.() === 0) {
      const status = readFileSync(`/proc/${server.child.pid}/status`, 'utf8');
      assert.match(status, /^Uid:\s+1003\s+1003\s+1003\s+1003$/m);
      assert.match(status, /^CapEff:\s+0+$/m);
    }
    const call = async (path: string, init: RequestInit = {}) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    const published = await call(`/topics/${topic}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"records":[{"key":"a","value":{"n":1}}]}',
    });
    assert.equal(published.status, 200, JSON.stringify(published.body));
    assert.deepEqual(
      (await readTopic(cluster, topic)).map(({ key, value }) => `${key} ${value}`),
      ['"a" {"n":1}'],
    );
    const pulled = await call('/consume-batch', { method: 'POST' });
    assert.deepEqual([pulled.status, pulled.body.processed], [200, 1]);
    for (const path of ['/healthy', '/ready']) assert.equal((await call(path)).status, 200, path);
    server.child.kill('SIGTERM');
    assert.equal(await server.ended, 0, server.output());
    assert.match(server.output(), /"draining"[\s\S]*"drained"/);
    assert.doesNotMatch(server.output(), /ERR_ACCESS_DENIED|EACCES|Warning/);
  });

  test('/ready follows the brokers, /healthy does not', async () => {
    const [port] = await freePorts(1);
    const down = { KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${await unusedPort()}`, PORT: `${port}` };
    const server = image.run({ ...variables, ...down });
    await server.until('"listening"');
    const statusOf = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    assert.deepEqual([await statusOf('/healthy'), await statusOf('/ready')], [200, 503]);
    server.child.kill('SIGTERM');
    assert.equal(await server.ended, 0, server.output());
  });

  test('a CronJob’s pull handles what waits, and its exit code says how it went', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const [port] = await freePorts(1);
    const server = image.run({ ...variables, PORT: `${port}` });
    await server.until('"listening"');
    for (const n of [1, 2, 3]) {
      const body = JSON.stringify({ records: [{ value: { n } }] });
      const headers = { 'content-type': 'application/json' };
      await fetch(`http://127.0.0.1:${port}/topics/${topic}`, { method: 'POST', headers, body });
    }
    const run = async (more: Record<string, string>, ...args: string[]) => {
      const job = image.run({ ...variables, ...more }, ['/app/run.cjs', ...args]);
      return { code: await job.ended, output: job.output() };
    };
    const consuming = { CONSUME_TOPICS: topic, KAFKA_GROUP_ID: `${topic}-group`, CONSUME_SINK: 'log' };
    const narrowed = await run(consuming, 'consume-batch', '{"maxRecords":2}');
    assert.deepEqual([narrowed.code, answerIn(narrowed.output).processed], [0, 2], narrowed.output);
    const rest = await run(consuming, 'consume-batch');
    assert.deepEqual([rest.code, answerIn(rest.output).processed], [0, 1], rest.output);

    const misconfigured = await run({}, 'consume-batch');
    assert.equal(misconfigured.code, 1);
    assert.match(misconfigured.output, /^CONFIG_INVALID: .*CONSUME_TOPICS/m);

    assert.equal((await run({}, 'connectivity-check')).code, 0);
    const down = { KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${await unusedPort()}` };
    const failed = await run(down, 'connectivity-check');
    assert.equal(failed.code, 1);
    assert.match(failed.output, /^TCP_REFUSED at 127\.0\.0\.1:\d+: /m);

    for (const args of [
      [],
      ['produce'],
      ['../index'],
      ['consume-batch', 'maxRecords=2'],
      ['consume-batch', '[]'],
    ]) {
      const { code, output } = await run(consuming, ...args);
      assert.equal(code, 2, output);
      assert.doesNotMatch(output, /\n\s+at /);
    }
  });

  test('a pull that is told to end ends at once', async () => {
    // Takes the connection, and never answers.
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    after(() => silent.close());
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const connected = once(silent, 'connection');
    const consuming = { CONSUME_TOPICS: 'orders', KAFKA_GROUP_ID: 'group' };
    const job = image.run({ ...variables, ...consuming, KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${port}` }, [
      '/app/run.cjs',
      'consume-batch',
    ]);
    await connected;
    job.child.kill('SIGTERM');
    assert.equal(await job.ended, 143);
  });
});

/** The answer is the last line; what was logged stands before it. */
function answerIn(output: string): Record<string, unknown> {
  return JSON.parse(output.trim().split('\n').at(-1) ?? '');
}
