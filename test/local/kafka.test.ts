import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs';
import { type KafkaCluster, type KafkaUser, type Listener, startKafka } from '../../local/kafka/cluster.ts';
import { kafkaDistribution } from '../../local/kafka/distribution.ts';
import { freePorts } from '../../local/kafka/ports.ts';
import { consoleConsumer, type SaslMechanism } from '../../local/kafka/tools.ts';
import { root } from '../support/processes.ts';

const CLUSTER = new URL('../../local/kafka/cluster.ts', import.meta.url).href;

const PATHS: { listener: Listener; mechanism?: SaslMechanism }[] = [
  { listener: 'SASL_SSL', mechanism: 'PLAIN' },
  { listener: 'SASL_SSL', mechanism: 'SCRAM-SHA-256' },
  { listener: 'SASL_SSL', mechanism: 'SCRAM-SHA-512' },
  { listener: 'SASL_PLAINTEXT', mechanism: 'SCRAM-SHA-512' },
  { listener: 'SSL' },
  { listener: 'PLAINTEXT' },
];

describe('the embedded Kafka', () => {
  let cluster: KafkaCluster;

  before(async () => {
    cluster = await startKafka();
  });
  after(() => cluster?.stop());

  for (const [index, { listener, mechanism }] of PATHS.entries()) {
    test(`carries a record over ${listener} ${mechanism ?? ''}`, async () => {
      const topic = `round-trip-${index}`;
      await cluster.createTopic(topic, { partitions: 1 });
      const kafka = client(cluster, listener, cluster.users.app, mechanism);
      const producer = kafka.producer();
      await producer.connect();
      const record = { key: 'k', value: `over ${listener}`, headers: { h: 'v' } };
      const [sent] = await producer.send({ topic, messages: [record] });
      await producer.disconnect();
      assert.equal(sent?.baseOffset, '0');
      assert.equal(await firstValue(kafka, topic), `over ${listener}`);
    });
  }

  test('shows a record to the console consumer byte for byte', async () => {
    await cluster.createTopic('bytes', { partitions: 1 });
    const producer = client(cluster, 'PLAINTEXT', cluster.users.app).producer();
    const value = Buffer.from([0, 1, 10, 13, 255, 254, 0x80]);
    await producer.connect();
    await producer.send({
      topic: 'bytes',
      messages: [
        { key: 'é', value, headers: { a: 'x', b: Buffer.from([255]) }, timestamp: '1700000000000' },
        { key: null, value: null },
      ],
    });
    await producer.disconnect();
    const [first, second] = await consoleConsumer(cluster, {
      topic: 'bytes',
      listener: 'SASL_SSL',
      maxMessages: 2,
    });
    assert.deepEqual(first, {
      partition: 0,
      offset: 0,
      timestamp: 1_700_000_000_000,
      headers: [
        { key: 'a', value: Buffer.from('x') },
        { key: 'b', value: Buffer.from([255]) },
      ],
      key: Buffer.from('é'),
      value,
    });
    assert.deepEqual([second?.key, second?.value, second?.headers], [null, null, []]);
  });

  test('lets user restricted write only where it may', async () => {
    for (const topic of ['restricted-allowed', 'restricted-readonly', 'forbidden'])
      await cluster.createTopic(topic);
    const kafka = client(cluster, 'SASL_SSL', cluster.users.restricted, 'SCRAM-SHA-512');
    const producer = kafka.producer();
    await producer.connect();
    const send = (topic: string) => producer.send({ topic, messages: [{ value: 'v' }] });
    await send('restricted-allowed');
    await assert.rejects(send('restricted-readonly'), /Not authorized to access topics/);
    await assert.rejects(send('forbidden'), /Not authorized to access topics/);
    await producer.disconnect();
    const admin = kafka.admin();
    await admin.connect();
    assert.deepEqual((await admin.listTopics()).sort(), ['restricted-allowed', 'restricted-readonly']);
    await admin.disconnect();
  });

  test('refuses a wrong password', async () => {
    const stranger = { ...cluster.users.app, password: 'x'.repeat(32) };
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-512'] as const) {
      const admin = client(cluster, 'SASL_SSL', stranger, mechanism).admin();
      await assert.rejects(admin.connect(), { name: 'KafkaJSSASLAuthenticationError' });
      await admin.disconnect();
    }
  });

  test('brings a killed broker back on its ports with its data', async () => {
    await cluster.createTopic('kept', { partitions: 1 });
    await cluster.stopBroker(1, 'SIGKILL');
    assert.equal(cluster.brokers[0]?.running, false);
    await cluster.startBroker(1);
    await assert.rejects(cluster.createTopic('kept'), /error 36/);
  });
});

