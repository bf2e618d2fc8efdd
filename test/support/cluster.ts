import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import {
  type KafkaCluster,
  type KafkaOptions,
  type Listener,
  startKafka,
  type TopicOptions,
} from '../../local/kafka/cluster.ts';
import type { ConnectionConfig, PasswordLogin } from '../../src/kafka/connection/config.ts';
import { Secret } from '../../src/secret.ts';

/** A cluster of this test file's own, for its top level: it is stopped when all its tests are over. */
export async function kafkaForTests(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const cluster = await startKafka(options);
  after(() => cluster.stop());
  return cluster;
}

/** A topic nobody else uses; `beside` names topics of one partition that go with it, such as its `dead-letter`. */
export async function newTopic(
  cluster: KafkaCluster,
  { beside = [], ...options }: TopicOptions & { beside?: readonly string[] } = {},
  prefix = 'topic',
): Promise<string> {
  const name = `${prefix}-${randomBytes(6).toString('hex')}`;
  await cluster.createTopic(name, options);
  for (const end of beside) await cluster.createTopic(`${name}.${end}`, { partitions: 1 });
  return name;
}

export function connectionConfigFor(
  cluster: KafkaCluster,
  {
    listener = 'SASL_SSL',
    bootstrapServers = cluster.bootstrapServers[listener],
    user = cluster.users.app,
    mechanism = 'SCRAM-SHA-512',
  }: {
    listener?: Listener;
    bootstrapServers?: string;
    user?: { username: string; password: string };
    mechanism?: PasswordLogin['mechanism'];
  } = {},
): ConnectionConfig {
  return {
    bootstrapServers: bootstrapServers.split(',').map((server) => {
      const colon = server.lastIndexOf(':');
      return { host: server.slice(0, colon), port: Number(server.slice(colon + 1)) };
    }),
    securityProtocol: listener,
    sasl: listener.startsWith('SASL')
      ? { mechanism, username: user.username, password: new Secret(user.password) }
      : undefined,
    ssl: listener.endsWith('SSL') ? { ca: cluster.caPem, verifyHostname: undefined } : undefined,
    clientId: 'test',
    requestTimeout: undefined,
    connectionTimeout: undefined,
  };
}
