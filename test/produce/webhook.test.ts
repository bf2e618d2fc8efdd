import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { produceConfig } from '../../functions/produce/config.ts';
import { readWebhook } from '../../functions/produce/formats/webhook.ts';
import { createPublish } from '../../functions/produce/publish.ts';
import type { HttpRequest } from '../../src/http/message.ts';
import type { ConnectionConfig } from '../../src/kafka/connection/config.ts';
import { type Environment, readConfig } from '../../src/variables.ts';
import { unusedPort } from '../support/faults/servers.ts';
import { recordingLog } from '../support/log.ts';
import { assertFailure, post } from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';

type Variables = Record<string, string>;

const soon = () => Date.now() + 5_000;

const configOf = (variables: Variables) =>
  readConfig(((name) => variables[name]) as Environment, produceConfig);

function hook(body: string | Buffer, headers: Record<string, string> = {}, query = {}): HttpRequest {
  return post('', body, { path: '/webhooks/hooks', headers, query });
}

async function read(request: HttpRequest, variables: Variables = {}) {
  const [record, ...more] = await readWebhook(request, { topic: 'hooks' }, configOf(variables), soon());
  assert.ok(record);
  assert.deepEqual(more, []);
  return record;
}

/** A cluster where nobody listens. */
const unreachable = async (): Promise<ConnectionConfig> => ({
  bootstrapServers: [{ host: '127.0.0.1', port: await unusedPort() }],
  securityProtocol: 'PLAINTEXT',
  sasl: undefined,
  ssl: undefined,
  clientId: 'test',
  requestTimeout: undefined,
  connectionTimeout: undefined,
});

const refusedAs = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

describe('the record', () => {
  test('the body is the value, byte for byte', async () => {
    for (const body of [Buffer.from([0, 255, 10]), Buffer.from(' {"a": 1.10}\n'), Buffer.alloc(0)]) {
      const record = await read(hook(body, { 'content-type': 'application/json' }));
      assert.deepEqual(record, { topic: 'hooks', key: null, value: body, headers: [] });
    }
  });

  test('a CloudEvent sent to a webhook is a body like any other', async () => {
    const headers = { 'ce-id': '1', 'ce-source': '/', 'ce-specversion': '1.0', 'ce-type': 't' };
    assert.deepEqual((await read(hook('x', headers))).headers, []);
  });

  test('the key: ?key= first, then the configured header', async () => {
    const variables = { WEBHOOK_KEY_HEADER: 'X-Order-Id' };
    const key = async (...args: Parameters<typeof hook>) => (await read(hook(...args), variables)).key;
    assert.equal(`${await key('x', { 'x-order-id': '7' })}`, '7');
    assert.equal(`${await key('x', { 'x-order-id': '7' }, { key: 'é' })}`, 'é');
    assert.deepEqual(await key('x', {}, { key: '' }), Buffer.alloc(0));
    assert.equal(await key('x'), null);
    assert.equal((await read(hook('x', { 'x-order-id': '7' }))).key, null);
    assert.equal(
      `${(await read(hook('{"id":7}', {}, { key: '8' }), { WEBHOOK_KEY_POINTER: '/id' })).key}`,
      '8',
    );
  });

  test('?key= of a signed webhook is refused where a variable says where the key is', async () => {
    const body = '{"id":7}';
    const headers = {
      'x-order-id': '7',
      'x-hub-signature-256': `sha256=${createHmac('sha256', 'secret').update(body).digest('hex')}`,
    };
    for (const place of [{ WEBHOOK_KEY_HEADER: 'x-order-id' }, { WEBHOOK_KEY_POINTER: '/id' }]) {
      const variables = { ...place, WEBHOOK_SECRET: 'secret' };
      assert.equal(`${(await read(hook(body, headers), variables)).key}`, '7');
      for (const key of ['7', '']) {
        await assert.rejects(read(hook(body, headers, { key }), variables), {
          code: 'INVALID_RECORD',
          message: /^key must not be in the query.*remove \?key=$/,
        });
      }
    }
    const { key } = await read(hook(body, headers, { key: '8' }), { WEBHOOK_SECRET: 'secret' });
    assert.equal(`${key}`, '8');
  });

  test('headers: names and patterns in any case; credentials by their whole name alone', async () => {
    const headers = {
      'content-type': 'text/plain',
      'x-github-event': 'push',
      'x-github-delivery': 'é',
      'x-api-key': 'open-sesame',
      authorization: 'Bearer open-sesame',
      cookie: 'open-sesame',
    };
    const copied = async (list: string) =>
      (await read(hook('x', headers), { WEBHOOK_HEADERS: list })).headers.map(
        ({ key, value }) => `${key}: ${value}`,
      );
    assert.deepEqual(await copied('Content-Type, X-GitHub-*'), [
      'content-type: text/plain',
      'x-github-event: push',
      'x-github-delivery: é',
    ]);
    assert.deepEqual(await copied('*'), await copied('content-type,x-*'));
    assert.deepEqual(await copied('authorization'), ['authorization: Bearer open-sesame']);
    assert.deepEqual(await copied('x-git'), []);
  });

  test('the topic: allowed, and with a valid name', async () => {
    const only = configOf({ PRODUCE_TOPICS: 'orders' });
    await assert.rejects(
      readWebhook(hook('x'), { topic: 'hooks' }, only, soon()),
      refusedAs('TOPIC_NOT_ALLOWED'),
    );
    await assert.rejects(
      readWebhook(hook('x'), { topic: 'a b' }, configOf({}), soon()),
      refusedAs('INVALID_RECORD'),
    );
  });
});

