/**
 * Found 2026-11-27 (A4): `auth: NONE` was called safe with WEBHOOK_SECRET, but /topics/orders and
 * /webhooks/x/topics/orders, behind a gateway's prefix, too, took records without any signature.
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { produceConfig } from '../../functions/produce/config.ts';
import { createPublish } from '../../functions/produce/publish.ts';
import type { HttpRequest } from '../../src/http/message.ts';
import { readConfig } from '../../src/variables.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { buildHttpFunction, startHttpFunction } from '../support/http-function.ts';
import { recordingLog } from '../support/log.ts';
import { acknowledged, assertFailure, post } from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const built = await buildHttpFunction();
const topic = await newTopic(cluster, { partitions: 1 });
const { producer } = newProducer(connectionConfigFor(cluster));

const SECRET = 'open-sesame';
const signed = (body: string) => ({
  'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
});
const records = JSON.stringify({ records: [{ value: 1 }], topic });

/** Every way to publish, or to look, that is no webhook. */
const closed = [
  `/topics/${topic}`,
  `/v1/topics/${topic}`,
  `/topics/${topic}/`,
  `/topics/${topic}/partitions`,
  `/topics/${topic}/partitions/0`,
  `/webhooks/x/topics/${topic}`,
  `/v1/webhooks/x/topics/${topic}`,
  `/webhooks/x/topics/${topic}/partitions/0`,
  '/webhooks/x/topics',
  '/webhooks/x/brokers',
  '/webhooks',
  '/topics',
  '/brokers',
  '/openapi.json',
  '/v1/openapi.json',
  '/',
  '',
  '/elsewhere',
];

describe('PRODUCE_ROUTES', () => {
  const publishOf = (variables: Record<string, string>) => {
    const config = readConfig((name) => variables[name], produceConfig);
    const publish = createPublish({ producer, config, log: recordingLog() });
    return (request: HttpRequest) => publish(request, Date.now() + 5_000);
  };
  const publish = publishOf({ PRODUCE_ROUTES: 'webhooks', WEBHOOK_SECRET: SECRET, KAFKA_TOPIC: topic });

  test('webhooks: nothing else is served, by no method, signed or not', async () => {
    for (const path of closed) {
      for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT']) {
        const request = post('', records, { path, method, headers: signed(records) });
        const { message } = assertFailure(await publish(request), 'UNKNOWN_ROUTE');
        assert.match(message ?? '', /records go to POST \/webhooks\/\{topic\}$/);
      }
    }
    assert.deepEqual(await readTopic(cluster, topic), []);
  });

  test('webhooks: nothing else is served where the gateway has matched the path itself, or for a CloudEvent', async () => {
    const event = { 'ce-id': '1', 'ce-source': '/', 'ce-specversion': '1.0', 'ce-type': 't' };
    for (const pathParameters of [{ topic }, { topic, partition: '0' }, { '': `topics/${topic}` }]) {
      for (const path of [`/topics/${topic}`, '/anything', '/', '/webhooks', `/webhooks/x/topics/${topic}`]) {
        for (const headers of [{}, event]) {
          const request = post('', records, {
            path,
            pathParameters,
            headers: { ...headers, ...signed(records) },
          });
          assertFailure(await publish(request), 'UNKNOWN_ROUTE');
        }
      }
    }
    assert.deepEqual(await readTopic(cluster, topic), []);
  });

  test('webhooks: signed webhooks are served, also behind a prefix, and so are /healthy and /ready', async () => {
    const own = await newTopic(cluster, { partitions: 1 });
    for (const path of [`/webhooks/${own}`, `/v1/webhooks/${own}`, `/webhooks/${own}/`]) {
      assertFailure(await publish(post('', 'x', { path })), 'SIGNATURE_INVALID');
      acknowledged(await publish(post('', 'x', { path, headers: signed('x') })));
    }
    const matched = { path: `/v1/webhooks/${own}`, pathParameters: { topic: own } };
    acknowledged(await publish(post('', 'x', { ...matched, headers: signed('x') })));
    assert.equal((await readTopic(cluster, own)).length, 4);
    for (const path of ['/healthy', '/ready', '/v1/ready']) {
      assert.equal((await publish(post('', '', { path, method: 'GET' }))).status, 200);
    }
  });

  test('all, and no value at all, serve every route', async () => {
    for (const variables of [
      {},
      { PRODUCE_ROUTES: 'all' },
      { PRODUCE_ROUTES: '' },
      { PRODUCE_ROUTES: 'ALL' },
    ]) {
      const own = await newTopic(cluster, { partitions: 1 });
      acknowledged(await publishOf(variables)(post(own, records)));
    }
  });

  test('anything else is CONFIG_INVALID', () => {
    for (const PRODUCE_ROUTES of ['webhook', 'none', 'webhooks,topics']) {
      assert.throws(() => publishOf({ PRODUCE_ROUTES }), {
        code: 'CONFIG_INVALID',
        message: /PRODUCE_ROUTES must be one of all, webhooks/,
      });
    }
  });
});

