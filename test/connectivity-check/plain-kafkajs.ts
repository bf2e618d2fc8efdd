import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs';
import type { Variables } from '../support/check.ts';

const PATIENCE_MS = 1_500;

/** What plain kafkajs says with the same settings: the message of its first error, or `no error`. */
export async function plainKafkajsSays(variables: Variables): Promise<string> {
  const {
    KAFKA_BOOTSTRAP_SERVERS: servers = '',
    CHECK_TOPIC: topic,
    CHECK_ROUND_TRIP: roundTrip,
  } = variables;
  if (!servers) return 'no brokers to connect to';
  const kafka = new Kafka({ ...kafkajsConfig(variables), brokers: servers.split(',') });
  const admin = kafka.admin();
  const producer = kafka.producer();
  try {
    await admin.connect();
    await admin.fetchTopicMetadata(topic ? { topics: [topic] } : undefined);
    if (topic && roundTrip) {
      await producer.connect();
      await producer.send({ topic, messages: [{ value: 'v' }] });
    }
    return 'no error';
  } catch (error) {
    return describe(error);
  } finally {
    await Promise.allSettled([admin.disconnect(), producer.disconnect()]);
  }
}

function kafkajsConfig(variables: Variables): Omit<KafkaConfig, 'brokers'> {
  const protocol = variables.KAFKA_SECURITY_PROTOCOL ?? 'SASL_SSL';
  const config: Omit<KafkaConfig, 'brokers'> = {
    logLevel: logLevel.NOTHING,
    connectionTimeout: PATIENCE_MS,
    requestTimeout: PATIENCE_MS,
    authenticationTimeout: PATIENCE_MS,
    retry: { retries: 0 },
  };
  if (protocol.endsWith('SSL')) {
    const unnamed = variables.KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM === 'none';
    config.ssl = {
      ...(variables.KAFKA_SSL_CA_PEM && { ca: variables.KAFKA_SSL_CA_PEM }),
      ...(unnamed && { checkServerIdentity: () => undefined }),
    };
  }
  if (protocol.startsWith('SASL')) {
    config.sasl = {
      mechanism: (variables.KAFKA_SASL_MECHANISM ?? 'SCRAM-SHA-512').toLowerCase(),
      username: variables.KAFKA_SASL_USERNAME ?? '',
      password: variables.KAFKA_SASL_PASSWORD ?? '',
    } as SASLOptions;
  }
  return config;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && error.code !== undefined ? ` (${error.code})` : '';
  return `${error.message}${code}`;
}
