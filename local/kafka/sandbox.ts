import { withProgress } from '../console.ts';
import { type KafkaCluster, type KafkaOptions, startKafka } from './cluster.ts';
import { claim, readKept, writeKept } from './kept.ts';
import { areFree } from './ports.ts';
import { LISTENERS } from './server-properties.ts';

const FIXED_PORTS = { PLAINTEXT: 9092, SASL_SSL: 9093, SASL_PLAINTEXT: 9094, SSL: 9095 };
const SAMPLE_TOPICS: readonly SandboxTopic[] = [{ name: 'orders' }, { name: 'orders.dead-letter' }];

export interface SandboxTopic {
  name: string;
  /** Default 6. */
  partitions?: number | undefined;
}

export interface SandboxOptions {
  /** On 9092 to 9095, or on free ports if one of these is taken. */
  fixedPorts?: boolean;
  /** Default: those of the sample events. */
  topics?: readonly SandboxTopic[];
  /** Keeps the data; by default it is gone with the process. */
  directory?: string | undefined;
}

export interface SandboxKafka {
  cluster: KafkaCluster;
  environment: Record<string, string>;
  topics: readonly Required<SandboxTopic>[];
}

/** The Kafka of `npm start` and `npm run kafka`, with one broker. Rejects as `startKafka` does. */
export async function startSandboxKafka({
  fixedPorts = false,
  topics = SAMPLE_TOPICS,
  directory,
}: SandboxOptions = {}): Promise<SandboxKafka> {
  if (directory !== undefined) await claim(directory);
  const kept = directory === undefined ? undefined : await readKept(directory);
  const wanted = fixedPorts ? FIXED_PORTS : kept?.ports;
  const ports = wanted && (await areFree(Object.values(wanted))) ? wanted : 'random';
  if (fixedPorts && ports === 'random') {
    process.stderr.write('One of the ports 9092 to 9095 is taken, so Apache Kafka listens on free ones.\n');
  }
  const options: KafkaOptions = {
    ports,
    ...(kept?.users && { users: kept.users }),
    ...(directory !== undefined && { directory }),
  };
  const cluster = await withProgress('Starting Apache Kafka', () => startKafka(options));
  try {
    if (directory !== undefined) {
      await writeKept(directory, { users: cluster.users, ports: listenerPorts(cluster) });
    }
    const made: Required<SandboxTopic>[] = [];
    for (const topic of topics) made.push(await madeTopic(cluster, topic));
    return { cluster, environment: environmentOf(cluster), topics: made };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** A kept topic is not changed. */
async function madeTopic(
  cluster: KafkaCluster,
  { name, partitions }: SandboxTopic,
): Promise<Required<SandboxTopic>> {
  const known = await cluster.partitionsOf(name);
  if (known === 0) await cluster.createTopic(name, partitions === undefined ? {} : { partitions });
  else if (partitions !== undefined && partitions !== known) {
    process.stderr.write(`Topic ${name} was kept with ${known} partitions, and stays so.\n`);
  }
  return { name, partitions: known || (await cluster.partitionsOf(name)) };
}

function listenerPorts({ brokers }: KafkaCluster): Record<string, number> {
  const ports = brokers[0]?.ports ?? {};
  return Object.fromEntries(LISTENERS.map((name) => [name, ports[name] ?? 0]));
}

/** The variables that make our functions reach a cluster as user `app`. */
export function environmentOf({
  bootstrapServers,
  users: { app },
  caLocation,
}: KafkaCluster): Record<string, string> {
  return {
    KAFKA_BOOTSTRAP_SERVERS: bootstrapServers.SASL_SSL,
    KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
    KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
    KAFKA_SASL_USERNAME: app.username,
    KAFKA_SASL_PASSWORD: app.password,
    KAFKA_SSL_CA_LOCATION: caLocation,
  };
}