describe('the key by WEBHOOK_KEY_POINTER', () => {
  const keyOf = async (pointer: string, body: string | Buffer) =>
    `${(await read(hook(body), { WEBHOOK_KEY_POINTER: pointer })).key}`;

  const found: [pointer: string, body: string, key: string][] = [
    ['/id', '{"id":"a"}', 'a'],
    ['/id', ' {\n "x" : [1, {"id": 2}], "id" : "é\\n\\u00e9\\"" }', 'é\né"'],
    ['/data/object/id', '{"id":1,"data":{"id":2,"object":{"id":"in_3"}}}', 'in_3'],
    ['/events/1/id', '{"events":[{"id":"a"},{"id":"b"}]}', 'b'],
    ['/1', '["a","b"]', 'b'],
    ['/0', '{"0":"a"}', 'a'],
    ['/id', '{"id":12345678901234567890}', '12345678901234567890'],
    ['/id', '{"id":-1.10e3}', '-1.10e3'],
    ['/id', '{"id":0}', '0'],
    ['/id', '{"id":""}', ''],
    ['/', '{"":"empty name"}', 'empty name'],
    ['/a~1b', '{"a/b":"slash"}', 'slash'],
    ['/m~0n', '{"m~n":"tilde"}', 'tilde'],
    ['/~01', '{"~1":"not a slash"}', 'not a slash'],
    ['/__proto__', '{"__proto__":"p"}', 'p'],
    ['/id', '{"id":"first","id":"last"}', 'last'],
  ];
  for (const [pointer, body, key] of found) {
    test(`${pointer} of ${JSON.stringify(body)}`, async () => assert.equal(await keyOf(pointer, body), key));
  }

  const refused: [pointer: string, body: string, problem: RegExp][] = [
    ['/id', '{}', /^body\/id is missing: it is the record's key \(WEBHOOK_KEY_POINTER\)$/],
    ['/id', '{"ID":1}', /is missing/],
    ['/data/id', '{"data":"x"}', /^body\/data\/id is missing/],
    ['/data/id', '{"data":{"id":1},"data":{}}', /is missing/],
    ['/-', '["a"]', /is missing/],
    ['/01', '["a","b"]', /is missing/],
    ['/length', '["a"]', /is missing/],
    ['/constructor', '{}', /is missing/],
    ['/id', '"id"', /is missing/],
    ['/id', '{"id":null}', /must be a string or a number/],
    ['/id', '{"id":true}', /must be a string or a number/],
    ['/id', '{"id":{"id":1}}', /must be a string or a number/],
    ['/id', '{"id":["a"]}', /must be a string or a number/],
    ['/id', '{"id":"\\ud800"}', /must be a string or a number/],
  ];
  for (const [pointer, body, message] of refused) {
    test(`refused: ${pointer} of ${body}`, async () => {
      await assert.rejects(keyOf(pointer, body), { code: 'INVALID_RECORD', message });
    });
  }

  test('refused: a body that is not JSON, not UTF-8, cut, or empty', async () => {
    for (const body of [
      'payload=1',
      '',
      '{"id":"a"',
      '{"id":"a"}}',
      "{'id':1}",
      Buffer.from([0x22, 0xff, 0x22]),
    ]) {
      await assert.rejects(keyOf('/id', body), { code: 'MALFORMED_REQUEST' });
    }
  });

  test('nothing of the body is looked at before its signature', async () => {
    const variables = { WEBHOOK_KEY_POINTER: '/id', WEBHOOK_SECRET: 'x' };
    await assert.rejects(read(hook('not JSON', {}, { key: '' }), variables), refusedAs('SIGNATURE_INVALID'));
  });
});

describe('the topic of a signed webhook', () => {
  test('is that of the path, whatever body, query and headers say', async () => {
    const body = '{"topic":"elsewhere","records":[{"value":1}]}';
    const signature = createHmac('sha256', 'x').update(body).digest('hex');
    const headers = {
      'x-hub-signature-256': `sha256=${signature}`,
      topic: 'elsewhere',
      'x-topic': 'elsewhere',
    };
    const variables = { WEBHOOK_SECRET: 'x', KAFKA_TOPIC: 'elsewhere' };
    const record = await read(hook(body, headers, { topic: 'elsewhere', path: '/topics/x' }), variables);
    assert.deepEqual([record.topic, `${record.value}`], ['hooks', body]);
    const request = hook(body, headers, { topic: 'elsewhere' });
    await assert.rejects(
      readWebhook(request, {}, configOf(variables), soon()),
      refusedAs('INVALID_RECORD'),
      'no default topic',
    );
  });
});

describe('github', () => {
  // The example of GitHub's documentation.
  const secret = "It's a Secret to Everybody";
  const body = 'Hello, World!';
  const digest = '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  const variables = { WEBHOOK_SECRET: secret };

  test('a signature that fits', async () => {
    const record = await read(hook(body, { 'x-hub-signature-256': `sha256=${digest}` }), variables);
    assert.equal(`${record.value}`, body);
    await read(hook(body, { 'x-hub-signature-256': `SHA256=${digest.toUpperCase()}` }), variables);
  });

  const bad: [string, Record<string, string>, string?][] = [
    ['none', {}],
    ['an empty one', { 'x-hub-signature-256': '' }],
    ['one without its scheme', { 'x-hub-signature-256': digest }],
    ['one of another body', { 'x-hub-signature-256': `sha256=${digest}` }, `${body} `],
    ['one digit changed', { 'x-hub-signature-256': `sha256=${digest.slice(0, -1)}8` }],
    ['one digit less', { 'x-hub-signature-256': `sha256=${digest.slice(0, -1)}` }],
    ['two', { 'x-hub-signature-256': `sha256=${digest}, sha256=${digest}` }],
    [
      'the SHA-1 header alone',
      { 'x-hub-signature': `sha1=${createHmac('sha1', secret).update(body).digest('hex')}` },
    ],
  ];
  for (const [what, headers, other = body] of bad) {
    test(`refused: ${what}`, async () => {
      await assert.rejects(read(hook(other, headers), variables), refusedAs('SIGNATURE_INVALID'));
    });
  }

  test('over the bytes as received; the value is what they decompress to', async () => {
    const compressed = gzipSync(body);
    const sign = (bytes: Buffer | string) =>
      `sha256=${createHmac('sha256', secret).update(bytes).digest('hex')}`;
    const headers = (signature: string) => ({ 'content-encoding': 'gzip', 'x-hub-signature-256': signature });
    const record = await read(hook(compressed, headers(sign(compressed))), variables);
    assert.equal(`${record.value}`, body);
    await assert.rejects(
      read(hook(compressed, headers(sign(body))), variables),
      refusedAs('SIGNATURE_INVALID'),
    );
  });

  test('nothing is decompressed, and no topic looked up, for a caller who has not signed', async () => {
    const request = hook(gzipSync(Buffer.alloc(20_000_000)), { 'content-encoding': 'gzip' });
    await assert.rejects(read(request, variables), refusedAs('SIGNATURE_INVALID'));
    const closed = configOf({ ...variables, PRODUCE_TOPICS: 'orders' });
    await assert.rejects(
      readWebhook(hook('x'), { topic: 'hooks' }, closed, soon()),
      refusedAs('SIGNATURE_INVALID'),
    );
  });
});

describe('standard', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const variables = { WEBHOOK_SECRET: secret, WEBHOOK_SCHEME: 'standard' };
  const body = '{"test": 2432232314}';

  function signed(text: string, { id = 'msg_1', ageS = 0, by = secret } = {}): Record<string, string> {
    const timestamp = String(Math.floor(Date.now() / 1_000) - ageS);
    const key = Buffer.from(by.slice('whsec_'.length), 'base64');
    const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${text}`).digest('base64');
    return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
  }

  test('a signature that fits', async () => {
    assert.equal(`${(await read(hook(body, signed(body)), variables)).value}`, body);
    await read(hook(body, signed(body)), { ...variables, WEBHOOK_SECRET: secret.slice('whsec_'.length) });
  });

  test('the example of the reference implementations', async () => {
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    };
    await read(hook(body, headers), { ...variables, WEBHOOK_TOLERANCE_S: '2147483647' });
    await assert.rejects(read(hook(body, headers), variables), refusedAs('SIGNATURE_INVALID'));
  });

  test('one of several signatures fits', async () => {
    const headers = signed(body);
    const other = signed(body, { by: `whsec_${'A'.repeat(32)}` })['webhook-signature'];
    const list = `v1a,AAAA ${other} ${headers['webhook-signature']}`;
    await read(hook(body, { ...headers, 'webhook-signature': list }), variables);
    for (const joined of [`${list}, ${other}`, `${other},${headers['webhook-signature']}`]) {
      await read(hook(body, { ...headers, 'webhook-signature': joined }), variables);
    }
    const none = hook(body, { ...headers, 'webhook-signature': `v1a,AAAA ${other}` });
    await assert.rejects(read(none, variables), refusedAs('SIGNATURE_INVALID'));
  });

  test('the time: within the tolerance, before and after', async () => {
    for (const ageS of [-290, 290]) await read(hook(body, signed(body, { ageS })), variables);
    for (const ageS of [-310, 310]) {
      await assert.rejects(
        read(hook(body, signed(body, { ageS })), variables),
        refusedAs('SIGNATURE_INVALID'),
      );
    }
    await read(hook(body, signed(body, { ageS: 500 })), { ...variables, WEBHOOK_TOLERANCE_S: '600' });
  });

  const good = signed(body);
  const bad: [string, Record<string, string>, string?][] = [
    ['nothing', {}],
    ['another body', good, `${body} `],
    ['another id', { ...good, 'webhook-id': 'msg_2' }],
    ['an empty id', signed(body, { id: '' })],
    // Of `msg.<time>.<time>.body` either time could be the message's.
    ['an id with a dot', signed(body, { id: 'msg.1' })],
    ['another time', { ...good, 'webhook-timestamp': String(Number(good['webhook-timestamp']) + 1) }],
    ['no time', { ...good, 'webhook-timestamp': '' }],
    ['a time in words', { ...good, 'webhook-timestamp': 'now' }],
    ['a time in milliseconds', { ...good, 'webhook-timestamp': `${good['webhook-timestamp']}000` }],
    [
      'a version of another scheme',
      { ...good, 'webhook-signature': (good['webhook-signature'] ?? '').replace('v1', 'v1a') },
    ],
    ['no version', { ...good, 'webhook-signature': (good['webhook-signature'] ?? '').slice(3) }],
    ['an empty signature', { ...good, 'webhook-signature': 'v1,' }],
    ['a stray character', { ...good, 'webhook-signature': `${good['webhook-signature']}!` }],
    ['no padding', { ...good, 'webhook-signature': (good['webhook-signature'] ?? '').slice(0, -1) }],
    ['the version within a word', { ...good, 'webhook-signature': `x${good['webhook-signature']}` }],
    ['the other scheme', { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` }],
  ];
  for (const [what, headers, other = body] of bad) {
    test(`refused: ${what}`, async () => {
      await assert.rejects(read(hook(other, headers), variables), refusedAs('SIGNATURE_INVALID'));
    });
  }
});

