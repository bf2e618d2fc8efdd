/** What we answer where the REST Proxy v2 and its peers answer: every row of their table, and the metadata routes. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { ProduceConfig } from '../../functions/produce/config.ts';
import { createPublish } from '../../functions/produce/publish.ts';
import type { HttpRequest, HttpResponse } from '../../src/http/message.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { unusedPort } from '../support/faults/servers.ts';
import { recordingLog } from '../support/log.ts';
import {
  acknowledged,
  assertFailure,
  BINARY_V2,
  JSON_TYPE,
  JSON_V2,
  post,
  produceDefaults,
  TEXT_V2,
  VENDOR_TYPE,
} from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';

/** What clients of the REST Proxy send. */
const ACCEPT = 'application/vnd.kafka.v2+json, application/json;q=0.9, */*';

const cluster = await kafkaForTests({ brokers: 3 });
const { producer } = newProducer(connectionConfigFor(cluster));

function publisher(config: Partial<ProduceConfig> = {}, via = producer) {
  const publish = createPublish({
    producer: via,
    config: { ...produceDefaults, ...config },
    log: recordingLog(),
  });
  return (request: HttpRequest): Promise<HttpResponse> => publish(request, Date.now() + 30_000);
}

const serve = publisher();

const send = (topic: string, body: unknown, contentType = JSON_V2, more: Partial<HttpRequest> = {}) =>
  serve(post(topic, body, { headers: { 'content-type': contentType, accept: ACCEPT }, ...more } as object));

const get = (path: string, headers: Record<string, string> = { accept: ACCEPT }, method = 'GET') =>
  post('', '', { method, path, headers });

/** A webhook with a key, of which one header is kept. */
function hooks(topic: string, body: Buffer): Promise<HttpResponse> {
  const copiesHeader = (name: string) => name.startsWith('x-github-');
  const headers = { 'content-type': 'application/json', 'x-github-event': 'push' };
  const request = post('', body, { path: `/webhooks/${topic}`, headers, query: { key: 'k' } });
  return publisher({ webhook: { ...produceDefaults.webhook, copiesHeader } })(request);
}

async function answerOf(path: string, by = serve): Promise<unknown> {
  const response = await by(get(path));
  assert.equal(response.status, 200, response.body);
  assert.equal(response.headers['content-type'], VENDOR_TYPE);
  return JSON.parse(response.body);
}

