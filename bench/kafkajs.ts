import { readFileSync } from 'node:fs';
import { type Consumer, Kafka, logLevel, type SASLOptions } from 'kafkajs';

/** kafkajs alone over SASL_SSL, with the variables that our functions read. */
export function kafkajs(environment: NodeJS.ProcessEnv): Kafka {
  const { KAFKA_BOOTSTRAP_SERVERS = '', KAFKA_SASL_MECHANISM = 'SCRAM-SHA-512' } = environment;
  const {
    KAFKA_SASL_USERNAME: username = '',
    KAFKA_SASL_PASSWORD: password = '',
    KAFKA_SSL_CA_LOCATION: ca = '',
  } = environment;
  return new Kafka({
    brokers: KAFKA_BOOTSTRAP_SERVERS.split(','),
    ssl: { ca: readFileSync(ca, 'utf8') },
    sasl: { mechanism: KAFKA_SASL_MECHANISM.toLowerCase(), username, password } as SASLOptions,
    logLevel: logLevel.NOTHING,
    connectionTimeout: 10_000,
  });
}

/** Reads batches until there were `count` records, and drops them. */
export async function takeBatches(consumer: Consumer, count: number): Promise<void> {
  let taken = 0;
  await new Promise<void>((resolve, reject) => {
    const run = consumer.run({
      eachBatch: async ({ batch }) => {
        taken += batch.messages.length;
        if (taken >= count) resolve();
      },
    });
    run.catch(reject);
  });
}
