/**
 * Found 2026-11-27 (A5): a record published with `__connect.errors.topic=payments` chose where a replay wrote it;
 * (A10): WEBHOOK_HEADERS=x-* copied X-Auth-Token, X-Apig-AppCode and X-Amz-Security-Token into records.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { produceConfig } from '../../functions/produce/config.ts';
import { readWebhook } from '../../functions/produce/formats/webhook.ts';
import { createPublish } from '../../functions/produce/publish.ts';
import { readConfig } from '../../src/variables.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { recordingLog } from '../support/log.ts';
import {
  acknowledged,
  assertFailure,
  BINARY_V2,
  JSON_V2,
  post,
  produceDefaults,
  TEXT_V2,
} from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const topic = await newTopic(cluster, { partitions: 1 });
const { producer } = newProducer(connectionConfigFor(cluster));

const soon = () => Date.now() + 5_000;
const configOf = (WEBHOOK_HEADERS: string) =>
  readConfig((name) => ({ WEBHOOK_HEADERS })[name as 'WEBHOOK_HEADERS'], produceConfig);

const reserved = [
  '__connect.errors.topic',
  '__connect.errors.',
  '__Connect.Errors.partition',
  'idempotency-key',
  'Idempotency-Scope',
  'IDEMPOTENCY-',
];

describe('headers that callers must not set on records', () => {
  const publish = createPublish({ producer, config: produceDefaults, log: recordingLog() });

  for (const contentType of ['application/json', JSON_V2, BINARY_V2, TEXT_V2]) {
    test(`${contentType}: INVALID_RECORD names each one, and nothing is published`, async () => {
      for (const name of reserved) {
        for (const member of ['key', 'name']) {
          const records = [
            { value: 'eA==', headers: [{ key: 'fine', value: 'eA==' }] },
            { value: 'eA==', headers: [{ key: 'fine' }, { [member]: name, value: 'eA==' }] },
          ];
          const request = post(topic, { records }, { headers: { 'content-type': contentType } });
          const answer = assertFailure(await publish(request, soon()), 'INVALID_RECORD');
          const [error, ...more] = answer.validation_errors ?? [];
          assert.deepEqual(more, []);
          assert.equal(error?.path, 'records[1].headers[1]');
          assert.match(error?.message ?? '', new RegExp(`"${name.replaceAll('.', '\\.')}".*reserved`));
          assert.match(answer.message ?? '', /reserved/);
        }
      }
      assert.deepEqual(await readTopic(cluster, topic), []);
    });
  }

  test('a name of any length is told in part', async () => {
    const records = [{ value: 1, headers: [{ key: `idempotency-${'x'.repeat(100_000)}` }] }];
    const { body } = await publish(post(topic, { records }), soon());
    assert.match(body, /"idempotency-x+\\"/);
    assert.ok(body.length < 1_000);
  });

  test('names that only hold the words are anybody’s', async () => {
    const own = await newTopic(cluster, { partitions: 1 });
    const names = [
      'connect.errors.topic',
      '__connect.errors',
      '__connect',
      'x-idempotency-key',
      'idempotency',
    ];
    const records = [{ value: 1, headers: names.map((key) => ({ key, value: 'eA==' })) }];
    acknowledged(await publish(post(own, { records }), soon()));
    const [record] = await readTopic(cluster, own);
    assert.deepEqual(Object.keys(record?.headers ?? {}).sort(), names.sort());
  });

  test('CloudEvents: attributes become ce_… headers, whatever else the request has', async () => {
    const own = await newTopic(cluster, { partitions: 1 });
    const event = { specversion: '1.0', id: '1', source: '/', type: 't' };
    const binary = Object.fromEntries(Object.entries(event).map(([name, value]) => [`ce-${name}`, value]));
    const others = { 'idempotency-scope': 'forged', '__connect.errors.topic': 'payments' };
    const structured = { 'content-type': 'application/cloudevents+json' };
    acknowledged(await publish(post(own, 'x', { headers: { ...binary, ...others } }), soon()));
    acknowledged(await publish(post(own, event, { headers: { ...structured, ...others } }), soon()));
    for (const { headers } of await readTopic(cluster, own)) {
      assert.deepEqual(
        Object.keys(headers).filter((name) => !/^(ce_[a-z\d]+|content-type)$/.test(name)),
        [],
      );
    }
    for (const name of ['__connect.errors.topic', 'idempotency-key']) {
      const inDocument = post(own, { ...event, [name]: 'x' }, { headers: structured });
      assertFailure(await publish(inDocument, soon()), 'INVALID_RECORD');
      const inHeaders = post(own, 'x', { headers: { ...binary, [`ce-${name}`]: 'x' } });
      assertFailure(await publish(inHeaders, soon()), 'INVALID_RECORD');
    }
    assert.equal((await readTopic(cluster, own)).length, 2);
  });
});

describe('request headers of a webhook that never become record headers', () => {
  const copied = async (patterns: string, headers: Record<string, string>) => {
    const request = post('', 'x', { path: '/webhooks/hooks', headers });
    const [record] = await readWebhook(request, { topic: 'hooks' }, configOf(patterns), soon());
    return record?.headers.map(({ key }) => key);
  };

  test('__connect.errors.… is refused where a pattern would copy it, and nobody’s business elsewhere', async () => {
    const headers = { '__connect.errors.topic': 'payments', 'x-a': 'a' };
    for (const pattern of ['*', '__*', 'x-*,__connect*']) {
      await assert.rejects(copied(pattern, headers), {
        code: 'INVALID_RECORD',
        message: /"__connect\.errors\.topic".*reserved/,
      });
    }
    assert.deepEqual(await copied('x-*', headers), ['x-a']);
  });

  test('Idempotency-Key is taken, and copied by no pattern', async () => {
    for (const pattern of ['*', 'i*', 'idempotency*']) {
      assert.deepEqual(await copied(pattern, { 'idempotency-key': 'k', 'idempotency-scope': 's' }), []);
    }
  });

  for (const pattern of [
    'idempotency-key',
    'Idempotency-Key',
    'x-*, idempotency-*',
    '__connect.errors.topic',
    '__Connect.Errors.*',
  ]) {
    test(`WEBHOOK_HEADERS=${pattern} is CONFIG_INVALID`, () => {
      assert.throws(() => configOf(pattern), {
        code: 'CONFIG_INVALID',
        message: /WEBHOOK_HEADERS .*reserved/,
      });
    });
  }

  const credentials = [
    'authorization',
    'proxy-authorization',
    'x-forwarded-authorization',
    'cookie',
    'set-cookie',
    'x-api-key',
    'x-auth',
    'x-auth-key',
    'x-auth-token',
    'x-subject-token',
    'x-security-token',
    'x-amz-security-token',
    'x-apig-appcode',
    'x-apig-app-key',
    'x-amzn-oidc-data',
    'x-amzn-oidc-identity',
    'x-amzn-oidc-accesstoken',
    'x-goog-iap-jwt-assertion',
    'x-goog-api-key',
    'cf-access-jwt-assertion',
    'cf-access-client-secret',
    'x-functions-key',
    'ocp-apim-subscription-key',
    'x-gitlab-token',
    'x-hook-secret',
    'x-telegram-bot-api-secret-token',
    'x-forwarded-access-token',
    'x-csrf-token',
    'x-session-id',
    'x-password',
  ];
  test('credentials, by no pattern', async () => {
    const headers = Object.fromEntries(credentials.map((name) => [name, 'open-sesame']));
    assert.deepEqual(await copied('*', headers), []);
    assert.deepEqual(await copied('x-*,cf-*,a*,ocp-*,set-*', headers), []);
  });

  test('what opens nothing is copied: signatures, events, ids, dates', async () => {
    const names = [
      'content-type',
      'x-hub-signature-256',
      'x-github-event',
      'x-github-hook-installation-target-id',
      'x-event-key',
      'x-author',
      'x-sdk-date',
      'x-shopify-hmac-sha256',
      'x-shopify-topic',
      'x-goog-resource-state',
      'x-request-id',
      'x-real-ip',
      'webhook-signature',
      'webhook-id',
      'x-keyword',
      'x-order-key',
    ];
    assert.deepEqual(await copied('*', Object.fromEntries(names.map((name) => [name, 'x']))), names);
  });
});