describe('stripe', () => {
  const secret = 'whsec_5f7c2d';
  const variables = { WEBHOOK_SECRET: secret, WEBHOOK_SCHEME: 'stripe' };
  const body = '{"id":"evt_1"}';
  const now = () => String(Math.floor(Date.now() / 1_000));
  const mac = (t: string, by = secret) => createHmac('sha256', by).update(`${t}.${body}`).digest('hex');
  const isRead = (header: string) =>
    read(hook(body, { 'stripe-signature': header }), variables).then(
      () => true,
      (error) => {
        assert.equal(error.code, 'SIGNATURE_INVALID');
        return false;
      },
    );

  test('several signatures, in any order and with spaces; unknown parts are passed over', async () => {
    const t = now();
    const [good, other] = [mac(t), mac(t, 'whsec_other')];
    for (const header of [
      `t=${t},v1=${good},v1=${other}`,
      `t=${t},v1=${other},v1=${good}`,
      `t=${t},v1=${other},v1=${good},v0=${other}`,
      `v1=${good},t=${t}`,
      `t=${t}, v1=${good} , v2=x`,
      `t=${t},v1=${good.toUpperCase()}`,
      `t=${t},,v1=,v1=${good},x`,
      `t=${t},v1=${good}, t=${t},v1=${other}`,
    ]) {
      assert.equal(await isRead(header), true, header);
    }
  });

  test('refused: the right digest under another version, in another form, or for another time', async () => {
    const t = now();
    const good = mac(t);
    const base64 = Buffer.from(good, 'hex').toString('base64');
    for (const header of [
      `t=${t},v0=${good}`,
      `t=${t},V1=${good}`,
      `t=${t},v1 =${good}`,
      `t=${t},v1=${base64}`,
      `t=${t},v1="${good}"`,
      `t=${t},v1=${good}00`,
      `t=${t};v1=${good}`,
      `v1=${good}`,
      `t=,v1=${good}`,
      `t=${Number(t) + 1},v1=${good}`,
      `t=${Number(t) + 1},t=${t},v1=${good}`,
      `t=0${t},v1=${good}`,
      `t=+${t},v1=${good}`,
      `t=${t}000,v1=${mac(`${t}000`)}`,
      `t=${t}.0,v1=${mac(`${t}.0`)}`,
      `t=0x${Number(t).toString(16)},v1=${mac(`0x${Number(t).toString(16)}`)}`,
      `t=-1,v1=${mac('-1')}`,
      `t=NaN,v1=${mac('NaN')}`,
      `t=,v1=${mac('')}`,
      good,
    ]) {
      assert.equal(await isRead(header), false, header);
    }
  });

  test('the secret is used as it is, and not decoded', async () => {
    const t = now();
    const decoded = createHmac('sha256', Buffer.from('5f7c2d', 'base64'))
      .update(`${t}.${body}`)
      .digest('hex');
    assert.equal(await isRead(`t=${t},v1=${decoded}`), false);
  });
});

