/** Everything that can be wrong with a login by token: what callers get, and what the check says. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type FaultId, faultIds } from '../../functions/connectivity-check/faults.ts';
import { exitCode } from '../../functions/connectivity-check/formats/exit-code.ts';
import { createCertificateAuthority } from '../../local/kafka/certificates.ts';
import {
  type AuthorizationServer,
  signedToken,
  startAuthorizationServer,
  tokenJavaProperties,
  tokenListener,
} from '../support/authorization-server.ts';
import { checkWith, type Variables } from '../support/check.ts';
import { kafkaForTests } from '../support/cluster.ts';
import { failsWith } from '../support/errors.ts';
import { startFullListener, unusedPort } from '../support/faults/servers.ts';
import { recordingLog } from '../support/log.ts';
import { connectionWith, serversOf, tokenVariables } from '../support/logins.ts';
import { newConnection } from '../support/producer.ts';

const cluster = await kafkaForTests({
  brokers: 1,
  extraListeners: [tokenListener(), tokenListener('SASL_PLAINTEXT')],
  javaProperties: tokenJavaProperties,
});
const TIME_MS = 1_500;
const ENDPOINT = 'KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL';

const variablesOf = (server: AuthorizationServer, more: Variables = {}): Variables => ({
  ...tokenVariables(cluster, server),
  ...more,
});

interface Row {
  what: string;
  fault: FaultId;
  code: 'AUTHENTICATION_FAILED' | 'BROKER_UNREACHABLE';
  /** Of the cause and the remedy. */
  words: RegExp;
  prepare(server: AuthorizationServer, t: TestContext): Promise<Variables> | Variables;
}

const now = () => Math.floor(Date.now() / 1000);
const refused = (what: string, words: RegExp, prepare: Row['prepare']): Row => ({
  ...{ what, words, prepare, fault: 'OAUTH_REFUSED', code: 'AUTHENTICATION_FAILED' },
});
const answering = (what: string, words: RegExp, status: number, body: string, headers = {}): Row =>
  refused(what, words, (server) => {
    server.misbehave = (_, response) => response.writeHead(status, headers).end(body);
    return variablesOf(server);
  });
const distrusted = (what: string, words: RegExp, claims: Record<string, unknown>): Row => ({
  ...{ what, words, fault: 'SASL_BAD_CREDENTIALS', code: 'AUTHENTICATION_FAILED' },
  prepare(server) {
    server.claims = claims;
    return variablesOf(server);
  },
});
const unreachable = (fault: FaultId, what: string, words: RegExp, prepare: Row['prepare']): Row => ({
  ...{ fault, what, words, prepare, code: 'BROKER_UNREACHABLE' },
});

async function secured(of: 'cluster' | 'other', hosts = ['127.0.0.1']): Promise<AuthorizationServer> {
  const ca = of === 'cluster' ? cluster.ca : await createCertificateAuthority({ commonName: 'Other CA' });
  const { chain, key } = await ca.issue({ commonName: 'endpoint', hosts });
  return startAuthorizationServer({ tls: { cert: chain, key } });
}

