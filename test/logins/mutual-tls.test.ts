import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { describe, test } from 'node:test';
import { createCertificateAuthority } from '../../local/kafka/certificates.ts';
import { checkWith, type Variables, variablesFor } from '../support/check.ts';
import { kafkaForTests } from '../support/cluster.ts';
import { failsWith } from '../support/errors.ts';
import { recordingLog } from '../support/log.ts';
import {
  checkPasses,
  connectionWith,
  kafkajsWorks,
  mutualListener,
  publishAndPull,
  serversOf,
} from '../support/logins.ts';
import { newConnection } from '../support/producer.ts';

const DAY_MS = 86_400_000;

const cluster = await kafkaForTests({
  brokers: 1,
  extraListeners: [
    mutualListener(),
    mutualListener('SASL_SSL'),
    { ...mutualListener('SSL', { 'ssl.enabled.protocols': 'TLSv1.2' }), name: 'MUTUALOLD' },
  ],
});
const own = await cluster.ca.issue({ commonName: 'app', hosts: [] });
const PASSPHRASE = 'pass phrase of the key';
const encrypted = createPrivateKey(own.key)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE })
  .toString();

const certificate = ({ chain, key }: { chain: string; key: string }): Variables => ({
  KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN: chain,
  KAFKA_SSL_KEYSTORE_KEY: key,
});
const mutual = (listener: string, ...more: Variables[]): Variables =>
  Object.assign(
    {
      KAFKA_BOOTSTRAP_SERVERS: serversOf(cluster, listener),
      KAFKA_SECURITY_PROTOCOL: 'SSL',
      KAFKA_SSL_CA_PEM: cluster.caPem,
    },
    certificate(own),
    ...more,
  );

const intermediate = await (await cluster.ca.issueAuthority()).issue({ commonName: 'app', hosts: [] });

const ways: Record<string, Variables> = {
  'an intermediate authority, whose certificate is sent': mutual('MUTUAL', certificate(intermediate)),
  'SSL, TLS 1.3': mutual('MUTUAL'),
  'SSL, TLS 1.2': mutual('MUTUALOLD'),
  'SASL_SSL with a password beside it': {
    ...mutual('MUTUALSASL', variablesFor(cluster, 'SASL_SSL', { servers: serversOf(cluster, 'MUTUALSASL') })),
  },
  'an encrypted key, written in one line': mutual('MUTUAL', {
    KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN: own.chain.replaceAll('\n', '\\n'),
    KAFKA_SSL_KEYSTORE_KEY: encrypted.replaceAll('\n', '\\n'),
    KAFKA_SSL_KEY_PASSWORD: PASSPHRASE,
  }),
};

for (const [what, variables] of Object.entries(ways)) {
  describe(what, () => {
    test('publishing and pulling', () => publishAndPull(cluster, variables));
    test('the check', () => checkPasses(cluster, variables));
    test('kafkajs', () => kafkajsWorks(cluster, variables));
  });
}

describe('a certificate that the broker refuses', () => {
  const day = (n: number) => new Date(Date.now() + n * DAY_MS);
  const other = async () => (await createCertificateAuthority({ commonName: 'Other CA' })).issue(app);
  const app = { commonName: 'app', hosts: [] };
  const refused: [string, string, () => Promise<Variables>, RegExp][] = [
    [
      'none',
      'MTLS_REQUIRED',
      async () => ({ KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN: '', KAFKA_SSL_KEYSTORE_KEY: '' }),
      /Set KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN/,
    ],
    [
      'one of another authority',
      'MTLS_REFUSED',
      async () => certificate(await other()),
      /CN=Other CA.*trust its authority/,
    ],
    [
      'one of an intermediate authority, alone',
      'MTLS_REFUSED',
      async () => certificate({ ...intermediate, chain: intermediate.certificate }),
      /intermediate CA.*certificates of intermediate authorities belong into/,
    ],
    [
      'an expired one',
      'MTLS_REFUSED',
      async () => certificate(await cluster.ca.issue({ ...app, notBefore: day(-3), notAfter: day(-1) })),
      /which expired on .*Renew it/,
    ],
    [
      'one that is not valid yet',
      'MTLS_REFUSED',
      async () => certificate(await cluster.ca.issue({ ...app, notBefore: day(1), notAfter: day(3) })),
      /which is valid from .*Wait/,
    ],
  ];
  for (const listener of ['MUTUAL', 'MUTUALOLD']) {
    for (const [what, fault, variables, words] of refused) {
      test(`${what}, ${listener}: ${fault}`, async () => {
        const all = mutual(listener, await variables());
        const { verdict } = await checkWith(all);
        assert.equal(verdict?.fault, fault, JSON.stringify(verdict));
        assert.match(`${verdict.cause} ${verdict.remedy}`, words);
        const connection = newConnection(connectionWith(all), recordingLog());
        await assert.rejects(
          connection.open(Date.now() + 5_000),
          failsWith('AUTHENTICATION_FAILED', /certificate/),
        );
      });
    }
  }
});

test('a certificate that expires soon is told in time', async () => {
  const notAfter = new Date(Date.now() + 10 * DAY_MS);
  const soon = await cluster.ca.issue({ commonName: 'app', hosts: [], notAfter });
  const { verdict, warnings } = await checkWith(mutual('MUTUAL', certificate(soon)));
  assert.equal(verdict, null);
  assert.deepEqual(
    warnings.map(({ fault, target }) => [fault, target]),
    [['CERT_EXPIRES_SOON', 'KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN']],
  );
});