describe('slack', () => {
  test('v0 alone, in hex; the time is signed', async () => {
    const variables = { WEBHOOK_SECRET: 'x', WEBHOOK_SCHEME: 'slack' };
    const t = String(Math.floor(Date.now() / 1_000));
    const mac = (version: string, at = t) =>
      createHmac('sha256', 'x').update(`${version}:${at}:b`).digest('hex');
    const send = (signature: string, timestamp = t) => {
      const headers = { 'x-slack-signature': signature, 'x-slack-request-timestamp': timestamp };
      return read(hook('b', headers), variables);
    };
    assert.equal(`${(await send(`v0=${mac('v0')}`)).value}`, 'b');
    for (const [signature, timestamp] of [
      [mac('v0')],
      [`v1=${mac('v0')}`],
      [`v1=${mac('v1')}`],
      [`v0=${mac('v0')},v0=${mac('v0')}`],
      [`v0=${mac('v0')}`, String(Number(t) + 1)],
      [`v0=${mac('v0')}`, `0${t}`],
      [`v0=${mac('v0', `${t}000`)}`, `${t}000`],
      [`v0=${mac('v0', '')}`, ''],
    ] as [string, string?][]) {
      await assert.rejects(
        send(signature, timestamp),
        refusedAs('SIGNATURE_INVALID'),
        `${signature} ${timestamp}`,
      );
    }
  });
});

