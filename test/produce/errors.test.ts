import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { createPublish, type Publisher } from '../../functions/produce/publish.ts';
import { call, int8, string } from '../../local/kafka/wire.ts';
import type { HttpResponse } from '../../src/http/message.ts';
import type { ConnectionConfig } from '../../src/kafka/connection/config.ts';
import type { ProducerConfig } from '../../src/kafka/produce/config.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { withErrorCode } from '../support/faults/produce-answers.ts';
import { startFaultProxy } from '../support/faults/proxy.ts';
import { unusedPort } from '../support/faults/servers.ts';
import { recordingLog } from '../support/log.ts';
import {
  acknowledged,
  assertFailure,
  bodyOf,
  JSON_TYPE,
  JSON_V2,
  post,
  produceDefaults,
  TEXT_V2,
  VENDOR_TYPE,
} from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';

const PRODUCE = 0;

const proxy = await startFaultProxy({ target: undefined });
after(() => proxy.close());
const cluster = await kafkaForTests({
  extraListeners: [
    { name: 'PROXIED', protocol: 'PLAINTEXT', advertised: () => ({ host: proxy.host, port: proxy.port }) },
  ],
});
proxy.setTarget('127.0.0.1', cluster.brokers[0]?.ports.PROXIED ?? 0);

const good = { records: [{ key: 'a', value: 1 }] };

interface Options extends Partial<Publisher> {
  connection?: ConnectionConfig;
  options?: Partial<ProducerConfig>;
  /** How long the caller has, in milliseconds. */
  within?: number;
}

function publisher({ connection, options, within = 30_000, ...changes }: Options = {}) {
  const log = recordingLog();
  const { producer } = newProducer(connection ?? connectionConfigFor(cluster), options, log);
  const publish = createPublish({ producer, config: produceDefaults, log, ...changes });
  return (...args: Parameters<typeof post>): Promise<HttpResponse> =>
    publish(post(...args), Date.now() + within);
}

const proxied = () =>
  connectionConfigFor(cluster, { listener: 'PLAINTEXT', bootstrapServers: `${proxy.host}:${proxy.port}` });

/** A publisher whose connection through the proxy is warm, and that has so many milliseconds from then on. */
async function warmThroughProxy(topic: string, within: number, options: Partial<ProducerConfig> = {}) {
  const { producer } = newProducer(proxied(), options);
  acknowledged(await publisher({ producer })(topic, good));
  return publisher({ producer, within });
}

const publish = publisher();

