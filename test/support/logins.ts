import assert from 'node:assert/strict';
import { Kafka, logLevel } from 'kafkajs';
import { exitCode } from '../../functions/connectivity-check/formats/exit-code.ts';
import { textReport } from '../../functions/connectivity-check/formats/text.ts';
import { createPublish } from '../../functions/produce/publish.ts';
import type { ExtraListener, KafkaCluster } from '../../local/kafka/cluster.ts';
import { type ConnectionConfig, connectionConfig } from '../../src/kafka/connection/config.ts';
import { kafkajsConfig } from '../../src/kafka/kafkajs-config.ts';
import { readConfig } from '../../src/variables.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import { checkWith, type Variables } from './check.ts';
import { newTopic } from './cluster.ts';
import { newConsumer } from './consumer.ts';
import { recordingLog } from './log.ts';
import { acknowledged, post, produceDefaults } from './produce.ts';
import { newProducer } from './producer.ts';
import { readTopic } from './records.ts';

const RECORDS = 20;

/** A listener that asks for a client certificate of the cluster's own authority. `CN=app` is the user `app`. */
export function mutualListener(protocol: 'SSL' | 'SASL_SSL' = 'SSL', more: Record<string, string> = {}) {
  return {
    name: protocol === 'SSL' ? 'MUTUAL' : 'MUTUALSASL',
    protocol,
    properties: {
      'ssl.client.auth': 'required',
      'ssl.principal.mapping.rules': 'RULE:^CN=([^,]+).*$/$1/,DEFAULT',
      ...more,
    },
  } satisfies ExtraListener;
}

/** The addresses of a further listener. */
export function serversOf({ brokers }: KafkaCluster, listener: string): string {
  return brokers.map(({ ports }) => `127.0.0.1:${ports[listener]}`).join(',');
}

/** Of a login by token at the listener TOKENS. */
export function tokenVariables(cluster: KafkaCluster, server: AuthorizationServer): Variables {
  return {
    KAFKA_BOOTSTRAP_SERVERS: serversOf(cluster, 'TOKENS'),
    KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
    KAFKA_SSL_CA_PEM: cluster.caPem,
    ...server.variables,
  };
}

export function connectionWith(variables: Variables): ConnectionConfig {
  return readConfig((name) => variables[name], connectionConfig);
}

/** Publishes and pulls, to a handler and into another topic, with no word of warning. */
export async function publishAndPull(cluster: KafkaCluster, variables: Variables): Promise<void> {
  const connection = connectionWith(variables);
  const topic = await newTopic(cluster, { partitions: 3, beside: ['out', 'dead-letter'] });
  const log = recordingLog();
  const { producer } = newProducer(connection, { idempotence: 'required' }, log);
  const ask = createPublish({ producer, config: produceDefaults, log });
  const records = Array.from({ length: RECORDS }, (_, n) => ({ key: `${n}`, value: { n } }));
  assert.equal(acknowledged(await ask(post(topic, { records }), Date.now() + 10_000)).length, RECORDS);
  const { pull, handled } = newConsumer(cluster, topic, { connection, log });
  assert.equal((await pull()).processed, RECORDS);
  assert.equal(handled.length, RECORDS);
  const sink = { name: 'topic', topic: '{topic}.out' } as const;
  const into = newConsumer(cluster, { groupId: `${topic}-into`, topics: [topic] }, { connection, log, sink });
  assert.equal((await into.pull()).processed, RECORDS);
  assert.equal((await readTopic(cluster, `${topic}.out`)).length, RECORDS);
  const loud = log.lines.filter(({ level }) => level === 'warn' || level === 'error');
  assert.deepEqual(loud, []);
}

/** The check finds nothing wrong. */
export async function checkPasses(cluster: KafkaCluster, variables: Variables): Promise<void> {
  const topic = await newTopic(cluster, { partitions: 3 });
  const more = { CHECK_TOPIC: topic, CHECK_GROUP_ID: 'a-group', CHECK_ROUND_TRIP: 'true' };
  const report = await checkWith({ ...variables, ...more }, 10_000);
  assert.deepEqual([exitCode(report), report.warnings], [0, []], textReport(report));
}

/** kafkajs's own admin client, producer and consumer. */
export async function kafkajsWorks(cluster: KafkaCluster, variables: Variables): Promise<void> {
  const topic = await newTopic(cluster, { partitions: 1 });
  const kafka = new Kafka({ ...kafkajsConfig((name) => variables[name]), logLevel: logLevel.NOTHING });
  const [admin, producer] = [kafka.admin(), kafka.producer()];
  const consumer = kafka.consumer({ groupId: `${topic}-group` });
  try {
    for (const client of [admin, producer, consumer]) await client.connect();
    assert.equal((await admin.describeCluster()).brokers.length, cluster.brokers.length);
    await producer.send({ topic, messages: [{ value: 'one' }] });
    await consumer.subscribe({ topic, fromBeginning: true });
    const value = await new Promise((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
      void consumer.run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) });
    });
    assert.equal(value, 'one');
  } finally {
    for (const client of [consumer, producer, admin]) await client.disconnect();
  }
}