describe("Slack's challenge", () => {
  const variables = { WEBHOOK_SECRET: 'x', WEBHOOK_SCHEME: 'slack' };
  const question =
    '{"token":"t","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}';

  async function ask(body: string, own: Variables, isSigned = true) {
    const t = String(Math.floor(Date.now() / 1_000));
    const mac = createHmac('sha256', 'x').update(`v0:${t}:${body}`).digest('hex');
    const headers = { 'x-slack-signature': `v0=${mac}`, 'x-slack-request-timestamp': t };
    const { producer } = newProducer(await unreachable());
    const publish = createPublish({ producer, config: configOf(own), log: recordingLog() });
    return publish(hook(body, isSigned ? headers : {}), soon());
  }

  test('comes back, and nothing is published', async () => {
    const { status, headers, body } = await ask(question, variables);
    assert.deepEqual([status, headers['content-type']], [200, 'application/json']);
    assert.deepEqual(JSON.parse(body), { challenge: JSON.parse(question).challenge });
  });

  test('not without a signature, nor for a topic that is closed', async () => {
    assertFailure(await ask(question, variables, false), 'SIGNATURE_INVALID');
    assertFailure(await ask(question, { ...variables, PRODUCE_TOPICS: 'orders' }), 'TOPIC_NOT_ALLOWED');
  });

  test('any other body, and that of another sender, is a webhook', async () => {
    for (const body of [
      '{"type":"event_callback","challenge":"x"}',
      '{"type":"url_verification"}',
      '{"type":"url_verification","challenge":1}',
      '["url_verification"]',
      'null',
      'payload=%7B%7D',
      '',
      question + ' '.repeat(5_000),
    ]) {
      assertFailure(await ask(body, variables), 'BROKER_UNREACHABLE');
    }
    assertFailure(await ask(question, {}), 'BROKER_UNREACHABLE');
  });
});