describe('produce, as the REST Proxy does', () => {
  let topic: string;
  before(async () => {
    topic = await newTopic(cluster, { partitions: 3 });
  });

  test('the answer: an entry a record in the order of the request, and its type', async () => {
    const response = await send(topic, {
      key_schema: null,
      value_schema_id: null,
      records: [
        { value: 1, partition: 2 },
        { value: 2, partition: 0 },
        { value: 3, partition: 2 },
      ],
    });
    assert.equal(response.headers['content-type'], VENDOR_TYPE);
    assert.deepEqual(JSON.parse(response.body), {
      offsets: [
        { partition: 2, offset: 0, error_code: null, error: null },
        { partition: 0, offset: 0, error_code: null, error: null },
        { partition: 2, offset: 1, error_code: null, error: null },
      ],
      key_schema_id: null,
      value_schema_id: null,
    });
  });

  test('a request to a partition publishes there', async () => {
    const path = `/topics/${topic}/partitions/1`;
    assert.deepEqual(acknowledged(await send('', { records: [{ value: 1 }] }, JSON_V2, { path })), ['1/0']);
  });

  const stored: [
    row: string,
    record: unknown,
    contentType: string,
    key: string | null,
    value: string | null,
  ][] = [
    ['value 42', { value: 42 }, JSON_V2, null, '42'],
    ['value 0', { value: 0 }, JSON_V2, null, '0'],
    ['value false', { value: false }, JSON_V2, null, 'false'],
    ['value {}', { value: {} }, JSON_V2, null, '{}'],
    ['value ""', { value: '' }, JSON_V2, null, '""'],
    ['value "" as binary', { value: '' }, BINARY_V2, null, ''],
    ['value "" as text', { value: '' }, TEXT_V2, null, ''],
    ['value null', { key: 'a', value: null }, JSON_V2, '"a"', null],
    ['value null as binary', { key: 'YQ==', value: null }, BINARY_V2, 'a', null],
    ['value null as text', { key: 'a', value: null }, TEXT_V2, 'a', null],
    ['key only', { key: 'a' }, JSON_V2, '"a"', null],
    ['key ""', { key: '', value: 1 }, JSON_V2, '""', '1'],
    ['key 0', { key: 0, value: 1 }, JSON_V2, '0', '1'],
    ['key 7', { key: 7, value: 1 }, JSON_V2, '7', '1'],
    ['key {"id":1}', { key: { id: 1 }, value: 1 }, JSON_V2, '{"id":1}', '1'],
    ['application/json', { value: 'a' }, JSON_TYPE, null, '"a"'],
    ['with a charset', { value: 'a' }, `${JSON_V2}; charset=utf-8`, null, '"a"'],
    ['text without quotes', { value: 'a' }, TEXT_V2, null, 'a'],
    ['base64', { value: 'AP8=' }, BINARY_V2, null, '\0\ufffd'],
  ];
  test('what is stored, and a webhook beside it', async () => {
    const ordered = await newTopic(cluster, { partitions: 1 });
    for (const [, record, contentType] of stored) {
      acknowledged(await send(ordered, { records: [record] }, contentType));
    }
    const texts = ['12345678901234567890123', '1.10', '1e3', '{"a":2,"a":3}'];
    acknowledged(await send(ordered, `{"records":[${texts.map((text) => `{"value":${text}}`)}]}`));
    const headers = [
      { key: 'a', value: 'YQ==' },
      { name: 'b', value: null },
    ];
    acknowledged(await send(ordered, { records: [{ value: 1, headers, timestamp: 1_700_000_000_000 }] }));
    const hook = Buffer.from([0x7b, 0x20, 0xff, 0x00, 0x7d]);
    acknowledged(await hooks(ordered, hook));
    // Read once: with three brokers a reader of plain kafkajs takes seconds.
    const records = await readTopic(cluster, ordered);
    const webhook = records.pop();
    assert.deepEqual([webhook?.key, webhook?.value], [Buffer.from('k'), hook]);
    assert.deepEqual(Object.keys(webhook?.headers ?? {}), ['x-github-event']);
    const last = records.pop();
    assert.equal(`${last?.headers.a}`, 'a');
    assert.ok(last && 'b' in last.headers);
    assert.equal(last.timestamp, 1_700_000_000_000);
    const read = records.map(({ key, value }) => [key && `${key}`, value && `${value}`]);
    for (const [index, [row, , , key, value]] of stored.entries())
      assert.deepEqual(read[index], [key, value], row);
    assert.deepEqual(
      read.slice(stored.length),
      texts.map((text) => [null, text]),
    );
  });

  test('a record of 2 MB, a good beside a bad partition: refused whole, nothing is published', async () => {
    const one = await newTopic(cluster, { partitions: 1 });
    const large = { records: [{ value: 1 }, { value: 'x'.repeat(2_000_000) }] };
    assertFailure(await send(one, large), 'RECORD_TOO_LARGE');
    const mixed = {
      records: [
        { value: 1, partition: 0 },
        { value: 2, partition: 99 },
      ],
    };
    assertFailure(await send(one, mixed), 'UNKNOWN_PARTITION');
    assert.deepEqual(await readTopic(cluster, one), []);
  });

  const good = { records: [{ value: 1 }] };
  const refused: [row: string, code: string, request: () => HttpRequest][] = [
    ['malformed', 'MALFORMED_REQUEST', () => post(topic, '{')],
    ['bad base64', 'INVALID_RECORD', () => post(topic, { records: [{ value: '?' }] }, typed(BINARY_V2))],
    [
      'base64 without padding',
      'INVALID_RECORD',
      () => post(topic, { records: [{ value: 'YQ' }] }, typed(BINARY_V2)),
    ],
    ['records: []', 'INVALID_RECORD', () => post(topic, { records: [] })],
    ['no records', 'INVALID_RECORD', () => post(topic, {})],
    ['a schema', 'INVALID_RECORD', () => post(topic, { ...good, value_schema: '{}' })],
    ['partition -1', 'INVALID_RECORD', () => post(topic, { records: [{ value: 1, partition: -1 }] })],
    ['partition abc', 'INVALID_RECORD', () => post('', good, { path: `/topics/${topic}/partitions/abc` })],
    ['partition 99', 'UNKNOWN_PARTITION', () => post('', good, { path: `/topics/${topic}/partitions/99` })],
    ['an unknown topic', 'UNKNOWN_TOPIC', () => post('nowhere', good)],
    ['an invalid topic', 'INVALID_RECORD', () => post('no%20where', good)],
    ['avro', 'UNSUPPORTED_MEDIA_TYPE', () => post(topic, good, typed('application/vnd.kafka.avro.v2+json'))],
    ['text/plain', 'UNSUPPORTED_MEDIA_TYPE', () => post(topic, good, typed('text/plain'))],
    ['Accept: text/xml', 'NOT_ACCEPTABLE', () => post(topic, good, { headers: { accept: 'text/xml' } })],
    ['7 MB', 'BODY_TOO_LARGE', () => post(topic, Buffer.alloc(7_000_000, ' '))],
  ];
  const typed = (contentType: string) => ({ headers: { 'content-type': contentType } });
  for (const [row, code, request] of refused) {
    test(`${row}: ${code}`, async () => {
      assertFailure(await serve(request()), code);
    });
  }
});