describe('PRODUCE_ROUTES on the HTTP server', () => {
  const consuming = { CONSUME_TOPICS: topic, KAFKA_GROUP_ID: `g-${topic}`, WEBHOOK_SECRET: SECRET };
  const send = async (url: string, method: string, headers = {}) => {
    const response = await fetch(url, { method, headers, ...(method === 'POST' && { body: records }) });
    const text = await response.text();
    return { status: response.status, code: text.startsWith('{') ? JSON.parse(text).code : undefined };
  };

  test('PRODUCE_ROUTES=webhooks closes the other functions and the metrics as well', async () => {
    const { url } = await startHttpFunction(built, cluster, { ...consuming, PRODUCE_ROUTES: 'webhooks' });
    const paths = [...closed, '/metrics', '/connectivity-check', '/consume-batch', '/invoke', '/init'];
    for (const path of paths.filter(Boolean)) {
      for (const method of ['GET', 'POST']) {
        assert.deepEqual(await send(`${url}${path}`, method), { status: 404, code: 'UNKNOWN_ROUTE' }, path);
      }
    }
    assert.equal((await send(`${url}/webhooks/${topic}`, 'POST')).code, 'SIGNATURE_INVALID');
    const own = await newTopic(cluster, { partitions: 1 });
    assert.equal((await send(`${url}/webhooks/${own}`, 'POST', signed(records))).status, 200);
    for (const path of ['/healthy', '/ready']) assert.equal((await send(`${url}${path}`, 'GET')).status, 200);
    assert.deepEqual(await readTopic(cluster, topic), []);
  });

  test('FUNCTION=produce: its events have the same routes', async () => {
    const variables = { WEBHOOK_SECRET: SECRET, PRODUCE_ROUTES: 'webhooks', FUNCTION: 'produce' };
    const { url } = await startHttpFunction(built, cluster, variables);
    const invoke = async (path: string) => {
      const event = { httpMethod: 'POST', path, headers: {}, body: records };
      const response = await fetch(`${url}/invoke`, { method: 'POST', body: JSON.stringify(event) });
      return ((await response.json()) as { statusCode: number }).statusCode;
    };
    assert.deepEqual(
      [
        await invoke(`/topics/${topic}`),
        await invoke(`/webhooks/x/topics/${topic}`),
        await invoke('/webhooks/x'),
      ],
      [404, 404, 401],
    );
  });

  test('an unknown PRODUCE_ROUTES keeps the server from starting', async () => {
    await assert.rejects(
      startHttpFunction(built, cluster, { PRODUCE_ROUTES: 'webhook' }),
      /CONFIG_INVALID.*PRODUCE_ROUTES|PRODUCE_ROUTES/,
    );
  });
});

test('serverless.yml says which settings auth: NONE needs', () => {
  const file = readFileSync(new URL('../../serverless.yml', import.meta.url), 'utf8');
  const comment = file
    .split('\n')
    .filter((line) => line.trim().startsWith('#'))
    .join(' ')
    .replace(/[\s#]+/g, ' ');
  assert.match(comment, /NONE needs PRODUCE_ROUTES=webhooks .*WEBHOOK_SECRET/);
});