describe('the variables', () => {
  const bad: [string, Variables][] = [
    ['WEBHOOK_SECRET', { WEBHOOK_SECRET: 'whsec_not base64!', WEBHOOK_SCHEME: 'standard' }],
    ['WEBHOOK_SCHEME', { WEBHOOK_SECRET: 'x', WEBHOOK_SCHEME: 'gitlab' }],
    ['WEBHOOK_SECRET_PREVIOUS must not be set without WEBHOOK_SECRET', { WEBHOOK_SECRET_PREVIOUS: 'x' }],
    ['WEBHOOK_SECRET_PREVIOUS must not be blank', { WEBHOOK_SECRET: 'x', WEBHOOK_SECRET_PREVIOUS: ' ' }],
    ['WEBHOOK_SECRET_PREVIOUS must differ', { WEBHOOK_SECRET: 'x', WEBHOOK_SECRET_PREVIOUS: 'x ' }],
    [
      'WEBHOOK_SECRET_PREVIOUS must differ',
      { WEBHOOK_SECRET: 'whsec_AAAA', WEBHOOK_SECRET_PREVIOUS: 'AAAA', WEBHOOK_SCHEME: 'standard' },
    ],
    [
      'WEBHOOK_SECRET_PREVIOUS must be base64',
      { WEBHOOK_SECRET: 'AAAA', WEBHOOK_SECRET_PREVIOUS: 'not base64!', WEBHOOK_SCHEME: 'standard' },
    ],
    ['WEBHOOK_KEY_POINTER must be a JSON pointer', { WEBHOOK_KEY_POINTER: 'id' }],
    ['WEBHOOK_KEY_POINTER must be a JSON pointer', { WEBHOOK_KEY_POINTER: '#/id' }],
    ['WEBHOOK_KEY_POINTER must be a JSON pointer', { WEBHOOK_KEY_POINTER: '/a~2' }],
    ['WEBHOOK_KEY_POINTER must be a JSON pointer', { WEBHOOK_KEY_POINTER: '/a~' }],
    [
      'WEBHOOK_KEY_POINTER must not be set beside WEBHOOK_KEY_HEADER',
      { WEBHOOK_KEY_POINTER: '/id', WEBHOOK_KEY_HEADER: 'x-id' },
    ],
    ['WEBHOOK_TOLERANCE_S', { WEBHOOK_SECRET: 'x', WEBHOOK_TOLERANCE_S: '-1' }],
    ['WEBHOOK_KEY_HEADER', { WEBHOOK_KEY_HEADER: 'x order' }],
    ['WEBHOOK_HEADERS', { WEBHOOK_HEADERS: 'a b' }],
    ['WEBHOOK_HEADERS', { WEBHOOK_HEADERS: 'x-*-y' }],
    ['CLOUDEVENTS_PARTITION_KEY', { CLOUDEVENTS_PARTITION_KEY: 'yes' }],
  ];
  for (const [name, variables] of bad) {
    test(`${name}: ${JSON.stringify(variables)}`, () => {
      assert.throws(
        () => configOf(variables),
        (error: Error) => {
          assert.match(error.message, new RegExp(name));
          assert.doesNotMatch(error.message, /not base64!|gitlab/);
          return true;
        },
      );
    });
  }

  test('without a secret, its scheme and tolerance are not looked at', () => {
    assert.equal(configOf({ WEBHOOK_SCHEME: '?', WEBHOOK_TOLERANCE_S: '?' }).webhook.signature, undefined);
  });
});

