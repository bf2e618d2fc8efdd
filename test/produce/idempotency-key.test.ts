/** `Idempotency-Key`: what a request that may be repeated leaves in the headers of its records. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { produceConfig } from '../../functions/produce/config.ts';
import { createPublish } from '../../functions/produce/publish.ts';
import type { HttpRequest } from '../../src/http/message.ts';
import { readConfig } from '../../src/variables.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { recordingLog } from '../support/log.ts';
import { acknowledged, assertFailure, post } from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const { producer } = newProducer(connectionConfigFor(cluster));
const hashOf = (key: string) => createHash('sha256').update(key).digest('hex');
const variables: Record<string, string> = {
  HTTP_API_KEYS: `${hashOf('a')}=shop.1,${hashOf('b')}=billing,${hashOf('c')}`,
  WEBHOOK_HEADERS: '*',
};
const config = readConfig((name) => variables[name], produceConfig);
const publish = createPublish({ producer, config, log: recordingLog() });
const ask = (request: HttpRequest, key = 'a') =>
  publish({ ...request, headers: { 'x-api-key': key, ...request.headers } }, Date.now() + 10_000);

const digestOf = (body: Buffer) => createHash('sha256').update(body).digest('hex').slice(0, 32);

/** What the records of a topic say of their requests. */
async function marksOf(topic: string) {
  const records = await readTopic(cluster, topic);
  return records.map(({ headers }) => [`${headers['idempotency-key']}`, `${headers['idempotency-scope']}`]);
}

describe('each record says its key, and <caller>/<index>/<digest of the body>', () => {
  const event = { 'ce-id': '1', 'ce-source': '/', 'ce-specversion': '1.0', 'ce-type': 't' };
  const events = [1, 2].map((n) => ({ specversion: '1.0', id: `${n}`, source: '/', type: 't', data: n }));
  for (const [what, count, body, changes] of [
    ['records', 3, { records: [{ value: 1 }, { value: 2 }, { value: 1 }] }, {}],
    [
      'a body by gzip: of the bytes as they came',
      1,
      gzipSync('{"records":[{"value":1}]}'),
      { headers: { 'content-encoding': 'gzip' } },
    ],
    ['an event in headers', 1, 'x', { headers: { ...event, 'content-type': 'text/plain' } }],
    ['a batch of events', 2, events, { headers: { 'content-type': 'application/cloudevents-batch+json' } }],
    ['a webhook', 1, 'any', { path: '/webhooks/{topic}' }],
    ['a partition', 1, { records: [{ value: 1 }] }, { path: '/topics/{topic}/partitions/0' }],
    ['the topic in the body', 1, undefined, { path: '/' }],
  ] as const) {
    test(what, async () => {
      const topic = await newTopic(cluster, { partitions: 1 });
      const { headers = {}, path = `/topics/${topic}` }: { headers?: object; path?: string } = changes;
      const request = post(topic, body ?? { topic, records: [{ value: 1 }] }, {
        path: path.replace('{topic}', topic),
        headers: { ...headers, 'idempotency-key': 'order-1' },
      });
      for (let n = 0; n < 2; n++) acknowledged(await ask(request));
      const once = Array.from({ length: count }, (_, index) => [
        'order-1',
        `shop.1/${index}/${digestOf(request.body)}`,
      ]);
      assert.deepEqual(await marksOf(topic), [...once, ...once]);
    });
  }

  test('the caller is the name of the key; without one, nobody', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const request = post(topic, { records: [{ value: 1 }] }, { headers: { 'idempotency-key': 'k' } });
    for (const key of ['a', 'b', 'c']) acknowledged(await ask(request, key));
    assert.deepEqual(
      (await marksOf(topic)).map(([, scope]) => scope?.split('/')[0]),
      ['shop.1', 'billing', '-'],
    );
  });

  test("a record's own headers stay, and nothing is added without a key", async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const records = [{ value: 1, headers: [{ key: 'h', value: 'aGk=' }] }];
    acknowledged(await ask(post(topic, { records })));
    acknowledged(await ask(post(topic, { records }, { headers: { 'idempotency-key': '"k"' } })));
    const headers = (await readTopic(cluster, topic)).map((record) => Object.keys(record.headers));
    assert.deepEqual(headers, [['h'], ['h', 'idempotency-key', 'idempotency-scope']]);
  });
});

describe('a key', () => {
  const records = { records: [{ value: 1 }] };
  for (const [what, key] of [
    ['of 255 characters', 'k'.repeat(255)],
    ['with every visible character', String.fromCharCode(...Array.from({ length: 94 }, (_, n) => 33 + n))],
  ] as const) {
    test(`${what} is taken`, async () => {
      const topic = await newTopic(cluster, { partitions: 1 });
      acknowledged(await ask(post(topic, records, { headers: { 'idempotency-key': key } })));
      assert.deepEqual(
        (await marksOf(topic)).map(([given]) => given),
        [key],
      );
    });
  }

  for (const [what, key] of [
    ['an empty one', ''],
    ['one of 256 characters', 'k'.repeat(256)],
    ['one with a space, as two headers give', 'a, b'],
    ['one with a tab', 'a\tb'],
    ['one with another script', 'schlüssel'],
  ] as const) {
    test(`${what} is refused, and nothing published`, async () => {
      const topic = await newTopic(cluster, { partitions: 1 });
      for (const path of [`/topics/${topic}`, `/topics/${topic}/partitions/0`, `/webhooks/${topic}`]) {
        const request = post(topic, records, { path, headers: { 'idempotency-key': key } });
        const { validation_errors } = assertFailure(await ask(request), 'INVALID_RECORD');
        assert.equal(validation_errors?.[0]?.path, 'idempotency-key');
      }
      assert.deepEqual(await readTopic(cluster, topic), []);
    });
  }
});
