import { withProgress } from '../console.ts';
import { type KafkaCluster, type KafkaOptions, startKafka } from './cluster.ts';
import { areFree } from './ports.ts';

const FIXED_PORTS = { PLAINTEXT: 9092, SASL_SSL: 9093, SASL_PLAINTEXT: 9094, SSL: 9095 };
const TOPICS = ['orders', 'orders.dead-letter'];

export interface SandboxKafka {
  cluster: KafkaCluster;
  /** The variables that make our functions reach it as user `app`. */
  environment: Record<string, string>;
  topics: readonly string[];
  /** False where the fixed ports were asked for and taken. */
  fixedPorts: boolean;
}

/**
 * The Kafka of `npm start` and `npm run kafka`: one broker with the topics of the sample events, 6 partitions
 * each. With `fixedPorts` on 9092 to 9095, or on free ones where one of these is taken. Rejects as `startKafka`.
 */
export async function startSandboxKafka({ fixedPorts = false } = {}): Promise<SandboxKafka> {
  const fixed = fixedPorts && (await areFree(Object.values(FIXED_PORTS)));
  if (fixedPorts && !fixed) {
    process.stderr.write('One of the ports 9092 to 9095 is taken, so Apache Kafka listens on free ones.\n');
  }
  const options: KafkaOptions = { ports: fixed ? FIXED_PORTS : 'random' };
  const cluster = await withProgress('Starting Apache Kafka', () => startKafka(options));
  try {
    for (const topic of TOPICS) await cluster.createTopic(topic);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return { cluster, environment: environmentOf(cluster), topics: TOPICS, fixedPorts: fixed };
}

function environmentOf({
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
