import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { Kafka, logLevel } from 'kafkajs';
import parsePrometheus from 'parse-prometheus-text-format';
import { handler, initializer } from '../../functions/connectivity-check/index.ts';
import type { Report } from '../../functions/connectivity-check/report.ts';
import type { PlatformContext } from '../../src/platform/context.ts';
import { checkWith, stageAt, type Variables, variablesFor } from '../support/check.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { startFaultProxy } from '../support/faults/proxy.ts';
import { startSshServer, unusedPort } from '../support/faults/servers.ts';
import { readTopic } from '../support/records.ts';

interface Answer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;
const DOCTOR = fileURLToPath(new URL('../../functions/connectivity-check/doctor.ts', import.meta.url));

const schema = JSON.parse(
  readFileSync(new URL('../../functions/connectivity-check/report.schema.json', import.meta.url), 'utf8'),
);
const validate = new Ajv2020({ allErrors: true }).compile(schema);

const proxy = await startFaultProxy({ target: undefined });
after(() => proxy.close());
const cluster = await kafkaForTests({
  extraListeners: [
    {
      name: 'WATCHED',
      protocol: 'SASL_PLAINTEXT',
      advertised: () => ({ host: '127.0.0.1', port: proxy.port }),
    },
  ],
});
proxy.setTarget('127.0.0.1', cluster.brokers[0]?.ports.WATCHED ?? 0);
const topic = await newTopic(cluster);
const healthy: Variables = {
  ...variablesFor(cluster, 'SASL_SSL'),
  CHECK_TOPIC: topic,
  CHECK_GROUP_ID: 'a-group',
};

function event(name: string): unknown {
  return JSON.parse(
    readFileSync(new URL(`../../events/connectivity-check-${name}.json`, import.meta.url), 'utf8'),
  );
}

function request(changes: Record<string, unknown>): unknown {
  return { ...(event('apig') as object), ...changes };
}

function contextWith(variables: Variables): PlatformContext {
  return {
    getRequestID: () => 'a-request',
    getRemainingTimeInMilliSeconds: () => 5_000,
    getUserData: (name) => variables[name],
  };
}

async function call(anEvent: unknown, variables = healthy): Promise<unknown> {
  return handler(anEvent, contextWith(variables));
}

async function ask(changes: Record<string, unknown>, variables = healthy): Promise<Answer> {
  return (await call(request(changes), variables)) as Answer;
}

/** What is written to the console while `work` runs. */
async function linesOf(work: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = [];
  const kept = { info: console.info, warn: console.warn, error: console.error };
  const keep = (line: string) => lines.push(JSON.parse(line));
  Object.assign(console, { info: keep, warn: keep, error: keep });
  try {
    await work();
  } finally {
    Object.assign(console, kept);
  }
  return lines;
}

function assertReport(report: unknown): asserts report is Report {
  assert.ok(validate(report), JSON.stringify(validate.errors, null, 1));
}

