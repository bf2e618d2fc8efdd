/** Each sender's webhooks, signed by its own library where it has a light one, through every front door. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { sign as signGithub } from '@octokit/webhooks-methods';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { Webhook as SvixWebhook } from 'svix';
import { produceConfig } from '../../functions/produce/config.ts';
import { readWebhook } from '../../functions/produce/formats/webhook.ts';
import { signatureSchemes } from '../../functions/produce/formats/webhook-signatures.ts';
import { createPublish } from '../../functions/produce/publish.ts';
import { refusal } from '../../functions/produce/response.ts';
import { httpHandler } from '../../src/platform/http-function.ts';
import { readConfig } from '../../src/variables.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { buildHttpFunction, startHttpFunction } from '../support/http-function.ts';
import { recordingLog } from '../support/log.ts';
import { post } from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

type Headers = Record<string, string>;

interface Sender {
  scheme: keyof typeof signatureSchemes;
  secrets: [current: string, previous: string, foreign: string];
  /** Whether a signature has a time, and so a window. */
  hasTime: boolean;
  /** Some libraries sign nothing but text. */
  sign(body: Buffer, secret: string, signedAtS: number): Headers | Promise<Headers>;
}

const base64Secrets: Sender['secrets'] = [
  'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
  'whsec_ytSLVHEgC04uXvA4pIHqZ8dKOXDh1XcG',
];
const hmac = (secret: string, ...parts: (string | Buffer)[]) => {
  const hash = createHmac('sha256', secret);
  for (const part of parts) hash.update(part);
  return hash;
};

const senders: Record<string, Sender> = {
  'GitHub, by @octokit/webhooks-methods': {
    scheme: 'github',
    secrets: ["It's a Secret to Everybody", 'old', 'other'],
    hasTime: false,
    sign: async (body, secret) => ({ 'X-Hub-Signature-256': await signGithub(secret, body.toString()) }),
  },
  'Standard Webhooks, by standardwebhooks': {
    scheme: 'standard',
    secrets: base64Secrets,
    hasTime: true,
    sign: (body, secret, signedAtS) => ({
      'Webhook-Id': 'msg_1',
      'Webhook-Timestamp': `${signedAtS}`,
      'Webhook-Signature': new StandardWebhook(secret).sign('msg_1', new Date(signedAtS * 1_000), `${body}`),
    }),
  },
  'Svix, by svix': {
    scheme: 'standard',
    secrets: base64Secrets,
    hasTime: true,
    sign: (body, secret, signedAtS) => ({
      'svix-id': 'msg_1',
      'svix-timestamp': `${signedAtS}`,
      'svix-signature': new SvixWebhook(secret).sign('msg_1', new Date(signedAtS * 1_000), `${body}`),
    }),
  },
  'Stripe, by stripe': {
    scheme: 'stripe',
    secrets: ['whsec_5f7c2d', 'whsec_old', 'whsec_other'],
    hasTime: true,
    sign: (body, secret, signedAtS) => ({
      'Stripe-Signature': Stripe.webhooks.generateTestHeaderString({
        payload: `${body}`,
        secret,
        timestamp: signedAtS,
      }),
    }),
  },
  'Slack, by its documentation': {
    scheme: 'slack',
    secrets: ['8f742231b10e8888abcd99baac80e5a5', 'old', 'other'],
    hasTime: true,
    sign: (body, secret, signedAtS) => ({
      'X-Slack-Request-Timestamp': `${signedAtS}`,
      'X-Slack-Signature': `v0=${hmac(secret, `v0:${signedAtS}:`, body).digest('hex')}`,
    }),
  },
  'Shopify, by its documentation': {
    scheme: 'shopify',
    secrets: ['hush', 'old', 'other'],
    hasTime: false,
    sign: (body, secret) => ({ 'X-Shopify-Hmac-Sha256': hmac(secret, body).digest('base64') }),
  },
};

const nowS = () => Math.floor(Date.now() / 1_000);
const lowerCase = (headers: Headers) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
const configOf = (variables: Record<string, string>) => readConfig((name) => variables[name], produceConfig);

const cluster = await sharedCluster();
const built = await buildHttpFunction();
const { producer } = newProducer(connectionConfigFor(cluster));
const body = Buffer.from('{"id":7,"price":1.10,"name":"é"}\n');

