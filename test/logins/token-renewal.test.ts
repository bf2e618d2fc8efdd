/** Tokens that live for seconds, and an endpoint that comes and goes, under load. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { Failure } from '../../src/errors.ts';
import { tokensOf } from '../../src/kafka/connection/tokens.ts';
import { kafkajsConfig } from '../../src/kafka/kafkajs-config.ts';
import {
  type AuthorizationServer,
  startAuthorizationServer,
  tokenJavaProperties,
  tokenListener,
} from '../support/authorization-server.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { startFaultProxy } from '../support/faults/proxy.ts';
import { recordingLog } from '../support/log.ts';
import { connectionWith, tokenVariables } from '../support/logins.ts';
import { acknowledged, newConnection, newProducer, record, send } from '../support/producer.ts';

const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;

const proxy = await startFaultProxy({ target: undefined });
after(() => proxy.close());
const cluster = await kafkaForTests({
  brokers: 3,
  extraListeners: [
    tokenListener(),
    {
      // Logins are renewed every two seconds, whatever their token has left.
      ...tokenListener('SASL_PLAINTEXT', { 'oauthbearer.connections.max.reauth.ms': '2000' }),
      advertised: () => ({ host: '127.0.0.1', port: proxy.port }),
    },
  ],
  javaProperties: tokenJavaProperties,
});
proxy.setTarget('127.0.0.1', cluster.brokers[0]?.ports.PLAINTOKENS ?? 0);

const variablesOf = (server: AuthorizationServer) => tokenVariables(cluster, server);

/** A producer, and what publishes a record to every broker; each one has to be acknowledged. */
async function publisher(server: AuthorizationServer, variables = variablesOf(server)) {
  const topic = await newTopic(cluster, { partitions: 3 });
  const log = recordingLog();
  const { producer } = newProducer(connectionWith(variables), {}, log);
  let published = 0;
  return {
    topic,
    log,
    count: () => published,
    async publish() {
      const records = [0, 1, 2].map((partition) => record(topic, 'v', { partition }));
      for (const outcome of await send(producer, ...records)) acknowledged(outcome);
      published += records.length;
    },
  };
}

/** Repeats the work, one call after the other, until the event has come. */
async function whileAwaiting(event: Promise<unknown>, work: () => Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = event.finally(() => {
    isOver = true;
  });
  while (!isOver) await work();
  await over;
}

