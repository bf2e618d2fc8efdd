import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { securityProtocols } from '../../src/kafka/connection/config.ts';
import { kafkajsConfig } from '../../src/kafka/kafkajs-config.ts';
import { failsWith } from '../support/errors.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

/** Those with tokens have tests of their own. */
const saslMechanisms = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'] as const;
const cluster = await sharedCluster();
const { username, password } = cluster.users.app;

/** kafkajs's own admin client, and its word of the cluster. */
async function brokersBy(variables: Record<string, string>): Promise<number> {
  const config = kafkajsConfig((name) => variables[name]);
  const admin = new Kafka({ ...config, logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length;
  } finally {
    await admin.disconnect();
  }
}

describe('kafkajs with the functions’ variables', () => {
  for (const protocol of securityProtocols) {
    for (const mechanism of protocol.startsWith('SASL') ? saslMechanisms : [undefined]) {
      test([protocol, mechanism].join(' '), async () => {
        const variables = {
          KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers[protocol],
          KAFKA_SECURITY_PROTOCOL: protocol,
          KAFKA_SSL_CA_LOCATION: cluster.caLocation,
          ...(mechanism && { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username }),
          ...(mechanism && { KAFKA_SASL_PASSWORD: password }),
        };
        assert.equal(await brokersBy(variables), cluster.brokers.length);
      });
    }
  }

  test('an authority that is not trusted is refused', async () => {
    const KAFKA_BOOTSTRAP_SERVERS = cluster.bootstrapServers.SSL;
    await assert.rejects(
      brokersBy({ KAFKA_BOOTSTRAP_SERVERS, KAFKA_SECURITY_PROTOCOL: 'SSL' }),
      /certificate/,
    );
  });

  test('what is wrong is said as the functions say it', () => {
    assert.throws(() => kafkajsConfig(() => undefined), failsWith('CONFIG_INVALID'));
  });

  test('time-outs are those of the variables', () => {
    const variables: Record<string, string> = {
      ...{ KAFKA_BOOTSTRAP_SERVERS: '[::1]:9092,b:9092', KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT' },
      ...{ KAFKA_REQUEST_TIMEOUT_MS: '1234', KAFKA_CONNECTION_TIMEOUT_MS: '567', KAFKA_CLIENT_ID: 'me' },
    };
    assert.deepEqual(
      kafkajsConfig((name) => variables[name]),
      {
        clientId: 'me',
        brokers: ['[::1]:9092', 'b:9092'],
        requestTimeout: 1_234,
        connectionTimeout: 567,
      },
    );
  });
});