describe('failures that the request causes', () => {
  let topic: string;
  before(async () => {
    topic = await newTopic(cluster, { partitions: 2 });
  });

  const requests: [string, () => Parameters<typeof post>][] = [
    ['MALFORMED_REQUEST', () => [topic, '{']],
    ['TOPIC_NOT_ALLOWED', () => ['__consumer_offsets', good]],
    ['UNKNOWN_TOPIC', () => ['nowhere', good]],
    ['UNKNOWN_PARTITION', () => ['', good, { path: `/topics/${topic}/partitions/2` }]],
    ['UNKNOWN_ROUTE', () => ['', good, { path: '/elsewhere' }]],
    ['METHOD_NOT_ALLOWED', () => [topic, good, { method: 'DELETE' }]],
    ['NOT_ACCEPTABLE', () => [topic, good, { headers: { accept: 'text/html' } }]],
    ['RECORD_TOO_LARGE', () => [topic, { records: [{ value: 'x'.repeat(2 ** 20) }] }]],
    ['BODY_TOO_LARGE', () => [topic, ' '.repeat(6 * 2 ** 20 + 1)]],
    ['UNSUPPORTED_MEDIA_TYPE', () => [topic, good, { headers: { 'content-type': 'text/plain' } }]],
    ['INVALID_RECORD', () => [topic, { records: [] }]],
  ];
  for (const [code, request] of requests) {
    test(code, async () => {
      const response = await publish(...request());
      assertFailure(response, code);
      assert.equal(response.headers['content-type'], JSON_TYPE);
    });
    test(`${code} for a client of the REST Proxy`, async () => {
      const [name, body, changes] = request();
      const accept = `${VENDOR_TYPE}, application/json;q=0.9`;
      const headers = { accept, 'content-type': JSON_V2, ...changes?.headers };
      const vendor = code === 'UNSUPPORTED_MEDIA_TYPE' ? 'application/vnd.kafka.avro.v2+json' : JSON_V2;
      const response = await publish(name, body, {
        ...changes,
        headers: { ...headers, 'content-type': vendor },
      });
      assertFailure(response, code);
      assert.equal(response.headers['content-type'], VENDOR_TYPE);
    });
  }

  for (const name of ['a b', 'ä', 'a%20b', '..', '.', 'x'.repeat(250), '%ff', '%', 'a%2Fb', '%00']) {
    test(`${name.slice(0, 20)} is refused as the name of a topic`, async () => {
      assertFailure(await publish(name, good), 'INVALID_RECORD');
    });
  }

  for (const path of ['/topics//partitions/0', '/topics/a/b', '/topics/a/partitions/0/0', '/x', '//']) {
    test(`"${path}" is an unknown route`, async () => {
      assertFailure(await publish('', good, { path }), 'UNKNOWN_ROUTE');
    });
  }

  for (const path of ['/topics', '/brokers', '/ready', '/healthy', '/openapi.json', '/topics/a/partitions']) {
    test(`${path} is for reading`, async () => {
      assertFailure(await publish('', good, { path }), 'METHOD_NOT_ALLOWED');
    });
  }

  for (const method of ['PUT', 'PATCH', 'DELETE', 'GET', 'TRACE', '', 'CONNECT']) {
    test(`${method || 'no method'} does not publish`, async () => {
      const { status } = await publish(topic, good, { method });
      assert.notEqual(Math.floor(status / 100), 5);
      assert.equal((await readTopic(cluster, topic)).length, 0);
    });
  }

  test('/healthy is of the process, and answers without a broker', async () => {
    const lost = publisher({
      connection: connectionConfigFor(cluster, { bootstrapServers: `127.0.0.1:${await unusedPort()}` }),
    });
    for (const path of ['/healthy', '/v1/healthy']) {
      assert.equal((await lost('', '', { method: 'GET', path })).status, 200);
    }
  });

  test('PRODUCE_TOPICS is asked before the cluster is', async () => {
    const lost = publisher({
      connection: connectionConfigFor(cluster, { bootstrapServers: `127.0.0.1:${await unusedPort()}` }),
      config: { ...produceDefaults, isTopicAllowed: (name) => name === 'orders' },
    });
    assertFailure(await lost('payments', good), 'TOPIC_NOT_ALLOWED');
    assertFailure(await lost('', { ...good, topic: 'payments' }, { path: '/' }), 'TOPIC_NOT_ALLOWED');
    assertFailure(await lost('orders', good), 'BROKER_UNREACHABLE');
  });
});