for (const [name, { scheme, secrets, hasTime, sign }] of Object.entries(senders)) {
  const [secret, previous, foreign] = secrets;
  const variables = { WEBHOOK_SCHEME: scheme, WEBHOOK_SECRET: secret };
  const rotating = { ...variables, WEBHOOK_SECRET_PREVIOUS: previous };

  /** The record's value, or the code of the refusal. */
  async function read(headers: Headers, own: Record<string, string> = variables, sent = body) {
    const request = post('', sent, { path: '/webhooks/hooks', headers: lowerCase(headers) });
    try {
      const [record] = await readWebhook(request, { topic: 'hooks' }, configOf(own), Date.now() + 5_000);
      return record?.value?.toString();
    } catch (error) {
      return (error as { code?: string }).code;
    }
  }

  describe(name, () => {
    test('a signature that fits', async () => {
      assert.equal(await read(await sign(body, secret, nowS())), `${body}`);
    });

    test('refused: any byte of the body changed, added or left out', async () => {
      const headers = await sign(body, secret, nowS());
      for (let at = 0; at < body.length; at++) {
        const changed = Buffer.from(body);
        changed[at] = (changed[at] ?? 0) ^ 1;
        assert.equal(await read(headers, variables, changed), 'SIGNATURE_INVALID', `byte ${at}`);
      }
      for (const other of [
        body.subarray(1),
        body.subarray(0, -1),
        Buffer.concat([body, Buffer.from('\n')]),
      ]) {
        assert.equal(await read(headers, variables, other), 'SIGNATURE_INVALID');
      }
    });

    test('refused: another secret, any header left out, empty, or cut', async () => {
      assert.equal(await read(await sign(body, foreign, nowS())), 'SIGNATURE_INVALID');
      const headers = await sign(body, secret, nowS());
      for (const header of Object.keys(headers)) {
        const { [header]: value = '', ...others } = headers;
        for (const bad of [
          others,
          { ...others, [header]: '' },
          { ...others, [header]: value.slice(0, -3) },
        ]) {
          assert.equal(await read(bad), 'SIGNATURE_INVALID', header);
        }
      }
      assert.equal(await read({}), 'SIGNATURE_INVALID');
    });

    test("refused: another sender's signature with the same secret", async () => {
      for (const other of Object.values(senders).filter((candidate) => candidate.scheme !== scheme)) {
        const headers = await other.sign(
          body,
          other.scheme === 'standard' ? base64Secrets[0] : secret,
          nowS(),
        );
        assert.equal(await read(headers), 'SIGNATURE_INVALID', other.scheme);
      }
    });

    test('while the secret rotates: the one before it is accepted, and neither another nor none', async () => {
      const byPrevious = await sign(body, previous, nowS());
      assert.equal(await read(byPrevious, rotating), `${body}`);
      assert.equal(await read(await sign(body, secret, nowS()), rotating), `${body}`);
      assert.equal(await read(byPrevious), 'SIGNATURE_INVALID', 'after the rotation');
      assert.equal(await read(await sign(body, foreign, nowS()), rotating), 'SIGNATURE_INVALID');
      assert.equal(await read({}, rotating), 'SIGNATURE_INVALID');
    });

    test(hasTime ? 'the time: 300 s before and after, or as the variable says' : 'no window', async () => {
      const at = async (ageS: number, own = variables) =>
        (await read(await sign(body, secret, nowS() - ageS), own)) === `${body}`;
      const seen = [];
      for (const ageS of [-310, -290, 290, 310]) seen.push(await at(ageS));
      assert.deepEqual(seen, hasTime ? [false, true, true, false] : [true, true, true, true]);
      assert.ok(await at(500, { ...variables, ...{ WEBHOOK_TOLERANCE_S: '600' } }));
    });

    test('through the HTTP server, and as events of APIG and AWS', async () => {
      const topic = await newTopic(cluster, { partitions: 1 });
      const path = `/webhooks/${topic}`;
      const changed = Buffer.from(`${body}`.replace('7', '8'));
      const [now, before] = [await sign(body, secret, nowS()), await sign(body, previous, nowS())];
      const own = { ...rotating, WEBHOOK_KEY_POINTER: '/id' };

      const { url } = await startHttpFunction(built, cluster, own);
      const send = async (headers: Headers, sent: Buffer, target = path) =>
        (await fetch(`${url}${target}`, { method: 'POST', body: new Uint8Array(sent), headers })).status;
      assert.deepEqual(
        [await send(now, body), await send(before, body), await send(now, changed), await send({}, body)],
        [200, 200, 401, 401],
      );
      assert.equal(await send(now, body, `${path}?topic=elsewhere`), 200);
      assert.equal(await send(now, body, `${path}?key=8`), 422);

      const publish = createPublish({ producer, config: configOf(own), log: recordingLog() });
      const handle = httpHandler((request, { deadline }) => publish(request, deadline), refusal);
      const invoke = async (event: string, headers: Headers, sent: Buffer) => {
        const sample = JSON.parse(
          readFileSync(new URL(`../../events/${event}.json`, import.meta.url), 'utf8'),
        );
        const { requestContext } = sample;
        const target = event.includes('v2') ? { rawPath: `/prod${path}` } : { path, pathParameters: {} };
        const changes = {
          ...target,
          headers,
          requestContext,
          body: sent.toString('base64'),
          isBase64Encoded: true,
        };
        return (await handle({ ...sample, ...changes }, undefined as never)).statusCode;
      };
      for (const event of ['produce-apig', 'produce-aws-v1', 'produce-aws-v2']) {
        assert.deepEqual(
          [await invoke(event, now, body), await invoke(event, now, changed), await invoke(event, {}, body)],
          [200, 401, 401],
          event,
        );
      }
      const records = await readTopic(cluster, topic);
      assert.equal(records.length, 6);
      for (const { key, value } of records) assert.deepEqual([`${key}`, value], ['7', body]);
    });
  });
}

test('gzip: signed are the bytes as received, and the record is what they hold', async () => {
  const zipped = gzipSync(body);
  for (const name of ['Slack, by its documentation', 'Shopify, by its documentation']) {
    const { scheme, secrets, sign } = senders[name] as Sender;
    const config = configOf({
      WEBHOOK_SCHEME: scheme,
      WEBHOOK_SECRET: secrets[0],
      WEBHOOK_KEY_POINTER: '/name',
    });
    const read = async (signed: Buffer) => {
      const headers = lowerCase(await sign(signed, secrets[0], nowS()));
      const request = post('', zipped, { headers: { ...headers, 'content-encoding': 'gzip' } });
      return readWebhook(request, { topic: 'hooks' }, config, Date.now() + 5_000);
    };
    const [record] = await read(zipped);
    assert.deepEqual([record?.value, `${record?.key}`], [body, 'é']);
    await assert.rejects(read(body), { code: 'SIGNATURE_INVALID' });
  }
});

test('every scheme has a sender here', () => {
  const tested = new Set(Object.values(senders).map(({ scheme }) => scheme));
  assert.deepEqual([...tested].sort(), Object.keys(signatureSchemes).sort());
});
