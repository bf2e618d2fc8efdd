import { describe, test } from 'node:test';
import type { KafkaCluster, KafkaOptions } from '../../local/kafka/cluster.ts';
import type { OldVersion } from '../../local/kafka/releases.ts';
import {
  startAuthorizationServer,
  tokenListener,
  unsecuredTokenListener,
} from '../support/authorization-server.ts';
import type { Variables } from '../support/check.ts';
import { checkPasses, kafkajsWorks, mutualListener, publishAndPull, serversOf } from '../support/logins.ts';

/** Brokers verify the signatures of tokens from 3.1 on (KIP-768). */
const verifies = (release: OldVersion) => release.startsWith('3.');

/** What `everyLogin` needs of an old broker. */
export function withLogins(release: OldVersion): Pick<KafkaOptions, 'release' | 'extraListeners'> {
  const tokens = verifies(release) ? tokenListener() : unsecuredTokenListener();
  return { release, extraListeners: [mutualListener(), tokens] };
}

/** The logins without a password of Kafka's. */
export async function everyLogin(cluster: KafkaCluster, release: OldVersion): Promise<void> {
  const server = await startAuthorizationServer({ unsecured: !verifies(release) });
  server.lifetimeS = 8;
  const { chain, key } = await cluster.ca.issue({ commonName: 'app', hosts: [] });
  const logins: Record<string, Variables> = {
    'a client certificate': {
      KAFKA_BOOTSTRAP_SERVERS: serversOf(cluster, 'MUTUAL'),
      KAFKA_SECURITY_PROTOCOL: 'SSL',
      KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN: chain,
      KAFKA_SSL_KEYSTORE_KEY: key,
    },
    'a token': {
      KAFKA_BOOTSTRAP_SERVERS: serversOf(cluster, 'TOKENS'),
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      ...server.variables,
    },
  };
  for (const [what, login] of Object.entries(logins)) {
    const variables = { KAFKA_SSL_CA_PEM: cluster.caPem, ...login };
    describe(`with ${what}`, () => {
      test('publishing and pulling', () => publishAndPull(cluster, variables));
      test('the check', () => checkPasses(cluster, variables));
      test('kafkajs', () => kafkajsWorks(cluster, variables));
    });
  }
}