describe('failures that the cluster causes', () => {
  test('UNKNOWN_TOPIC comes back as soon as the topic is there', async () => {
    const name = `later-${Date.now()}`;
    assertFailure(await publish(name, good), 'UNKNOWN_TOPIC');
    await cluster.createTopic(name, { partitions: 1 });
    assert.deepEqual(acknowledged(await publish(name, good)), ['0/0']);
  });

  test('AUTHENTICATION_FAILED', async () => {
    const password = 'a-wrong-password-for-this-test';
    const user = { ...cluster.users.app, password };
    const response = await publisher({ connection: connectionConfigFor(cluster, { user }) })('any', good);
    assertFailure(response, 'AUTHENTICATION_FAILED');
    assert.ok(!response.body.includes(password));
  });

  test('TOPIC_NOT_AUTHORIZED: may see the topic and not write; may not even see it', async () => {
    const restricted = publisher({
      connection: connectionConfigFor(cluster, { user: cluster.users.restricted }),
    });
    const readonly = await newTopic(cluster, {}, 'restricted-readonly');
    const hidden = await newTopic(cluster, {}, 'hidden');
    const allowed = await newTopic(cluster, { partitions: 1 }, 'restricted-allowed');
    assertFailure(await restricted(readonly, good), 'TOPIC_NOT_AUTHORIZED');
    assertFailure(await restricted(hidden, good), 'TOPIC_NOT_AUTHORIZED');
    assertFailure(await restricted('hidden-or-not-there', good), 'TOPIC_NOT_AUTHORIZED');
    assert.deepEqual(acknowledged(await restricted(allowed, good)), ['0/0']);
    assert.deepEqual(await readTopic(cluster, readonly), []);
  });

  test("RECORD_TOO_LARGE by the topic's own limit", async () => {
    const topic = await newTopic(cluster, { config: { 'max.message.bytes': '1000' } });
    assertFailure(await publish(topic, { records: [{ value: 'x'.repeat(2_000) }] }), 'RECORD_TOO_LARGE');
  });

  test('BROKER_UNREACHABLE: refused, not resolvable, no Kafka, silent, wrong certificate', async () => {
    const silent = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    const closing = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    after(() => {
      silent.close();
      closing.close();
    });
    await Promise.all([once(silent, 'listening'), once(closing, 'listening')]);
    const port = (server: typeof silent) => (server.address() as { port: number }).port;
    const at = (bootstrapServers: string) => connectionConfigFor(cluster, { bootstrapServers });
    const untrusting = { ...connectionConfigFor(cluster), ssl: { ca: undefined, verifyHostname: true } };
    for (const [connection, within] of [
      [at(`127.0.0.1:${await unusedPort()}`), 3_000],
      [at('no-such-host.invalid:9093'), 3_000],
      [at(`127.0.0.1:${port(closing)}`), 3_000],
      [at(`127.0.0.1:${port(silent)}`), 500],
      [untrusting, 3_000],
    ] as const) {
      const response = await publisher({ connection, within })('any', good);
      assertFailure(response, 'BROKER_UNREACHABLE');
      assert.doesNotMatch(response.body, /no-such-host|9093/);
    }
  });

  test('an answer comes within 5 s, however long the caller would wait', async () => {
    const silent = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    after(() => silent.close());
    const { port } = silent.address() as { port: number };
    const connection = connectionConfigFor(cluster, { bootstrapServers: `127.0.0.1:${port}` });
    const startedAt = performance.now();
    assertFailure(await publisher({ connection, within: 60_000 })('any', good), 'BROKER_UNREACHABLE');
    assert.ok(performance.now() - startedAt < 5_000);
  });

  test('THROTTLED, with the time to wait: the quota outlasts the deadline and nothing was sent', async () => {
    const clientId = 'throttled-client';
    await setProducerQuota(clientId, 1_000);
    const topic = await newTopic(cluster, { partitions: 1 });
    const connection = { ...connectionConfigFor(cluster), clientId };
    const { producer } = newProducer(connection);
    acknowledged(await publisher({ producer })(topic, good));
    const throttled = publisher({ producer, within: 1_500 });
    const record = { records: [{ value: 'x'.repeat(50_000) }] };
    const places = ['0/0'];
    let response = await throttled(topic, record);
    for (let n = 0; n < 20 && response.status === 200; n++) {
      places.push(...acknowledged(response));
      response = await throttled(topic, record);
    }
    assertFailure(response, 'THROTTLED');
    assert.ok(Number(response.headers['retry-after']) > 1);
    assert.equal((await readTopic(cluster, topic)).length, places.length);
  });

  test('QUEUE_FULL: what waits already takes the room', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const lingering = publisher({ options: { maxQueueBytes: 1_024, lingerMs: 300 } });
    acknowledged(await lingering(topic, good));
    const waiting = lingering(topic, { records: [{ value: 'x'.repeat(900) }] });
    const late = await lingering(topic, { records: [{ value: 'x'.repeat(900) }] });
    assertFailure(late, 'QUEUE_FULL');
    assert.deepEqual(acknowledged(await waiting), ['0/1']);
    assert.deepEqual(acknowledged(await lingering(topic, good)), ['0/2']);
    assert.equal((await readTopic(cluster, topic)).length, 3);
  });

  test('CONFIG_INVALID: idempotence that was asked for and is refused', async () => {
    const topic = await newTopic(cluster, {}, 'restricted-readonly');
    const connection = connectionConfigFor(cluster, { user: cluster.users.restricted });
    const response = await publisher({ connection, options: { idempotence: 'required' } })(topic, good);
    assert.ok(
      ['CONFIG_INVALID', 'TOPIC_NOT_AUTHORIZED'].includes(bodyOf(response).code ?? ''),
      response.body,
    );
  });
});