const rows: Row[] = [
  refused('a wrong secret', /401, invalid_client: no such client.*CLIENT_SECRET/, (server) =>
    variablesOf(server, { KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: 'another-secret' }),
  ),
  refused('a wrong client', /401, invalid_client.*CLIENT_ID/, (server) =>
    variablesOf(server, { KAFKA_SASL_OAUTHBEARER_CLIENT_ID: 'nobody' }),
  ),
  refused('a wrong scope', /400, invalid_scope.*KAFKA_SASL_OAUTHBEARER_SCOPE/, (server) =>
    variablesOf(server, { KAFKA_SASL_OAUTHBEARER_SCOPE: 'everything' }),
  ),
  answering('a grant that the client may not use', /service account/, 400, '{"error":"unauthorized_client"}'),
  answering('a page', /404, with something that is not a JSON.*openid-configuration/, 404, '<html>no</html>'),
  answering('not JSON', /200, with something that is not a JSON object/, 200, 'access_token=a'),
  answering('an array', /200, without an access_token|not a JSON/, 200, '[]'),
  answering('no token', /200, without an access_token/, 200, '{"token_type":"bearer"}'),
  answering('an empty token', /characters that no token has/, 200, '{"access_token":""}'),
  answering('a token that ends the message', /characters/, 200, '{"access_token":"a\\u0001\\u0001"}'),
  answering('a token of another type', /another type/, 200, '{"access_token":"a","token_type":"mac"}'),
  answering(
    'a scope that is missing',
    /answers 400, invalid_request.*OAUTHBEARER_SCOPE/,
    400,
    '{"error":"invalid_request"}',
  ),
  { ...answering('too many requests', /429.*limits how often/, 429, ''), code: 'BROKER_UNREACHABLE' },
  {
    ...answering('a page of a proxy', /520.*not well/, 520, 'x'.repeat(2 ** 20)),
    code: 'BROKER_UNREACHABLE',
  },
  answering('a redirection', /302.*openid-configuration/, 302, '', {
    location: 'https://elsewhere.invalid/',
  }),
  answering('a huge answer', /more than 262144 bytes/, 200, `{"access_token":"${'a'.repeat(2 ** 20)}"}`),
  { ...answering('a server that is not well', /503.*not well/, 503, 'sorry'), code: 'BROKER_UNREACHABLE' },
  distrusted('a token for others', /refuses the token.*audience others.*expected/, { aud: 'others' }),
  distrusted('a token of another issuer', /issuer https:\/\/mallory/, { iss: 'https://mallory.invalid/' }),
  distrusted('a token that has expired', /refuses the token/, { exp: now() - 60, iat: now() - 120 }),
  {
    ...{ what: 'a token that somebody else signed', fault: 'SASL_BAD_CREDENTIALS' },
    ...{ code: 'AUTHENTICATION_FAILED', words: /refuses the token.*issuer a/ },
    prepare(server) {
      const claims = { iss: 'a', sub: 'app', exp: now() + 300, iat: now() };
      server.members = { access_token: signedToken(claims, { forged: true }) };
      return variablesOf(server);
    },
  },
  {
    ...{ what: 'a token without any meaning', fault: 'SASL_BAD_CREDENTIALS' },
    ...{ code: 'AUTHENTICATION_FAILED', words: /the token says nothing of itself/ },
    prepare(server) {
      server.members = { access_token: 'opaque' };
      return variablesOf(server);
    },
  },
  unreachable(
    'OAUTH_DNS',
    'a name that does not resolve',
    /auth\.invalid:443.*ENOTFOUND|EAI_AGAIN/,
    (server) => variablesOf(server, { [ENDPOINT]: 'https://auth.invalid/token' }),
  ),
  unreachable('OAUTH_TCP', 'a closed port', /no connection \(ECONNREFUSED\)/, async (server) =>
    variablesOf(server, { [ENDPOINT]: `http://127.0.0.1:${await unusedPort()}/token` }),
  ),
  unreachable('OAUTH_TCP', 'a closed port of a name', /no connection \(ECONNREFUSED\)/, async (server) =>
    variablesOf(server, { [ENDPOINT]: `http://localhost:${await unusedPort()}/token` }),
  ),
  unreachable('OAUTH_TCP', 'a firewall that drops', /no connection in time/, async (server, t) => {
    const full = await startFullListener();
    t.after(() => full.close());
    return variablesOf(server, { [ENDPOINT]: `http://127.0.0.1:${full.port}/token` });
  }),
  unreachable('OAUTH_TCP', 'no answer', /no answer in time/, (server) => {
    server.misbehave = () => 'hang';
    return variablesOf(server);
  }),
  unreachable('OAUTH_TCP', 'an answer that never ends', /no answer in time/, (server) => {
    server.misbehave = (_, response) => {
      response.write('{');
      const timer = setInterval(() => response.write(' '), 10);
      return response.on('close', () => clearInterval(timer));
    };
    return variablesOf(server);
  }),
  unreachable('OAUTH_TCP', 'a connection that is cut', /no answer \(ECONNRESET\)/, (server) => {
    server.misbehave = (request) => request.socket.resetAndDestroy();
    return variablesOf(server);
  }),
  unreachable(
    'OAUTH_TLS',
    'a certificate of an unknown authority',
    /UNABLE_TO_VERIFY|SELF_SIGNED/,
    async () => variablesOf(await secured('other')),
  ),
  unreachable('OAUTH_TLS', 'a certificate of another name', /ERR_TLS_CERT_ALTNAME_INVALID/, async () =>
    variablesOf(await secured('cluster', ['elsewhere.invalid']), {
      // The brokers' names are not verified; the endpoint's is.
      KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: 'none',
    }),
  ),
  unreachable('OAUTH_TLS', 'a port without TLS', /no TLS \(ERR_SSL_WRONG_VERSION_NUMBER|EPROTO/, (server) =>
    variablesOf(server, { [ENDPOINT]: server.url.replace('http:', 'https:') }),
  ),
];

describe('what is wrong with a login by token', { concurrency: 2 }, () => {
  for (const { what, fault, code, words, prepare } of rows) {
    test(`${what}: ${fault}`, async (t) => {
      const server = await startAuthorizationServer();
      const variables = await prepare(server, t);
      const connection = newConnection(connectionWith(variables), recordingLog());
      await assert.rejects(connection.open(Date.now() + TIME_MS), (error: Error) => {
        assert.doesNotMatch(
          error.message,
          /127\.0\.0\.1|localhost|:\d{4}|invalid\b/,
          'no address for callers',
        );
        return failsWith(code, /token/)(error);
      });
      const report = await checkWith(variables, TIME_MS);
      const { verdict, faults } = report;
      assert.deepEqual(
        [faults.length, verdict?.fault, exitCode(report)],
        [1, fault, 40],
        JSON.stringify(report),
      );
      assert.match(`${verdict?.target} ${verdict?.cause} ${verdict?.remedy}`, words);
      const [target] = report.targets;
      const failed = target?.stages.filter(({ status }) => status === 'failed').map(({ stage }) => stage);
      assert.deepEqual(failed, ['sasl']);
    });
  }

  test('the check dials no endpoint that it may not, and no function is kept from it', async () => {
    const server = await startAuthorizationServer();
    const [address = ''] = serversOf(cluster, 'TOKENS').split(':');
    assert.equal(address, '127.0.0.1');
    const variables = variablesOf(server, {
      KAFKA_BOOTSTRAP_SERVERS: serversOf(cluster, 'TOKENS'),
      CHECK_ALLOWED_ADDRESSES: '127.0.0.1',
      [ENDPOINT]: server.url.replace('127.0.0.1', '127.0.0.2'),
    });
    const { verdict } = await checkWith(variables, TIME_MS);
    assert.equal(verdict?.fault, 'OAUTH_TCP');
    assert.match(
      `${verdict.cause} ${verdict.remedy}`,
      /127\.0\.0\.2 is outside CHECK_ALLOWED_ADDRESSES.*Add its/,
    );
    assert.deepEqual(server.requests, []);
  });

  test('one token a check, whatever the number of addresses', async () => {
    const server = await startAuthorizationServer();
    const [one = ''] = serversOf(cluster, 'TOKENS').split(',');
    const servers = `${one},${one.replace('127.0.0.1', 'localhost')}`;
    const report = await checkWith(variablesOf(server, { KAFKA_BOOTSTRAP_SERVERS: servers }));
    assert.equal(report.ok, true, JSON.stringify(report.faults));
    assert.equal(server.tokens.length, 1);
  });

  test('a token without TLS is warned of', async () => {
    const server = await startAuthorizationServer();
    const { verdict, warnings } = await checkWith({
      ...variablesOf(server, { KAFKA_BOOTSTRAP_SERVERS: serversOf(cluster, 'PLAINTOKENS') }),
      KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
    });
    assert.equal(verdict, null);
    const [{ fault, cause = '' } = {}] = warnings;
    assert.deepEqual([fault, /token is sent as it is/.test(cause)], ['PASSWORD_IN_PLAIN', true]);
  });

  test('a login without a token, where the listener wants one', async () => {
    const { verdict } = await checkWith({
      KAFKA_BOOTSTRAP_SERVERS: serversOf(cluster, 'TOKENS'),
      ...{ KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_CA_PEM: cluster.caPem },
    });
    assert.equal(verdict?.fault, 'SASL_MISSING');
    assert.match(verdict.remedy, /KAFKA_SASL_OAUTHBEARER/);
  });
});

test('every fault of the endpoint has a row', () => {
  const ofEndpoint = faultIds.filter((fault) => fault.startsWith('OAUTH_'));
  assert.deepEqual(
    ofEndpoint.filter((fault) => !rows.some((row) => row.fault === fault)),
    [],
  );
});
