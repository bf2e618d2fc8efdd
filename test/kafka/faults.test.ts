import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createCertificateAuthority } from '../../local/kafka/certificates.ts';
import { runKafkaTool } from '../../local/kafka/tools.ts';
import type { Failure } from '../../src/errors.ts';
import type { ConnectionConfig } from '../../src/kafka/connection/config.ts';
import type { ProducerConfig } from '../../src/kafka/produce/config.ts';
import type { Producer } from '../../src/kafka/produce/producer.ts';
import { Secret } from '../../src/secret.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { type FaultProxy, startFaultProxy } from '../support/faults/proxy.ts';
import { unusedPort } from '../support/faults/servers.ts';
import { recordingLog } from '../support/log.ts';
import { acknowledged, failed, newProducer, record, send } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';

const PRODUCE = 0;
const INIT_PRODUCER_ID = 22;
const DAY_MS = 86_400_000;
/** More than the connection trusts a silent broker for. */
const IDLE_MS = 1_100;

const secureProxy = await startFaultProxy({ target: undefined });
const plainProxy = await startFaultProxy({ target: undefined });
after(() => Promise.all([secureProxy.close(), plainProxy.close()]));
const behind = (proxy: FaultProxy) => () => ({ host: '127.0.0.1', port: proxy.port });
const here = () => ({ host: '127.0.0.1', port: 1 });
const otherAuthority = await createCertificateAuthority();
const hosts = ['127.0.0.1'];
const expired = await otherAuthority.issue({
  commonName: 'expired',
  hosts,
  notBefore: new Date(Date.now() - 2 * DAY_MS),
  notAfter: new Date(Date.now() - DAY_MS),
});
const otherHost = await otherAuthority.issue({ commonName: 'elsewhere', hosts: ['elsewhere.invalid'] });

const cluster = await kafkaForTests({
  properties: { 'connections.max.reauth.ms': '2000' },
  extraListeners: [
    { name: 'SECURE', protocol: 'SASL_SSL', advertised: behind(secureProxy) },
    { name: 'PLAIN', protocol: 'PLAINTEXT', advertised: behind(plainProxy) },
    { name: 'EXPIRED', protocol: 'SSL', advertised: here, certificate: expired },
    { name: 'ELSEWHERE', protocol: 'SSL', advertised: here, certificate: otherHost },
  ],
});
const ports = cluster.brokers[0]?.ports ?? {};
secureProxy.setTarget('127.0.0.1', ports.SECURE ?? 0);
plainProxy.setTarget('127.0.0.1', ports.PLAIN ?? 0);

function producerBehind(proxy: FaultProxy, options: Partial<ProducerConfig> = {}, log = recordingLog()) {
  const listener = proxy === secureProxy ? 'SASL_SSL' : 'PLAINTEXT';
  const bootstrapServers = `127.0.0.1:${proxy.port}`;
  return newProducer(connectionConfigFor(cluster, { listener, bootstrapServers }), options, log).producer;
}

/** What sending one record to a cluster that can't be reached ends with. */
async function failureOf(config: ConnectionConfig, topic = 'any', timeMs = 2_000): Promise<Failure> {
  const { producer } = newProducer(config);
  try {
    const [outcome] = await producer.send([record(topic, 'v')], Date.now() + timeMs);
    return failed(outcome);
  } catch (error) {
    return error as Failure;
  }
}

function assertFailure(failure: Failure, code: Failure['code'], message: RegExp): void {
  assert.equal(failure.code, code, failure.message);
  assert.match(failure.message, message);
  assert.doesNotMatch(
    failure.message,
    /127\.0\.0\.1|localhost|:\d{4}/,
    'no address that the caller does not know',
  );
}