const broken = async (): Promise<Variables> => ({
  ...healthy,
  KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${await unusedPort()}`,
});

describe('the entry', () => {
  test('has the two parameters that the platform counts', () => {
    assert.deepEqual([handler.length, initializer.length], [2, 2]);
  });

  for (const name of ['timer', 'direct', 'aws-schedule']) {
    test(`${name}: returns the report`, async () => {
      const report = await call(event(name));
      assertReport(report);
      assert.equal(report.ok, true);
      assert.deepEqual(report.warnings, []);
    });
  }

  for (const odd of [null, 7, 'text', [], { records: [] }]) {
    test(`an event of no known kind runs the check: ${JSON.stringify(odd)}`, async () => {
      assertReport(await call(odd));
    });
  }

  test('a timer leaves one line, any other call none', async () => {
    const [line, ...more] = await linesOf(() => call(event('timer')));
    assert.deepEqual([line?.level, line?.ok, line?.fault, more], ['info', true, null, []]);
    assert.deepEqual(await linesOf(() => call(event('direct'))), []);
  });

  for (const name of ['timer', 'aws-schedule']) {
    test(`${name}: a report that is not ok is logged, and fails the call`, async () => {
      const unreachable = await broken();
      const [line, ...more] = await linesOf(() =>
        assert.rejects(call(event(name), unreachable), {
          name: 'Error',
          message: /^TCP_REFUSED at 127\.0\.0\.1:\d+: .*nothing listens/,
        }),
      );
      assert.deepEqual([line?.level, line?.ok, line?.fault, more], ['error', false, 'TCP_REFUSED', []]);
      assert.match(String(line?.message), /^TCP_REFUSED at 127\.0\.0\.1:\d+: .*nothing listens/);
    });

    test(`${name}: a configuration that is wrong fails the call, too`, async () => {
      for (const variables of [{}, { ...healthy, CHECK_THROW: 'no' }]) {
        const lines = await linesOf(() =>
          assert.rejects(call(event(name), variables), {
            message: /^CONFIG_INVALID at configuration: configuration: /,
          }),
        );
        assert.equal(lines.length, 1);
      }
    });

    test(`${name}: CHECK_THROW=false returns the report, and logs it all the same`, async () => {
      const unreachable = { ...(await broken()), CHECK_THROW: 'false' };
      for (const variables of [unreachable, { CHECK_THROW: 'false' }]) {
        let report: unknown;
        const [line, ...more] = await linesOf(async () => {
          report = await call(event(name), variables);
        });
        assertReport(report);
        assert.deepEqual([report.ok, line?.ok, line?.level, more], [false, false, 'error', []]);
      }
    });

    test(`${name}: a warning does not fail the call`, async () => {
      const servers = `127.0.0.1:${await unusedPort()},${healthy.KAFKA_BOOTSTRAP_SERVERS}`;
      const report = await call(event(name), { ...healthy, KAFKA_BOOTSTRAP_SERVERS: servers });
      assertReport(report);
      assert.deepEqual([report.ok, report.warnings[0]?.fault], [true, 'BOOTSTRAP_PARTIAL']);
    });
  }

  test('any other call returns a report that is not ok, over HTTP as 503', async () => {
    const unreachable = await broken();
    for (const anEvent of [event('direct'), { records: [] }, null]) {
      const report = await call(anEvent, unreachable);
      assertReport(report);
      assert.equal(report.ok, false);
    }
    assert.equal((await ask({}, unreachable)).statusCode, 503);
  });

  test('a configuration that is wrong is a report, too, with every name in it', async () => {
    const report = await call({}, { CHECK_TIMEOUT_MS: 'soon', CHECK_ALLOWED_ADDRESSES: '10.0.0.0/40' });
    assertReport(report);
    assert.equal(report.verdict?.fault, 'CONFIG_INVALID');
    for (const name of [
      'KAFKA_BOOTSTRAP_SERVERS',
      'KAFKA_SASL_PASSWORD',
      'CHECK_TIMEOUT_MS',
      'CHECK_ALLOWED_ADDRESSES',
    ]) {
      assert.match(report.verdict?.cause ?? '', new RegExp(name));
    }
  });
});

describe('over HTTP', () => {
  const accepting = (accept: string | undefined) => ask({ headers: accept === undefined ? {} : { accept } });

  test('a page for a browser', async () => {
    const { statusCode, headers, body } = (await call(event('apig'))) as Answer;
    assert.deepEqual([statusCode, headers['content-type']], [200, 'text/html; charset=utf-8']);
    assert.match(body, /^<!doctype html>/);
    assert.doesNotMatch(body, /<script|https?:\/\//);
  });

  for (const accept of [
    undefined,
    '*/*',
    'application/json',
    'image/png',
    'text/plain;q=0.1, application/json',
  ]) {
    test(`JSON for ${accept}`, async () => {
      const { statusCode, headers, body } = await accepting(accept);
      assert.deepEqual([statusCode, headers['content-type']], [200, 'application/json']);
      assertReport(JSON.parse(body));
    });
  }

  test('Prometheus text that a parser of it reads, by Accept and by format', async () => {
    const scrape =
      'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1';
    const byAccept = await accepting(scrape);
    const byFormat = await ask({ queryStringParameters: { format: 'prometheus' } });
    for (const { headers, body } of [byAccept, byFormat]) {
      assert.match(headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
      const families = new Map(parsePrometheus(body).map(({ name, metrics }) => [name, metrics]));
      assert.equal(families.get('kafka_connectivity_up')?.[0]?.value, '1');
      assert.equal(families.get('kafka_connectivity_group_lag')?.[0]?.labels?.group, 'a-group');
      assert.equal(families.has('kafka_connectivity_fault'), false);
    }
  });

  test('503 where a rung is broken; 200 for Prometheus, which throws the answer away otherwise', async () => {
    const variables = await broken();
    for (const accept of ['application/json', 'text/html']) {
      const { statusCode, body } = await ask({ headers: { accept } }, variables);
      assert.equal(statusCode, 503);
      assert.match(body, /TCP_REFUSED/);
    }
    const { statusCode, body } = await ask({ headers: { accept: 'text/plain' } }, variables);
    assert.equal(statusCode, 200);
    assert.match(body, /^kafka_connectivity_up 0$/m);
    const fault = parsePrometheus(body).find(({ name }) => name === 'kafka_connectivity_fault');
    assert.equal(fault?.metrics[0]?.labels?.fault, 'TCP_REFUSED');
  });

  test('what comes from elsewhere is escaped in the page and in the labels', async () => {
    const variables = { ...healthy, CHECK_TOPIC: '<img src=x onerror="a">\\' };
    const page = await ask({ headers: { accept: 'text/html' } }, variables);
    assert.doesNotMatch(page.body, /<img/);
    const metrics = await ask({ headers: { accept: 'text/plain' } }, variables);
    const fault = parsePrometheus(metrics.body).find(({ name }) => name === 'kafka_connectivity_fault');
    assert.equal(fault?.metrics[0]?.labels?.fault, 'TOPIC_INVALID');
  });

  test('nothing in a request chooses what is dialled', async (t) => {
    const elsewhere = await startSshServer();
    t.after(() => elsewhere.close());
    const target = `127.0.0.1:${elsewhere.port}`;
    const named = Object.fromEntries(
      ['KAFKA_BOOTSTRAP_SERVERS', 'target', 'bootstrapServers', 'address'].map((name) => [name, target]),
    );
    const { body } = await ask({
      headers: { ...named, accept: 'application/json' },
      queryStringParameters: named,
      pathParameters: named,
      body: Buffer.from(JSON.stringify(named)).toString('base64'),
    });
    const report = JSON.parse(body) as Report;
    assert.ok(!JSON.stringify(report).includes(target));
    assert.equal(report.ok, true);
  });
});

describe('what a check does, and does not do', () => {
  test('publishes nothing without CHECK_ROUND_TRIP, and one record a leader with it', async () => {
    const own = await newTopic(cluster, { partitions: 3 });
    await checkWith({ ...healthy, CHECK_TOPIC: own });
    assert.deepEqual(await readTopic(cluster, own), []);
    const { roundTrip } = await checkWith({ ...healthy, CHECK_TOPIC: own, CHECK_ROUND_TRIP: 'true' });
    const records = await readTopic(cluster, own);
    assert.equal(records.length, 1);
    assert.deepEqual(
      roundTrip?.partitions.map(({ partition, offset }) => [partition, offset]),
      records.map(({ partition, offset }) => [partition, offset]),
    );
  });

  test('tells the lag of a group, of every topic that it reads', async () => {
    const [first, second] = [
      await newTopic(cluster, { partitions: 1 }),
      await newTopic(cluster, { partitions: 1 }),
    ];
    const group = `group-${first}`;
    const kafka = new Kafka({
      brokers: cluster.bootstrapServers.PLAINTEXT.split(','),
      logLevel: logLevel.NOTHING,
    });
    const producer = kafka.producer();
    const admin = kafka.admin();
    await Promise.all([producer.connect(), admin.connect()]);
    for (const name of [first, second]) {
      await producer.send({ topic: name, messages: Array.from({ length: 5 }, () => ({ value: 'v' })) });
    }
    await admin.setOffsets({ groupId: group, topic: first, partitions: [{ partition: 0, offset: '2' }] });
    await admin.setOffsets({ groupId: group, topic: second, partitions: [{ partition: 0, offset: '5' }] });
    await Promise.all([producer.disconnect(), admin.disconnect()]);
    const report = await checkWith({ ...healthy, CHECK_TOPIC: first, CHECK_GROUP_ID: group });
    assert.equal(report.group?.lag, 3);
    assert.deepEqual(
      report.group?.partitions
        .map(({ topic: name, committed, end, lag }) => [name, committed, end, lag])
        .sort(),
      [
        [first, 2, 5, 3],
        [second, 5, 5, 0],
      ].sort(),
    );
  });

  for (const [what, password] of [
    ['that is right', cluster.users.app.password],
    ['that is wrong', 'not-the-password'],
  ] as const) {
    test(`sends a broker one password ${what}, under however many names`, async (t) => {
      let handshakes = 0;
      let logins = 0;
      proxy.onRequest(({ apiKey, payload }) => {
        if (apiKey === SASL_HANDSHAKE && !payload.includes('CONNECTIVITY-CHECK')) handshakes++;
        if (apiKey === SASL_AUTHENTICATE) logins++;
      });
      t.after(() => proxy.pass());
      const servers = `127.0.0.1:${proxy.port},localhost:${proxy.port}`;
      const report = await checkWith({
        ...variablesFor(cluster, 'SASL_PLAINTEXT', { servers }),
        KAFKA_SASL_PASSWORD: password,
        KAFKA_SASL_MECHANISM: 'PLAIN',
      });
      assert.equal(report.ok, password === cluster.users.app.password);
      assert.deepEqual([handshakes, logins], [1, 1]);
    });
  }

  for (const listener of ['SASL_PLAINTEXT', 'SASL_SSL'] as const) {
    test(`leaves no connection behind: ${listener}`, async (t) => {
      const port = cluster.brokers[0]?.ports[listener] ?? 0;
      const between = await startFaultProxy({ target: { host: '127.0.0.1', port } });
      t.after(() => between.close());
      const servers = `127.0.0.1:${between.port}`;
      const report = await checkWith(variablesFor(cluster, listener, { servers }));
      assert.deepEqual([report.ok, between.accepted > 0], [true, true]);
      for (let turns = 0; between.connections > 0 && turns < 1_000; turns++) await new Promise(setImmediate);
      assert.equal(between.connections, 0);
    });
  }

  test('names no password anywhere, not even one that a broker repeats', async () => {
    const password = 'a-password-to-look-for';
    const variables = { ...healthy, KAFKA_SASL_PASSWORD: password };
    const everything: unknown[] = [];
    const timer = async () => everything.push(await call(event('timer'), variables).catch(String));
    everything.push(...(await linesOf(timer)));
    for (const accept of ['application/json', 'text/html', 'text/plain']) {
      everything.push(await ask({ headers: { accept } }, variables));
    }
    everything.push(await doctor(variables));
    const text = JSON.stringify(everything);
    assert.ok(!text.includes(password));
    assert.ok(text.includes('SASL_BAD_CREDENTIALS'));
  });

  test('gives no false alarm in 50 runs', async () => {
    for (let run = 0; run < 50; run++) {
      const { ok, warnings, verdict } = await checkWith(healthy);
      assert.deepEqual([ok, warnings, verdict], [true, [], null]);
    }
  });

  test('goes every rung, and says of each what was seen', async () => {
    const report = await checkWith(healthy);
    assert.equal(stageAt(report, 0, 'sasl')?.evidence, 'SCRAM-SHA-512');
    assert.match(stageAt(report, 0, 'tls')?.evidence ?? '', /^TLSv1\.3, .* days left/);
    assert.match(stageAt(report, 0, 'permissions')?.evidence ?? '', /READ, WRITE/);
  });
});

describe('the doctor', () => {
  const cases: [what: string, code: number, text: RegExp, variables: () => Promise<Variables> | Variables][] =
    [
      ['all is well', 0, /^OK: every rung holds/, () => healthy],
      [
        'a warning',
        2,
        /BOOTSTRAP_PARTIAL/,
        async () => {
          const servers = `127.0.0.1:${await unusedPort()},${healthy.KAFKA_BOOTSTRAP_SERVERS}`;
          return { ...healthy, KAFKA_BOOTSTRAP_SERVERS: servers };
        },
      ],
      ['TCP', 20, /^FAILED: TCP_REFUSED/, broken],
      ['TLS', 30, /^FAILED: CA_UNTRUSTED/, () => ({ ...healthy, KAFKA_SSL_CA_PEM: '' })],
      ['SASL', 40, /^FAILED: SASL_BAD_CREDENTIALS/, () => ({ ...healthy, KAFKA_SASL_PASSWORD: 'wrong' })],
      ['Kafka', 50, /^FAILED: TOPIC_MISSING/, () => ({ ...healthy, CHECK_TOPIC: 'missing' })],
      [
        'permissions',
        60,
        /^FAILED: ACL_TOPIC_DESCRIBE/,
        () => ({
          ...healthy,
          KAFKA_SASL_USERNAME: cluster.users.restricted.username,
          KAFKA_SASL_PASSWORD: cluster.users.restricted.password,
        }),
      ],
      ['configuration', 78, /^FAILED: CONFIG_INVALID/, () => ({})],
    ];
  for (const [what, code, text, variables] of cases) {
    test(`ends with ${code}: ${what}`, async () => {
      const said = await doctor(await variables());
      assert.match(said.text, text);
      assert.equal(said.code, code);
    });
  }

  test('prints the report as JSON where that is wanted', async () => {
    const { text } = await doctor(healthy, '--json');
    assertReport(JSON.parse(text));
  });
});

async function doctor(variables: Variables, ...args: string[]): Promise<{ code: number; text: string }> {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', DOCTOR, ...args], {
    env: { PATH, CHECK_TIMEOUT_MS: '5000', ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, text };
}