test('a port that was given out is marked for every other process, also while nobody listens on it', async () => {
  const [port = 0] = await freePorts(1);
  const mark = createSocket('udp4').bind({ port, address: '127.0.0.1', exclusive: true });
  const [error] = await once(mark, 'error');
  assert.equal(error.code, 'EADDRINUSE');
});

for (const release of [undefined, '2.7.2']) {
  test(`a cluster whose owner is killed leaves nothing behind: ${release ?? 'the current release'}`, async () => {
    const program = `
    const { startKafka } = await import(${JSON.stringify(CLUSTER)});
    const { directory, brokers } = await startKafka(${JSON.stringify({ release })});
    console.log(directory);
    console.log(brokers[0].ports.PLAINTEXT);`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
    const owner = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: owner.stdout })[Symbol.asyncIterator]();
    const directory = String((await lines.next()).value);
    assert.ok(existsSync(join(directory, 'server-1.properties')));
    assert.notDeepEqual(await javaProcesses(directory), []);
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    // The guard removes the directory last.
    for (let waited = 0; existsSync(directory) && waited < 10_000; waited += 50) await wait(50);
    assert.equal(existsSync(directory), false);
    assert.deepEqual(await javaProcesses(directory), []);
  });
}

test('a broker that cannot start is reported with its log, without passwords, and leaves nothing', async (t) => {
  const own = await mkdtemp(join(tmpdir(), 'own-'));
  const { TMPDIR } = process.env;
  t.after(async () => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    await rm(own, { recursive: true });
  });
  // Clusters of other tests come and go in the usual place.
  process.env.TMPDIR = own;
  await assert.rejects(startKafka({ properties: { 'compression.type': 'nonsense' } }), (error: Error) => {
    assert.match(error.message, /broker 1 ended while starting[\s\S]*nonsense/);
    assert.doesNotMatch(error.message, /user_app="(?!\[redacted\])/);
    return true;
  });
  assert.deepEqual(await readdir(own), []);
});

describe('a missing tool is named in one sentence', () => {
  let empty: string;

  before(async () => {
    empty = await mkdtemp(join(tmpdir(), 'empty-'));
  });
  after(() => rm(empty, { recursive: true }));

  test('Java', async () => {
    assert.match(
      await failureOf({ PATH: empty }),
      /^Apache Kafka needs Java 17 or newer, and there is no java on the PATH: install .+KAFKA_BOOTSTRAP_SERVERS .+\.$/,
    );
  });

  test('Maven', async () => {
    const { java } = await kafkaDistribution();
    const found = process.env.PATH?.split(':').map((folder) => join(folder, 'java')) ?? [];
    await symlink(java === 'java' ? String(found.find(existsSync)) : java, join(empty, 'java'));
    assert.match(
      await failureOf({ PATH: empty, KAFKA_FUNCTIONS_CACHE: join(empty, 'cache') }),
      /^Fetching Apache Kafka needs Maven, and there is no mvn on the PATH: install .+KAFKA_BOOTSTRAP_SERVERS .+\.$/,
    );
  });

  async function failureOf(env: Record<string, string>): Promise<string> {
    const program = `
      const { startKafka } = await import(${JSON.stringify(CLUSTER)});
      await startKafka().catch((error) => console.log(error.message));`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
    return new Promise((resolve) => {
      execFile(process.execPath, args, { cwd: root, env }, (_error, stdout) => resolve(stdout.trim()));
    });
  }
});

function client(
  cluster: KafkaCluster,
  listener: Listener,
  user: KafkaUser,
  mechanism?: SaslMechanism,
): Kafka {
  const config: KafkaConfig = {
    brokers: cluster.bootstrapServers[listener].split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  };
  if (listener.endsWith('SSL')) config.ssl = { ca: cluster.caPem };
  if (mechanism) config.sasl = { mechanism: mechanism.toLowerCase(), ...user } as SASLOptions;
  return new Kafka(config);
}

async function firstValue(kafka: Kafka, topic: string): Promise<string | undefined> {
  // Finding a coordinator right after the first one asked for creates the offsets topic takes a few tries.
  const consumer = kafka.consumer({
    groupId: `${topic}-group`,
    maxWaitTimeInMs: 100,
    retry: { retries: 10 },
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const value = await new Promise<string | undefined>((resolve, reject) => {
    consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
    consumer.run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) }).catch(reject);
  });
  await consumer.disconnect();
  return value;
}

/** Command lines of the processes that work in `directory`. */
function javaProcesses(directory: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    execFile('ps', ['-eo', 'args'], { maxBuffer: 16 << 20 }, (error, stdout) => {
      if (error) return reject(error);
      resolve(stdout.split('\n').filter((line) => line.includes(directory) && /java .*-cp/.test(line)));
    });
  });
}