describe('a cluster that cannot be reached', () => {
  const config = connectionConfigFor(cluster);

  it('refuses connections', async () => {
    const bootstrapServers = [{ host: '127.0.0.1', port: await unusedPort() }];
    const failure = await failureOf({ ...config, bootstrapServers });
    assertFailure(failure, 'BROKER_UNREACHABLE', /connection refused/);
    assert.deepEqual([failure.status, failure.retriable, failure.delivery], [503, true, 'none']);
  });

  it('has a name that does not resolve', async () => {
    const failure = await failureOf({ ...config, bootstrapServers: [{ host: 'kafka.invalid', port: 9093 }] });
    assertFailure(failure, 'BROKER_UNREACHABLE', /resolve|name server/);
  });

  it('is silent', async () => {
    secureProxy.silent();
    const bootstrapServers = [{ host: '127.0.0.1', port: secureProxy.port }];
    assertFailure(
      await failureOf({ ...config, bootstrapServers }, 'any', 1_000),
      'BROKER_UNREACHABLE',
      /in time/,
    );
    secureProxy.pass();
  });

  it('has a certificate of another authority, an expired one, or one of another host', async () => {
    const ssl = { ca: otherAuthority.certificate, verifyHostname: undefined };
    assertFailure(
      await failureOf({ ...config, ssl }),
      'BROKER_UNREACHABLE',
      /TLS failed \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)/,
    );
    const at = (port: number | undefined) => ({
      ...connectionConfigFor(cluster, { listener: 'SSL', bootstrapServers: `127.0.0.1:${port}` }),
      ssl,
    });
    assertFailure(await failureOf(at(ports.EXPIRED)), 'BROKER_UNREACHABLE', /CERT_HAS_EXPIRED/);
    assertFailure(await failureOf(at(ports.ELSEWHERE)), 'BROKER_UNREACHABLE', /ERR_TLS_CERT_ALTNAME_INVALID/);
  });

  it('verifies the chain, but not the host name, where that is switched off', async () => {
    const ssl = { ca: otherAuthority.certificate, verifyHostname: false };
    const plain = connectionConfigFor(cluster, {
      listener: 'SSL',
      bootstrapServers: `127.0.0.1:${ports.ELSEWHERE}`,
    });
    assert.equal((await failureOf({ ...plain, ssl }, 'missing-topic')).code, 'UNKNOWN_TOPIC');
    const otherCa = { ca: cluster.caPem, verifyHostname: false };
    assert.match((await failureOf({ ...plain, ssl: otherCa })).message, /TLS failed/);
  });

  it('refuses the password, the mechanism, or SASL at this address', async () => {
    const { sasl } = config;
    assert.ok(sasl && sasl.mechanism !== 'OAUTHBEARER');
    const wrong = await failureOf({ ...config, sasl: { ...sasl, password: new Secret('wrong') } });
    assertFailure(wrong, 'AUTHENTICATION_FAILED', /user name or password/);
    assert.deepEqual([wrong.status, wrong.retriable, wrong.delivery], [503, false, 'none']);
    const onPlain = connectionConfigFor(cluster, {
      listener: 'SASL_PLAINTEXT',
      bootstrapServers: cluster.bootstrapServers.PLAINTEXT,
    });
    assertFailure(
      await failureOf(onPlain),
      'AUTHENTICATION_FAILED',
      /does not expect SASL.*KAFKA_SECURITY_PROTOCOL/,
    );
  });

  it('answers at one of several addresses', async () => {
    const [good] = config.bootstrapServers;
    assert.ok(good);
    const dead = { host: '127.0.0.1', port: await unusedPort() };
    const failure = await failureOf({ ...config, bootstrapServers: [dead, good] }, 'missing-topic');
    assert.equal(failure.code, 'UNKNOWN_TOPIC');
  });
});

