import type { KafkaConfig, SASLOptions } from 'kafkajs';
import { processEnvironment } from '../settings.ts';
import { addressText, type Environment, readConfig } from '../variables.ts';
import { clientOptions } from './connection/client-options.ts';
import { connectionConfig, type SaslConfig } from './connection/config.ts';
import { tokenLoginOptions } from './kafkajs-token-login.ts';

/**
 * So long before a session ends kafkajs logs in again. Its default is 10 s: with a token that has less left, it would
 * log in for every request, and Kafka refuses that within a second.
 */
const LOG_IN_AGAIN_MS = 1_500;

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
    ...(sasl && { sasl: saslOptions(sasl) }),
    ...(sasl?.mechanism === 'OAUTHBEARER' && { reauthenticationThreshold: LOG_IN_AGAIN_MS }),
    ...(requestTimeout !== undefined && { requestTimeout }),
    ...(connectionTimeout !== undefined && { connectionTimeout }),
  };
}

function saslOptions(sasl: SaslConfig): NonNullable<KafkaConfig['sasl']> {
  if (sasl.mechanism === 'OAUTHBEARER') return tokenLoginOptions(sasl);
  return {
    mechanism: sasl.mechanism.toLowerCase(),
    username: sasl.username,
    password: sasl.password.reveal(),
  } as SASLOptions;
}
