import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { requestToken } from '../../src/kafka/connection/token-endpoint.ts';
import { kafkajsConfig } from '../../src/kafka/kafkajs-config.ts';
import {
  signedToken,
  startAuthorizationServer,
  tokenJavaProperties,
  tokenListener,
} from '../support/authorization-server.ts';
import type { Variables } from '../support/check.ts';
import { kafkaForTests } from '../support/cluster.ts';
import { failsWith } from '../support/errors.ts';
import {
  checkPasses,
  connectionWith,
  kafkajsWorks,
  publishAndPull,
  tokenVariables,
} from '../support/logins.ts';

const cluster = await kafkaForTests({
  brokers: 1,
  extraListeners: [tokenListener(), tokenListener('SASL_PLAINTEXT')],
  javaProperties: tokenJavaProperties,
});
const server = await startAuthorizationServer();
const variables = tokenVariables(cluster, server);

describe('with a token', () => {
  test('publishing and pulling', () => publishAndPull(cluster, variables));
  test('the check', () => checkPasses(cluster, variables));
  test('kafkajs', () => kafkajsWorks(cluster, variables));
});

test('kafkajs says what the cluster refuses, and takes another token the next time', async () => {
  const other = await startAuthorizationServer();
  other.claims = { aud: 'others' };
  const all: Variables = { ...variables, ...other.variables };
  const brokers = async () => {
    const admin = new Kafka({ ...kafkajsConfig((name) => all[name]), logLevel: logLevel.NOTHING }).admin();
    try {
      await admin.connect();
      return (await admin.describeCluster()).brokers.length;
    } finally {
      await admin.disconnect();
    }
  };
  await assert.rejects(
    brokers(),
    failsWith('AUTHENTICATION_FAILED', /the cluster refused the function's token/),
  );
  other.claims = {};
  assert.equal(await brokers(), 1);
  all.KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET = 'another-secret';
  await assert.rejects(brokers(), failsWith('AUTHENTICATION_FAILED', /token endpoint gives no token/));
});

test('kafkajs goes on once the endpoint is back', async () => {
  const other = await startAuthorizationServer();
  other.misbehave = (_, response) => (other.requests.length > 2 ? undefined : response.writeHead(503).end());
  await kafkajsWorks(cluster, { ...variables, ...other.variables });
  assert.ok(other.requests.length >= 3);
});

describe('how long a token is kept', () => {
  const now = () => Math.floor(Date.now() / 1000);
  const lives: [what: string, members: Record<string, unknown>, seconds: number][] = [
    ['expires_in', { access_token: 'opaque', expires_in: 60 }, 60],
    ['expires_in as a string', { access_token: 'opaque', expires_in: '60' }, 60],
    ['no expires_in', { access_token: 'opaque', expires_in: undefined }, 300],
    ['an expires_in of no sense', { access_token: 'opaque', expires_in: 'soon' }, 300],
    ['an expires_in that is over', { access_token: 'opaque', expires_in: -5 }, 0],
    ['null', { access_token: 'opaque', expires_in: null }, 300],
    ['exp alone', { access_token: signedToken({ exp: now() + 90 }), expires_in: undefined }, 90],
    [
      'exp and iat of a clock that is wrong',
      { access_token: signedToken({ iat: 1_000, exp: 1_045 }), expires_in: undefined },
      45,
    ],
    [
      'the shorter one of both',
      { access_token: signedToken({ iat: now(), exp: now() + 30 }), expires_in: 60 },
      30,
    ],
    ['claims that are no claims', { access_token: 'a.b.c', expires_in: 60 }, 60],
  ];
  for (const [what, members, seconds] of lives) {
    test(what, async () => {
      const authorization = await startAuthorizationServer();
      authorization.members = members;
      const { sasl } = connectionWith({ ...variables, ...authorization.variables });
      assert.ok(sasl?.mechanism === 'OAUTHBEARER');
      const { fetchedAt, expiresAt } = await requestToken(sasl, { deadline: Date.now() + 5_000 });
      const found = (expiresAt - fetchedAt) / 1000;
      // A claim is compared with this clock where nothing else is there.
      assert.ok(Math.abs(found - seconds) <= (what === 'exp alone' ? 30 : 0), `${found} s`);
    });
  }
});

describe('the variables of a login by token', () => {
  const [url, id, secret] = ['TOKEN_ENDPOINT_URL', 'CLIENT_ID', 'CLIENT_SECRET'].map(
    (name) => `KAFKA_SASL_OAUTHBEARER_${name}`,
  ) as [string, string, string];
  const blank = 'must not be blank: give it a value, or remove it';
  const insecure =
    'must be an https:// URL without user name and fragment; http:// is for this machine alone';
  const refused: [what: string, change: Variables, problem: string][] = [
    [
      'nothing',
      { [url]: '', [id]: '', [secret]: '' },
      `${url} is required; ${id} is required; ${secret} is required`,
    ],
    [
      'blanks',
      { [url]: ' ', [id]: ' ', [secret]: ' ' },
      `${id} ${blank}; ${secret} ${blank}; ${url} ${blank}`,
    ],
    ...[
      'http://login.example.org/token',
      'http://127.0.0.1.example.org/',
      'ftp://login.example.org/',
      'https://user:pass@login.example.org/',
      'https://login.example.org/#a',
      'login.example.org/token',
      'https://',
    ].map((value): [string, Variables, string] => [value, { [url]: value }, `${url} ${insecure}`]),
  ];
  for (const [what, change, problem] of refused) {
    test(`${what}: refused`, () => {
      assert.throws(() => connectionWith({ ...variables, ...change }), {
        message: `configuration: ${problem}`,
      });
    });
  }

  for (const value of [
    'https://login.example.org:8443/token?p=1',
    'http://localhost:8080/',
    'http://127.8.0.1/',
    'http://[::1]:1/',
    ' https://a.b/ ',
  ]) {
    test(`${value}: taken`, () => {
      const { sasl } = connectionWith({ ...variables, [url]: value });
      assert.equal(sasl?.mechanism === 'OAUTHBEARER' && sasl.endpoint, value.trim());
    });
  }
});

test('the id and the secret are form-encoded before they are put together', async () => {
  const { sasl } = connectionWith(variables);
  assert.ok(sasl?.mechanism === 'OAUTHBEARER');
  await requestToken(sasl, { deadline: Date.now() + 5_000 });
  const { authorization = '', form } = server.requests.at(-1) ?? {};
  const decoded = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString();
  assert.match(decoded, /^app:\S*\+a%3Asecret%2F%25%2B%C3%BC$/);
  assert.deepEqual(Object.fromEntries(form ?? []), { grant_type: 'client_credentials', scope: 'publish' });
});

test('an endpoint with a certificate of the authority that is trusted for the brokers', async () => {
  const { chain, key } = await cluster.ca.issue({ commonName: 'endpoint', hosts: ['127.0.0.1'] });
  const secured = await startAuthorizationServer({ tls: { cert: chain, key } });
  await checkPasses(cluster, { ...variables, ...secured.variables });
});