describe('from the front', () => {
  test('SIGNATURE_INVALID before the cluster is asked; no secret and no expected signature in the answer or log', async () => {
    const log = recordingLog();
    const { producer } = newProducer(await unreachable());
    const secret = 'open-sesame';
    const publish = createPublish({ producer, config: configOf({ WEBHOOK_SECRET: secret }), log });
    const signature = createHmac('sha256', secret).update('x').digest('hex');
    const send = (headers = {}) => publish(hook('x', headers), Date.now() + 5_000);
    const refused = await send();
    assertFailure(refused, 'SIGNATURE_INVALID');
    assertFailure(await send({ 'x-hub-signature-256': `sha256=${signature}` }), 'BROKER_UNREACHABLE');
    const [line] = log.lines;
    const printed = `${refused.body}${JSON.stringify(line)}${line?.fields?.error}`;
    assert.doesNotMatch(printed, new RegExp(`${secret}|${signature}`));
  });

  for (const path of [
    '/webhooks/hooks',
    '/v1/webhooks/hooks',
    '/webhooks/hooks/',
    '/webhooks/topics',
    '/webhooks/healthy',
  ]) {
    test(`${path} takes POST alone`, async () => {
      const { producer } = newProducer(await unreachable());
      const publish = createPublish({
        producer,
        config: configOf({ WEBHOOK_SECRET: 'x' }),
        log: recordingLog(),
      });
      assertFailure(await publish(post('', 'x', { path }), Date.now() + 5_000), 'SIGNATURE_INVALID');
      const get = await publish(post('', '', { path, method: 'GET' }), Date.now() + 5_000);
      assertFailure(get, 'METHOD_NOT_ALLOWED');
      assert.equal(get.headers.allow, 'POST');
    });
  }
});