describe('tokens that live for seconds', { concurrency: 4 }, () => {
  test('are renewed under load, for all brokers at once, and no record fails', async () => {
    const server = await startAuthorizationServer();
    server.lifetimeS = 4;
    const { publish, count, topic, log } = await publisher(server);
    await whileAwaiting(server.given(5), publish);
    await publish();
    const { pull, handled } = newConsumer(cluster, topic, {
      connection: connectionWith(variablesOf(server)),
    });
    await pull();
    assert.equal(handled.length, count());
    assert.deepEqual(
      log.lines.filter(({ level }) => level === 'warn' || level === 'error'),
      [],
    );
  });

  test('are renewed under pulls', async () => {
    const server = await startAuthorizationServer();
    server.lifetimeS = 4;
    const { publish, count, topic } = await publisher(server);
    const { pull, handled } = newConsumer(cluster, topic, {
      connection: connectionWith(variablesOf(server)),
    });
    await whileAwaiting(server.given(4), async () => {
      await publish();
      await pull({}, { waitMs: 200 });
    });
    await pull();
    assert.equal(handled.length, count());
  });

  test('are renewed by kafkajs', async (t) => {
    const server = await startAuthorizationServer();
    server.lifetimeS = 5;
    const topic = await newTopic(cluster, { partitions: 1 });
    const variables = variablesOf(server);
    const errors: unknown[] = [];
    const config = kafkajsConfig((name) => variables[name]);
    // A failed request shows: it is neither repeated nor kept back.
    const kafka = new Kafka({
      ...config,
      retry: { retries: 0 },
      logLevel: logLevel.ERROR,
      logCreator: () => (entry) => void errors.push(entry.log.message),
    });
    const [producer, admin] = [kafka.producer(), kafka.admin()];
    for (const client of [producer, admin]) await client.connect();
    t.after(() => Promise.all([producer.disconnect(), admin.disconnect()]));
    await whileAwaiting(server.given(5), async () => {
      await producer.send({ topic, messages: [{ value: 'v' }] });
      await admin.fetchTopicOffsets(topic);
    });
    assert.deepEqual(errors, []);
  });

  test('one token serves all who have the same login', async () => {
    const server = await startAuthorizationServer();
    const login = connectionWith(variablesOf(server)).sasl;
    assert.ok(login?.mechanism === 'OAUTHBEARER');
    const { publish } = await publisher(server);
    const others = Array.from({ length: 5 }, () =>
      newConnection(connectionWith(variablesOf(server)), recordingLog()).open(Date.now() + 5_000),
    );
    await Promise.all([publish(), ...others, tokensOf(login).current(Date.now() + 5_000)]);
    assert.equal(server.requests.length, 1, 'three brokers, seven connections, one token');
  });

  test('a broker that wants a login more often gets the same token', async () => {
    const server = await startAuthorizationServer();
    const logins: number[] = [];
    proxy.onRequest(({ apiKey }) => {
      if (apiKey === SASL_HANDSHAKE || apiKey === SASL_AUTHENTICATE) logins.push(apiKey);
      return 'forward';
    });
    const connection = newConnection(
      connectionWith({
        ...variablesOf(server),
        KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${proxy.port}`,
        KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
      }),
      recordingLog(),
    );
    while (logins.length < 8) await connection.brokerIds(Date.now() + 5_000);
    const step = [SASL_HANDSHAKE, SASL_AUTHENTICATE];
    assert.deepEqual(logins.slice(0, 8), [...step, ...step, ...step, ...step]);
    assert.deepEqual([server.tokens.length, proxy.accepted], [1, 1]);
  });
});

test('a token that the brokers let end long before the endpoint says: it is renewed in time, and no record fails', async () => {
  const server = await startAuthorizationServer();
  // For us 300 s, as with a clock of the endpoint that is behind.
  server.members = { expires_in: undefined };
  server.claims = {
    get iat() {
      return Math.floor(Date.now() / 1_000) - 295;
    },
    get exp() {
      return Math.floor(Date.now() / 1_000) + 5;
    },
  };
  const { publish } = await publisher(server);
  await whileAwaiting(server.given(4), publish);
  await publish();
});

test('a caller does not wait for the renewal of another longer than it may', async () => {
  const server = await startAuthorizationServer();
  server.lifetimeS = 3;
  const connection = newConnection(connectionWith(variablesOf(server)), recordingLog());
  await connection.open(Date.now() + 5_000);
  server.misbehave = () => 'hang';
  // Its token is over by then.
  await wait(3_000);
  const ended: string[] = [];
  const ask = (who: string, ms: number) =>
    connection.brokerIds(Date.now() + ms).then(
      () => ended.push(who),
      () => ended.push(who),
    );
  await Promise.all([ask('patient', 4_000), ask('hasty', 500)]);
  assert.deepEqual(ended, ['hasty', 'patient']);
});

describe('an endpoint that comes and goes', { concurrency: 4 }, () => {
  const faults: Record<string, AuthorizationServer['misbehave']> = {
    'is down': (request) => request.socket.resetAndDestroy(),
    'is not well': (_, response) => response.writeHead(503).end(),
    'hangs, as if it were stopped': () => 'hang',
    'takes the secret no more': (_, response) => response.writeHead(401).end('{"error":"invalid_client"}'),
  };
  for (const [what, misbehave] of Object.entries(faults)) {
    test(`${what} while a token is good: nothing fails, and the next token comes later`, async () => {
      const server = await startAuthorizationServer();
      server.lifetimeS = 10;
      const { publish } = await publisher(server);
      await publish();
      server.misbehave = misbehave;
      // The call that asks for another token goes on with the one that there is.
      await whileAwaiting(server.asked(2), publish);
      assert.equal(server.tokens.length, 1);
      server.misbehave = undefined;
      await whileAwaiting(server.given(2), publish);
      await publish();
    });
  }

  test('is slow: calls wait for it, or go on with what they have', async () => {
    const server = await startAuthorizationServer();
    server.lifetimeS = 6;
    server.delayMs = 700;
    const { publish } = await publisher(server);
    await whileAwaiting(server.given(3), publish);
  });

  test('is gone for good: calls fail as retriable, with nothing published, and recover with it', async () => {
    const server = await startAuthorizationServer();
    server.lifetimeS = 4;
    const { publish } = await publisher(server);
    await publish();
    server.misbehave = (request) => request.socket.resetAndDestroy();
    const failure = await (async () => {
      for (;;) {
        try {
          await publish();
        } catch (error) {
          return error;
        }
      }
    })();
    assert.match(String(failure), /BROKER_UNREACHABLE|token endpoint can't be reached/);
    const connection = newConnection(connectionWith(variablesOf(server)), recordingLog());
    await assert.rejects(connection.open(Date.now() + 2_000), (error: unknown) => {
      assert.ok(error instanceof Failure);
      assert.deepEqual([error.status, error.retriable, error.delivery], [503, true, 'none']);
      return failsWith(
        'BROKER_UNREACHABLE',
        /the token endpoint can't be reached: no answer \(ECONNRESET\)/,
      )(error);
    });
    server.misbehave = undefined;
    await publish();
  });

  test('is down: it is not asked by every call', async () => {
    const server = await startAuthorizationServer();
    server.misbehave = (_, response) => response.writeHead(429).end();
    const until = Date.now() + 2_500;
    const calls = Array.from({ length: 20 }, async () => {
      const connection = newConnection(connectionWith(variablesOf(server)), recordingLog());
      await assert.rejects(connection.open(until), failsWith('BROKER_UNREACHABLE'));
    });
    await Promise.all(calls);
    assert.ok(server.requests.length < 6, `${server.requests.length}`);
  });

  test('refuses: it is not asked by every call', async () => {
    const server = await startAuthorizationServer();
    server.misbehave = (_, response) => response.writeHead(401).end('{"error":"invalid_client"}');
    const calls = Array.from({ length: 50 }, async () => {
      const connection = newConnection(connectionWith(variablesOf(server)), recordingLog());
      await assert.rejects(connection.open(Date.now() + 5_000), failsWith('AUTHENTICATION_FAILED'));
    });
    await Promise.all(calls);
    assert.ok(server.requests.length < 10, `${server.requests.length}`);
  });
});

test('a token that was revoked since it was fetched is replaced, and nobody hears of it', async () => {
  const server = await startAuthorizationServer();
  const now = Math.floor(Date.now() / 1000);
  // Good for 300 s, says the endpoint; over, says the broker.
  server.claims = { iat: now - 1_000, exp: now - 700 };
  const config = connectionWith(variablesOf(server));
  assert.ok(config.sasl?.mechanism === 'OAUTHBEARER');
  await tokensOf(config.sasl).current(Date.now() + 5_000);
  server.claims = {};
  await newConnection(config, recordingLog()).open(Date.now() + 5_000);
  assert.equal(server.tokens.length, 2);
});