describe('a connection that breaks', () => {
  let topic: string;
  beforeEach(async () => {
    topic = await newTopic(cluster, { partitions: 1 });
    secureProxy.pass();
    plainProxy.pass();
  });

  const values = async () => (await readTopic(cluster, topic)).map(({ value }) => value?.toString());

  it('in the middle of an answer: the record is sent again and stands in the log once', async () => {
    const producer = producerBehind(secureProxy);
    acknowledged((await send(producer, record(topic, 'first')))[0]);
    secureProxy.cutAfter(5);
    assert.equal(acknowledged((await send(producer, record(topic, 'second')))[0]).offset, 1);
    assert.equal(acknowledged((await send(producer, record(topic, 'third')))[0]).offset, 2);
    assert.deepEqual(await values(), ['first', 'second', 'third']);
  });

  it('in the middle of an answer, without idempotence: nobody knows, and nothing is sent twice', async () => {
    const producer = producerBehind(secureProxy, { idempotence: 'off' });
    acknowledged((await send(producer, record(topic, 'first')))[0]);
    secureProxy.cutAfter(5);
    const failure = failed((await send(producer, record(topic, 'second')))[0]);
    assert.deepEqual([failure.code, failure.status, failure.delivery], ['CONNECTION_LOST', 504, 'unknown']);
    acknowledged((await send(producer, record(topic, 'third')))[0]);
    const log = await values();
    assert.equal(log.filter((value) => value === 'second').length <= 1, true);
    assert.deepEqual(
      log.filter((value) => value !== 'second'),
      ['first', 'third'],
    );
  });

  it('so that an answer is swallowed: the record ends unknown, and the next ones stand where they are said to', async () => {
    const producer = producerBehind(plainProxy);
    plainProxy.rewriteResponses((_frame, { apiKey }) => (apiKey === PRODUCE ? 'swallow' : undefined));
    const [outcome] = await producer.send([record(topic, 'swallowed')], Date.now() + 1_000);
    const failure = failed(outcome);
    assert.deepEqual([failure.code, failure.status, failure.delivery], ['ACK_TIMEOUT', 504, 'unknown']);
    plainProxy.pass();
    const offsets = [];
    for (const value of ['a', 'b', 'c'])
      offsets.push(acknowledged((await send(producer, record(topic, value)))[0]).offset);
    const log = await values();
    assert.deepEqual(log, ['swallowed', 'a', 'b', 'c']);
    assert.deepEqual(offsets, [1, 2, 3]);
  });

  it('while it was idle, by a reset', async () => {
    const producer = producerBehind(secureProxy);
    acknowledged((await send(producer, record(topic, 'first')))[0]);
    secureProxy.resetAll();
    assert.equal(acknowledged((await send(producer, record(topic, 'second')))[0]).offset, 1);
  });

  it('because NAT forgot the flow: found out, and made anew, in under 3 s', async () => {
    const producer = producerBehind(secureProxy);
    acknowledged((await send(producer, record(topic, 'first')))[0]);
    secureProxy.forget();
    await wait(IDLE_MS);
    const started = Date.now();
    assert.equal(acknowledged((await send(producer, record(topic, 'second')))[0]).offset, 1);
    assert.ok(Date.now() - started < 3_000, `${Date.now() - started} ms`);
    assert.deepEqual(await values(), ['first', 'second']);
  });

  it('by us, because no time was left to prove it: it does not stay open', async () => {
    const producer = producerBehind(plainProxy);
    acknowledged((await send(producer, record(topic, 'first')))[0]);
    await wait(IDLE_MS);
    await assert.rejects(producer.connection.brokerIds(Date.now()), {
      code: 'BROKER_UNREACHABLE',
    });
    await untilNoConnection(plainProxy);
  });

  it('at the deadline: nothing is published afterwards', async () => {
    const producer = producerBehind(plainProxy);
    let hold = false;
    const held = new Promise<void>((resolve) => {
      plainProxy.onRequest(({ apiKey }) => {
        if (!hold || apiKey !== PRODUCE) return 'forward';
        resolve();
        return 'swallow';
      });
    });
    acknowledged((await send(producer, record(topic, 'first')))[0]);
    hold = true;
    const [outcome] = await producer.send([record(topic, 'late')], Date.now() + 700);
    await held;
    assert.equal(failed(outcome).code, 'ACK_TIMEOUT');
    await untilNoConnection(plainProxy);
    assert.deepEqual(await values(), ['first']);
  });

  it('because the broker restarted', async () => {
    const producer = producerBehind(secureProxy);
    acknowledged((await send(producer, record(topic, 'first')))[0]);
    await cluster.stopBroker(1);
    await cluster.startBroker(1);
    assert.equal(acknowledged((await send(producer, record(topic, 'second')))[0]).offset, 1);
  });
});

