import { describe, test } from 'node:test';
import {
  startAuthorizationServer,
  tokenJavaProperties,
  tokenListener,
} from '../support/authorization-server.ts';
import type { Variables } from '../support/check.ts';
import { kafkaForTests } from '../support/cluster.ts';
import { checkPasses, kafkajsWorks, publishAndPull, serversOf } from '../support/logins.ts';

const cluster = await kafkaForTests({
  brokers: 1,
  extraListeners: [tokenListener(), tokenListener('SASL_PLAINTEXT')],
  javaProperties: tokenJavaProperties,
});
const server = await startAuthorizationServer();
const variables: Variables = {
  KAFKA_BOOTSTRAP_SERVERS: serversOf(cluster, 'TOKENS'),
  KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
  KAFKA_SSL_CA_PEM: cluster.caPem,
  ...server.variables,
};

describe('with a token', () => {
  test('publishing and pulling', () => publishAndPull(cluster, variables));
  test('the check', () => checkPasses(cluster, variables));
  test('kafkajs', () => kafkajsWorks(cluster, variables));
});