describe('failures while records are under way', () => {
  afterEach(() => proxy.pass());

  // The embedded broker has no reason of its own to give these codes: the proxy writes them into its answers.
  const refusals: [number, string][] = [
    [6, 'NO_LEADER'],
    [7, 'ACK_TIMEOUT'],
    [19, 'NOT_ENOUGH_REPLICAS'],
    [20, 'ACK_TIMEOUT'],
    [-1, 'INTERNAL'],
  ];
  for (const [kafkaCode, code] of refusals) {
    test(`${code}: the broker answers ${kafkaCode}`, async () => {
      const topic = await newTopic(cluster, { partitions: 1 });
      const publish = await warmThroughProxy(topic, 1_500);
      let refused = 0;
      proxy.rewriteResponses((frame, { apiKey }) => {
        // Refused twice, nothing is answered: a third attempt under way at the deadline would be in doubt.
        if (refused === 2) return 'swallow';
        if (apiKey !== PRODUCE) return undefined;
        refused++;
        return withErrorCode(frame, topic, kafkaCode);
      });
      const answer = assertFailure(await publish(topic, good), code);
      proxy.pass();
      assert.deepEqual(
        answer.offsets?.map((entry) => [entry.offset, entry.code]),
        [[null, code]],
      );
    });
  }

  test('ACK_TIMEOUT: the leader appended, and lost its place before its followers had it', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const publish = await warmThroughProxy(topic, 600);
    proxy.rewriteResponses((frame, { apiKey }) => {
      if (apiKey !== PRODUCE) return undefined;
      return withErrorCode(frame, topic, 6, { keepsOffset: true });
    });
    assertFailure(await publish(topic, good), 'ACK_TIMEOUT');
    proxy.pass();
    // Sent again and again as it was, the broker took it once.
    assert.equal((await readTopic(cluster, topic)).length, 2);
  });

  test('ACK_TIMEOUT: sent, not answered', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const publish = await warmThroughProxy(topic, 1_000);
    proxy.rewriteResponses((_frame, { apiKey }) => (apiKey === PRODUCE ? 'swallow' : undefined));
    assertFailure(await publish(topic, good), 'ACK_TIMEOUT');
    proxy.pass();
    assert.deepEqual(acknowledged(await publish(topic, good)), ['0/2']);
  });

  test('CONNECTION_LOST: sent, then cut; without idempotence it is not sent again', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const publish = await warmThroughProxy(topic, 3_000, { acks: '1', idempotence: 'off' });
    let produced = 0;
    proxy.onRequest(({ apiKey }) => {
      if (apiKey !== PRODUCE) return 'forward';
      produced++;
      return 'cut';
    });
    assertFailure(await publish(topic, good), 'CONNECTION_LOST');
    proxy.pass();
    assert.equal(produced, 1);
    assert.equal((await readTopic(cluster, topic)).length, 1);
  });

  test('cut with idempotence: sent again, acknowledged once', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const publish = await warmThroughProxy(topic, 3_000);
    let cuts = 0;
    proxy.rewriteResponses((_frame, { apiKey }) => (apiKey === PRODUCE && cuts++ === 0 ? 'cut' : undefined));
    assert.deepEqual(acknowledged(await publish(topic, good)), ['0/1']);
    proxy.pass();
    assert.equal(cuts, 2);
    assert.equal((await readTopic(cluster, topic)).length, 2);
  });
});

test('the log says what the caller is not told', async () => {
  const log = recordingLog();
  const port = await unusedPort();
  const { producer } = newProducer(
    connectionConfigFor(cluster, { bootstrapServers: `127.0.0.1:${port}` }),
    {},
    log,
  );
  const publish = createPublish({ producer, config: produceDefaults, log });
  const request = post('any', good, { headers: { 'content-type': TEXT_V2 } });
  const response = await publish(
    { ...request, body: Buffer.from('{"records":[{"value":"x"}]}') },
    Date.now() + 2_000,
  );
  assertFailure(response, 'BROKER_UNREACHABLE');
  const line = log.lines.find(({ message }) => message === 'request failed');
  assert.equal(line?.level, 'warn');
  assert.equal(line.fields?.code, 'BROKER_UNREACHABLE');
  assert.equal(line.fields?.requestId, request.requestId);
});

/** Bytes a second that this client id may produce. AlterClientQuotas version 0, and back when it is in force. */
async function setProducerQuota(clientId: string, bytesPerSecond: number): Promise<void> {
  const port = cluster.brokers[0]?.ports.PLAINTEXT ?? 0;
  const one = Buffer.from([0, 0, 0, 1]);
  const value = Buffer.alloc(8);
  value.writeDoubleBE(bytesPerSecond);
  const entity = Buffer.concat([one, string('client-id'), string(clientId)]);
  const operation = Buffer.concat([one, string('producer_byte_rate'), value, int8(0)]);
  const answer = await call(port, {
    apiKey: 49,
    apiVersion: 0,
    body: Buffer.concat([one, entity, operation, int8(0)]),
  });
  answer.readInt32();
  for (const error of answer.readArray(() => answer.readInt16())) assert.equal(error, 0);
}
