import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { describe, it } from 'node:test';
import { unzipSync } from 'fflate';
import { newTopic } from '../support/cluster.ts';
import { buildHttpFunction, startHttpFunction } from '../support/http-function.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const built = await buildHttpFunction();
const start = (variables: Record<string, string> = {}) => startHttpFunction(built, cluster, variables);

async function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: JSON.parse(text) as Record<string, never> };
}

describe('the HTTP function', () => {
  it('comes as a zip whose bootstrap may be run', async () => {
    const zip = await readFile(built.zip);
    const files = unzipSync(zip);
    assert.match(
      Buffer.from(files.bootstrap ?? []).toString(),
      /^#!\/bin\/sh\n[\s\S]*RUNTIME_CODE_ROOT\/index\.js/,
    );
    // The central directory's entry: name at 46, external attributes at 38, whose upper half is the mode.
    const entry = zip.lastIndexOf('bootstrap') - 46;
    assert.equal((zip.readUInt32LE(entry + 38) >>> 16) & 0o777, 0o755);
  });

  it('serves publishing, the check, a pull and its metrics', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const { url } = await start({ KAFKA_GROUP_ID: `g-${topic}`, CONSUME_TOPICS: topic, CONSUME_SINK: 'log' });
    await post(`${url}/topics/of-callers`, { records: [{ value: 1 }] });
    const published = await post(`${url}/topics/${topic}`, { records: [{ value: { n: 1 } }] });
    assert.equal(published.status, 200);
    assert.deepEqual(published.body.offsets, [{ partition: 0, offset: 0, error_code: null, error: null }]);

    const check = await fetch(`${url}/connectivity-check`);
    assert.equal(check.status, 200);
    assert.equal(((await check.json()) as { ok: boolean }).ok, true);

    const pulled = await post(`${url}/consume-batch`, {});
    assert.equal(pulled.status, 200, JSON.stringify(pulled.body));
    assert.equal(pulled.body.processed, 1);
    const notPulled = await fetch(`${url}/consume-batch`);
    assert.deepEqual([notPulled.status, notPulled.headers.get('allow')], [405, 'POST']);

    for (const path of [
      '/healthy',
      '/metrics',
      '/connectivity-check',
      '/consume-batch',
      '/ready',
      '/nothing',
    ]) {
      const { headers } = await fetch(`${url}${path}`);
      assert.match(headers.get('x-request-id') ?? '', /^[\w-]{8,}$/, path);
      const own = await fetch(`${url}${path}`, { headers: { 'X-Request-Id': 'mine' } });
      assert.equal(own.headers.get('x-request-id'), 'mine', path);
    }

    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /http_requests_total\{method="POST",route="\/topics\/\{topic\}",status="200"\} 1/);
    assert.match(metrics, /kafka_records_total\{outcome="acknowledged"\} 1/);
    assert.match(
      metrics,
      /http_requests_total\{method="GET",route="other",status="404"\} 2/,
      'refusals count',
    );
    assert.ok(!metrics.includes('of-callers'), 'no label that callers could multiply');
  });

  it('takes the calls of a custom image', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const { url } = await start({ FUNCTION: 'produce' });
    assert.equal((await post(`${url}/init`, {})).status, 200);
    const body = Buffer.from(JSON.stringify({ records: [{ value: 'v' }] })).toString('base64');
    const event = { httpMethod: 'POST', path: `/topics/${topic}`, headers: {}, body, isBase64Encoded: true };
    const invoked = await post(`${url}/invoke`, event);
    assert.equal(invoked.status, 200);
    assert.equal(invoked.body.statusCode, 200, JSON.stringify(invoked.body));
    assert.equal((await readTopic(cluster, topic)).length, 1);
    assert.equal((await post(`${(await start()).url}/invoke`, event)).body.code, 'UNKNOWN_ROUTE');
  });

  it('says what is wrong with its variables, and goes on to be healthy', async () => {
    const { url, output } = await start({
      ...{ KAFKA_BOOTSTRAP_SERVERS: '', KAFKA_ACKS: 'most', CONSUME_ORDER: 'none at all' },
    });
    const refused = await post(`${url}/topics/t`, { records: [{ value: 1 }] });
    assert.equal(refused.status, 500);
    assert.match(String(refused.body.message), /KAFKA_BOOTSTRAP_SERVERS is required; .*KAFKA_ACKS/);
    assert.equal((await fetch(`${url}/healthy`)).status, 200);
    // Written before the server listened, but to another pipe: by now it has been read.
    assert.match(output(), /"not usable as configured: produce".*KAFKA_BOOTSTRAP_SERVERS is required; /);
    assert.match(output(), /"not usable as configured: consume-batch".*CONSUME_ORDER/);
  });

  it('answers what is under way when it is told to end, and loses nothing that it acknowledged', async () => {
    const topic = await newTopic(cluster, { partitions: 3 });
    const running = await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const acknowledged: string[] = [];
    let stopped = false;
    const caller = async (id: number) => {
      for (let i = 0; !stopped; i++) {
        const value = `${id}-${i}`;
        const status = await publishOver(agent, running.port, topic, value);
        if (status === 200) acknowledged.push(value);
        if (status === undefined) return;
      }
    };
    const callers = Promise.all(Array.from({ length: 32 }, (_, id) => caller(id)));
    while (acknowledged.length < 500) await new Promise((resolve) => setImmediate(resolve));
    running.child.kill('SIGTERM');
    const [code] = (await once(running.child, 'exit')) as [number];
    stopped = true;
    await callers;
    agent.destroy();
    assert.equal(code, 0, running.output());
    assert.match(running.output(), /"drained"/);
    const stored = (await readTopic(cluster, topic)).map(({ value }) => JSON.parse(value?.toString() ?? ''));
    assert.deepEqual(
      acknowledged.filter((value) => !stored.includes(value)),
      [],
    );
    assert.equal(new Set(stored).size, stored.length, 'none twice');
  });
});

/** The status, or undefined where there is no server any more. */
function publishOver(agent: Agent, port: number, topic: string, value: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const call = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        path: `/topics/${topic}`,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
        response.on('error', () => resolve(undefined));
      },
    );
    call.on('error', () => resolve(undefined));
    call.end(JSON.stringify({ records: [{ value }] }));
  });
}
