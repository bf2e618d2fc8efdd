import type { KafkaConfig, SASLOptions } from 'kafkajs';
import { processEnvironment } from '../settings.ts';
import { addressText, type Environment, readConfig } from '../variables.ts';
import { clientOptions } from './connection/client-options.ts';
import { connectionConfig } from './connection/config.ts';

/**
 * The options for kafkajs's `new Kafka(…)`, from the same variables and certificates as the functions: for its admin
 * client, its consumers and its plug-ins. Throws CONFIG_INVALID.
 */
export function kafkajsConfig(environment: Environment = processEnvironment): KafkaConfig {
  const options = clientOptions(readConfig(environment, connectionConfig));
  const { clientId, bootstrapServers, tls, sasl, requestTimeout, connectionTimeout } = options;
  return {
    clientId,
    brokers: bootstrapServers.map(addressText),
    ...(tls && { ssl: tls }),
    ...(sasl && {
      sasl: {
        mechanism: sasl.mechanism.toLowerCase(),
        username: sasl.username,
        password: sasl.password.reveal(),
      } as SASLOptions,
    }),
    ...(requestTimeout !== undefined && { requestTimeout }),
    ...(connectionTimeout !== undefined && { connectionTimeout }),
  };
}