describe('a cluster that refuses', () => {
  it('idempotence: publishing goes on without it, and says so once', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    refuseIdempotence();
    const log = recordingLog();
    const producer = producerBehind(plainProxy, {}, log);
    acknowledged((await send(producer, record(topic, 'first')))[0]);
    acknowledged((await send(producer, record(topic, 'second')))[0]);
    const warnings = log.lines.filter(({ level }) => level === 'warn');
    assert.deepEqual(
      warnings.map(({ message }) => message),
      ['publishing without idempotence, because the cluster refuses it'],
    );
    plainProxy.pass();
  });

  it('idempotence that is demanded: CONFIG_INVALID', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    refuseIdempotence();
    const producer = producerBehind(plainProxy, { idempotence: 'required' });
    const failure = failed((await send(producer, record(topic, 'v')))[0]);
    assert.deepEqual([failure.code, failure.delivery], ['CONFIG_INVALID', 'none']);
    assert.match(failure.message, /KAFKA_ENABLE_IDEMPOTENCE/);
    plainProxy.pass();
    assert.equal((await readTopic(cluster, topic)).length, 0);
  });

  it('for the quota: said at once where the throttle outlasts the deadline, and nothing is sent', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    await runKafkaTool('kafka.admin.ConfigCommand', [
      ...['--bootstrap-server', cluster.bootstrapServers.PLAINTEXT, '--alter'],
      ...[
        '--add-config',
        'producer_byte_rate=10000',
        '--entity-type',
        'clients',
        '--entity-name',
        'throttled',
      ],
    ]);
    const config = { ...connectionConfigFor(cluster), clientId: 'throttled' };
    const { producer } = newProducer(config);
    const throttled = await untilThrottled(producer, topic);
    const published = (await readTopic(cluster, topic)).length;
    assert.deepEqual(
      [throttled.failure.code, throttled.failure.status, throttled.failure.delivery],
      ['THROTTLED', 429, 'none'],
    );
    assert.ok((throttled.failure.retryAfterMs ?? 0) > 0);
    assert.equal(published, throttled.acknowledged);
  });
});

it('authenticates anew before the session ends', async () => {
  const topic = await newTopic(cluster, { partitions: 1 });
  const { producer } = newProducer(connectionConfigFor(cluster));
  const end = Date.now() + 4_500;
  let sent = 0;
  for (; Date.now() < end; sent++) acknowledged((await send(producer, record(topic, `${sent}`)))[0]);
  assert.equal((await readTopic(cluster, topic)).length, sent);
});

/** The proxy learns from the network that the sockets are gone. */
async function untilNoConnection(proxy: FaultProxy): Promise<void> {
  for (let ms = 0; proxy.connections > 0; ms += 10) {
    assert.ok(ms < 2_000, `${proxy.connections} sockets still open`);
    await wait(10);
  }
}

function refuseIdempotence(): void {
  plainProxy.resetAll();
  plainProxy.rewriteResponses((frame, { apiKey }) => {
    if (apiKey !== INIT_PRODUCER_ID) return undefined;
    // correlation id, throttle time, then the error code: CLUSTER_AUTHORIZATION_FAILED
    frame.writeInt16BE(31, 8);
    return frame;
  });
}

async function untilThrottled(
  producer: Producer,
  topic: string,
): Promise<{ failure: Failure; acknowledged: number }> {
  for (let count = 0; count < 20; count++) {
    const [outcome] = await producer.send([record(topic, 'x'.repeat(100_000))], Date.now() + 1_000);
    if (outcome && 'code' in outcome) return { failure: outcome, acknowledged: count };
  }
  throw new Error('never throttled');
}
