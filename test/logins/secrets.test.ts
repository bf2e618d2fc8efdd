/** The key, its password, the client's secret and the token stand in no log, error, report or answer. */
import assert from 'node:assert/strict';
import { createPrivateKey, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { array, int16, int32, string } from '../../local/kafka/wire.ts';
import { outputsOfCheck, outputsOfProduce } from '../issues/rogue-words.ts';
import { startAuthorizationServer } from '../support/authorization-server.ts';
import type { Variables } from '../support/check.ts';
import { kafkaForTests } from '../support/cluster.ts';
import {
  METADATA,
  SASL_AUTHENTICATE,
  SASL_HANDSHAKE,
  startSketchBroker,
} from '../support/faults/sketch-broker.ts';
import { connectionWith, mutualListener, serversOf } from '../support/logins.ts';

const cluster = await kafkaForTests({ extraListeners: [mutualListener()] });

/** Everything that somebody may look at, with these variables. */
async function outputsWith(variables: Variables): Promise<string[]> {
  const all = { ...variables, LOG_LEVEL: 'debug' };
  const outputs = [await outputsOfCheck(all), await outputsOfProduce(all, { records: [{ value: 1 }] })];
  const config = connectionWith(all);
  return [
    ...outputs.flatMap((named) => Object.values(named)),
    JSON.stringify(config),
    inspect(config, { depth: 9 }),
  ];
}

function assertNone(outputs: readonly string[], secrets: readonly string[]): void {
  for (const secret of secrets) {
    const base64 = Buffer.from(secret).toString('base64').replace(/=+$/, '');
    for (const form of [secret, base64, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
      // A part would do as well.
      for (const part of form.length > 40 ? [form.slice(0, 32), form.slice(-32)] : [form]) {
        for (const output of outputs) assert.ok(!output.includes(part), `${part} in ${output}`);
      }
    }
  }
}

/** A broker that takes a login by token apart, and says what it got. */
async function startEchoingBroker(words: (token: string) => string) {
  let said = '';
  return startSketchBroker({
    answers: {
      [METADATA]: () => undefined,
      [SASL_HANDSHAKE]: () => Buffer.concat([int16(0), array([string('OAUTHBEARER')])]),
      [SASL_AUTHENTICATE]: (body) => {
        const [, rest] = body.toString().split('auth=Bearer ');
        const token = rest?.split('\x01', 1)[0];
        if (token === undefined)
          return Buffer.concat([int16(58), string(words(said)), int32(0), Buffer.alloc(8)]);
        said = token;
        const challenge = Buffer.from(JSON.stringify({ status: 'invalid_token', scope: words(token) }));
        return Buffer.concat([int16(0), string(null), int32(challenge.length), challenge, Buffer.alloc(8)]);
      },
    },
  });
}

const echoes: Record<string, (secret: string) => string> = {
  'as it is': (secret) => secret,
  'in base64': (secret) => Buffer.from(secret).toString('base64'),
  'as a URL has it': encodeURIComponent,
};

for (const [what, echo] of Object.entries(echoes)) {
  test(`a broker that repeats the token, ${what}`, async (t) => {
    const server = await startAuthorizationServer();
    server.claims = { iss: echo(server.clientSecret), aud: ['a', server.clientSecret] };
    const broker = await startEchoingBroker((token) => `refused: ${echo(token)}!`);
    t.after(() => broker.close());
    const outputs = await outputsWith({
      KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${broker.port}`,
      KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
      ...server.variables,
    });
    assert.ok(server.tokens.length > 5);
    assert.match(outputs.join('\n'), /refused: \[redacted\]=*!/);
    assertNone(outputs, [server.clientSecret, ...server.tokens]);
  });

  test(`an endpoint that repeats the secret, ${what}`, async () => {
    const server = await startAuthorizationServer({
      clientSecret: `a "secret" +/%& ${randomBytes(9).toString('hex')}`,
    });
    server.misbehave = ({ headers }, response) => {
      const sent = headers.authorization ?? '';
      const words = `${'x'.repeat(150)} ${echo(server.clientSecret)} ${sent} ${echo(server.clientSecret)}`;
      const body = { error: echo(server.clientSecret), error_description: words };
      return response
        .writeHead(401, words.replace(/[^\x20-\x7e]/g, ''), { 'x-echo': sent })
        .end(JSON.stringify(body));
    };
    const outputs = await outputsWith({
      KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_PLAINTEXT,
      KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
      ...server.variables,
    });
    assert.match(outputs.join('\n'), /OAUTH_REFUSED|\[redacted\]/);
    const basic = server.requests[0]?.authorization?.replace('Basic ', '') ?? '';
    assertNone(outputs, [server.clientSecret, basic]);
  });
}

test('a key and its password, right, wrong or refused', async () => {
  const passphrase = `a pass phrase ${randomBytes(9).toString('hex')}`;
  const { chain, key } = await cluster.ca.issue({ commonName: 'app', hosts: [] });
  const encrypted = createPrivateKey(key)
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })
    .toString();
  const right = {
    KAFKA_BOOTSTRAP_SERVERS: serversOf(cluster, 'MUTUAL'),
    ...{ KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_CA_PEM: cluster.caPem },
    KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN: chain,
    KAFKA_SSL_KEYSTORE_KEY: encrypted,
    KAFKA_SSL_KEY_PASSWORD: passphrase,
  };
  const inner = (pem: string) => pem.split('\n').slice(1, -2).join('');
  // Of the plain one what is private: before it stands what it is, behind it what the certificate has, too.
  const secrets = [passphrase, inner(key).slice(50, 88), inner(encrypted)];
  assertNone(await outputsWith(right), secrets);
  const wrongs: Variables[] = [
    { KAFKA_SSL_KEY_PASSWORD: `${passphrase}!` },
    { KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN: key, KAFKA_SSL_KEYSTORE_KEY: chain },
    { KAFKA_SSL_KEYSTORE_KEY: `${key}${encrypted}` },
  ];
  for (const wrong of wrongs) {
    const all = { ...right, ...wrong, LOG_LEVEL: 'debug' };
    const outputs = [await outputsOfCheck(all), await outputsOfProduce(all, { records: [{ value: 1 }] })];
    assertNone(
      outputs.flatMap((named) => Object.values(named)),
      secrets,
    );
  }
});