test('a 404 of a topic or a route names a remedy', async () => {
  const messageOf = async (request: HttpRequest) => String(JSON.parse((await serve(request)).body).message);
  const good = { records: [{ value: 1 }] };
  assert.match(
    await messageOf(post('nowhere', good)),
    /^topic nowhere does not exist: create it, or correct its name\. .*npm start -- --topics nowhere, in the DMS console, else .*kafka-topics\.sh/,
  );
  assert.match(await messageOf(get('/topics/nowhere')), /create it, or correct its name/);
  assert.match(
    await messageOf(post('', good, { path: '/somewhere' })),
    /records go to POST \/topics\/\{topic\}/,
  );
});

describe('produce without a cluster', async () => {
  const { producer: lost } = newProducer(
    connectionConfigFor(cluster, { bootstrapServers: `127.0.0.1:${await unusedPort()}` }),
  );
  const blind = publisher({}, lost);

  test('produce and every question: 503 within 5 s', async () => {
    const startedAt = performance.now();
    assertFailure(await blind(post('any', { records: [{ value: 1 }] })), 'BROKER_UNREACHABLE');
    for (const path of [
      '/topics',
      '/topics/any',
      '/topics/any/partitions',
      '/topics/any/partitions/0',
      '/brokers',
    ]) {
      assertFailure(await blind(get(path)), 'BROKER_UNREACHABLE');
    }
    assert.ok(performance.now() - startedAt < 5_000);
  });

  test('/healthy is 200, /ready is 503, /openapi.json is there', async () => {
    assert.equal((await blind(get('/healthy'))).status, 200);
    assert.equal((await blind(get('/openapi.json'))).status, 200);
    assertFailure(await blind(get('/ready')), 'BROKER_UNREACHABLE');
  });
});

describe('questions about topics and brokers', () => {
  let topic: string;
  before(async () => {
    topic = await newTopic(cluster, { partitions: 2 });
  });

  test('GET /topics: in order, and those alone that PRODUCE_TOPICS has', async () => {
    await newTopic(cluster, { partitions: 1 });
    const names = (await answerOf('/topics')) as string[];
    assert.ok(names.includes(topic));
    assert.deepEqual(names, [...names].sort());
    assert.ok(names.length > 1 && names.every((name) => !name.startsWith('__')));
    const only = publisher({ isTopicAllowed: (name) => name === topic });
    assert.deepEqual(await answerOf('/topics', only), [topic]);
  });

  test('GET /topics/{topic}, its partitions, one of them', async () => {
    const described = (await answerOf(`/topics/${topic}`)) as {
      partitions: { partition: number; leader: number; replicas: { broker: number }[] }[];
    };
    const { partitions, ...rest } = described;
    assert.deepEqual(rest, { name: topic, configs: {} });
    assert.deepEqual(
      partitions.map(({ partition }) => partition),
      [0, 1],
    );
    for (const { leader, replicas } of partitions) {
      assert.deepEqual(replicas.map(({ broker }) => broker).sort(), [1, 2, 3]);
      const expected = replicas.map(({ broker }) => ({ broker, leader: broker === leader, in_sync: true }));
      assert.deepEqual(replicas, expected);
      assert.ok(leader >= 1 && leader <= 3);
    }
    assert.deepEqual(await answerOf(`/topics/${topic}/partitions`), partitions);
    assert.deepEqual(await answerOf(`/topics/${topic}/partitions/1`), partitions[1]);
    assert.deepEqual(await answerOf(`/v1/topics/${topic}/partitions/1/`), partitions[1]);
  });

  test('GET /brokers', async () => {
    assert.deepEqual(await answerOf('/brokers'), { brokers: [1, 2, 3] });
  });

  test('GET /ready', async () => {
    assert.deepEqual(await answerOf('/ready'), { status: 'ready' });
  });

  const refused: [path: string, code: string][] = [
    ['/topics/nowhere', 'UNKNOWN_TOPIC'],
    ['/topics/nowhere/partitions', 'UNKNOWN_TOPIC'],
    ['/topics/nowhere/partitions/0', 'UNKNOWN_TOPIC'],
    ['/topics/TOPIC/partitions/2', 'UNKNOWN_PARTITION'],
    ['/topics/TOPIC/partitions/x', 'INVALID_RECORD'],
    ['/topics/__consumer_offsets', 'TOPIC_NOT_ALLOWED'],
    ['/topics/a%20b', 'INVALID_RECORD'],
    ['/topic', 'UNKNOWN_ROUTE'],
    ['/webhooks', 'UNKNOWN_ROUTE'],
    ['/openapi_json', 'UNKNOWN_ROUTE'],
  ];
  for (const [path, code] of refused) {
    test(`GET ${path}: ${code}`, async () => {
      assertFailure(await serve(get(path.replace('TOPIC', topic))), code);
    });
  }

  test('a gateway that has matched the topic itself', async () => {
    const request = { ...get('/v1/describe'), pathParameters: { topic } };
    assert.equal(JSON.parse((await serve(request)).body).name, topic);
    const ofPartition = { ...get('/v1/describe'), pathParameters: { topic, partition: '1' } };
    assert.equal(JSON.parse((await serve(ofPartition)).body).partition, 1);
    const misleading = { ...get('/brokers'), pathParameters: { topic } };
    assert.equal(JSON.parse((await serve(misleading)).body).name, topic);
  });

  test('topics whose names are routes', async () => {
    for (const name of ['brokers', 'topics', 'healthy', 'webhooks']) {
      await cluster.createTopic(name, { partitions: 1 });
      assert.equal(((await answerOf(`/topics/${name}`)) as { name: string }).name, name);
      assert.deepEqual(((await answerOf(`/topics/${name}/partitions`)) as unknown[]).length, 1);
      acknowledged(await serve(post(name, { records: [{ value: 1 }] })));
    }
  });

  const allowed: [path: string, allow: string][] = [
    ['/topics', 'GET, HEAD'],
    ['/topics/a', 'GET, HEAD, POST'],
    ['/topics/a/partitions', 'GET, HEAD'],
    ['/topics/a/partitions/0', 'GET, HEAD, POST'],
    ['/webhooks/a', 'POST'],
    ['/brokers', 'GET, HEAD'],
    ['/healthy', 'GET, HEAD'],
    ['/ready', 'GET, HEAD'],
    ['/openapi.json', 'GET, HEAD'],
    ['/', 'POST'],
  ];
  for (const [path, allow] of allowed) {
    test(`${path}: ${allow}, and nothing else`, async () => {
      for (const method of [
        'PUT',
        'DELETE',
        'OPTIONS',
        'constructor',
        ...(allow.includes('POST') ? [] : ['POST']),
      ]) {
        const response = await serve(get(`/v1${path}`.replace(/^\/v1\/$/, '/'), {}, method));
        assertFailure(response, 'METHOD_NOT_ALLOWED');
        assert.equal(response.headers.allow, allow);
      }
    });
  }

  test('HEAD is answered as GET is', async () => {
    const response = await serve(get('/topics', {}, 'HEAD'));
    assert.equal(response.status, 200);
    assert.equal(response.headers['content-type'], JSON_TYPE);
  });
});

test('with a broker gone: its topics stay in the list, without a leader; the others have it out of sync', async () => {
  const alone = await newTopic(cluster, { partitions: 3, replicationFactor: 1 });
  const shared = await newTopic(cluster, { partitions: 1 });
  await cluster.stopBroker(3);
  const partitionsOf = async (name: string) =>
    (await answerOf(`/topics/${name}/partitions`)) as {
      leader: number;
      replicas: { broker: number; leader: boolean; in_sync: boolean }[];
    }[];
  assert.ok(((await answerOf('/topics')) as string[]).includes(alone));
  const orphans = (await partitionsOf(alone)).filter(({ replicas }) => replicas[0]?.broker === 3);
  assert.equal(orphans.length, 1);
  for (const { leader, replicas } of orphans) {
    assert.equal(leader, -1);
    assert.equal(replicas[0]?.leader, false);
  }
  const [partition] = await partitionsOf(shared);
  const replica = partition?.replicas.find(({ broker }) => broker === 3);
  assert.deepEqual(replica, { broker: 3, leader: false, in_sync: false });
  assert.deepEqual(await answerOf('/ready'), { status: 'ready' });
});
