import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { before, describe, type TestContext, test } from 'node:test';
import type { TlsOptions } from 'node:tls';
import {
  type FaultId,
  faultIds,
  stageOf,
  type WarningId,
  warningIds,
} from '../../functions/connectivity-check/faults.ts';
import { ownAddresses } from '../../functions/connectivity-check/probes/addresses.ts';
import type { Report } from '../../functions/connectivity-check/report.ts';
import { createCertificateAuthority, createSelfSignedCertificate } from '../../local/kafka/certificates.ts';
import { array, call, int8, int16, int32, string } from '../../local/kafka/wire.ts';
import { checkWith, stageAt, type Variables, variablesFor } from '../support/check.ts';
import type { FaultProxy } from '../support/faults/proxy.ts';
import { startFaultProxy } from '../support/faults/proxy.ts';
import {
  startBannerServer,
  startFullListener,
  startHttpServer,
  startSmtpServer,
  startSshServer,
  startTlsServer,
  unusedPort,
} from '../support/faults/servers.ts';
import { METADATA, oneBroker, SASL_HANDSHAKE, startSketchBroker } from '../support/faults/sketch-broker.ts';
import { publish } from '../support/records.ts';
import { type FaultyCluster, startFaultyCluster } from './faulty-cluster.ts';
import { namespaceRows } from './namespace-rows.ts';
import { AUTHORITY, type OddCertificate, oddCertificate, SERVER } from './odd-certificates.ts';
import { record } from './outcomes.ts';

/** Where the faulty thing is reached: rows are made once the cluster is there. */
interface Row {
  fault: FaultId | WarningId;
  /** Faults that can't be had apart from it. */
  beside?: FaultId[];
  what: string;
  prepare(t: TestContext): Promise<Variables> | Variables;
  budgetMs?: number;
  verify?(report: Report): void;
  skip?: string | false;
}

const faulty: FaultyCluster = await startFaultyCluster();

/** Ids that a row of this file or of in-namespace.ts reproduces. */
const reproduced = new Set<string>(namespaceRows.map((name) => name.split(':')[0] ?? ''));
// Beside the rows there, with a test of its own.
reproduced.add('DNS_PRIVATE');

const SLOW_MS = 1_500;
const topicName = () => `topic-${randomBytes(6).toString('hex')}`;
const at = (port: number, host = '127.0.0.1') => `${host}:${port}`;
const plain = (servers: string): Variables => ({
  KAFKA_BOOTSTRAP_SERVERS: servers,
  KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT',
});
const tls = (servers: string, ca?: string): Variables => ({
  KAFKA_BOOTSTRAP_SERVERS: servers,
  KAFKA_SECURITY_PROTOCOL: 'SSL',
  ...(ca && { KAFKA_SSL_CA_PEM: ca }),
});

/** A server of the test's own, closed after it. */
async function serve(
  t: TestContext,
  starting: Promise<{ port: number; close(): Promise<void> }>,
): Promise<string> {
  const server = await starting;
  t.after(() => server.close());
  return at(server.port);
}

async function proxied(t: TestContext, listener = 'PLAINTEXT'): Promise<FaultProxy> {
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: faulty.port(listener) } });
  t.after(() => proxy.close());
  return proxy;
}

async function topicFor(
  options: Parameters<FaultyCluster['cluster']['createTopic']>[1] = {},
  prefix = '',
): Promise<string> {
  const name = `${prefix}${topicName()}`;
  await faulty.cluster.createTopic(name, options);
  return name;
}

function restricted(): Variables {
  const { cluster } = faulty;
  return variablesFor(cluster, 'SASL_SSL', { user: cluster.users.restricted });
}

/** A group of its own before three records that it has not seen. */
async function notBegun(variables: Variables): Promise<Variables> {
  const topic = await topicFor({ partitions: 1 });
  const records = ['a', 'b', 'c'].map((value) => ({ value: Buffer.from(value) }));
  await publish(faulty.cluster, topic, records);
  const group = { CHECK_TOPIC: topic, CHECK_GROUP_ID: `${topic}-group` };
  return { ...variablesFor(faulty.cluster, 'SASL_SSL'), ...group, ...variables };
}

const root = oddCertificate({ name: 'root', extensions: AUTHORITY });

function leafBy(issuer: OddCertificate, wish: Partial<Parameters<typeof oddCertificate>[0]> = {}) {
  return oddCertificate({ name: 'leaf', issuer, extensions: SERVER, ...wish });
}

/** A server that sends these, the first its own. */
async function showing(t: TestContext, chain: readonly OddCertificate[], trusted = root): Promise<Variables> {
  const [own] = chain;
  const cert = chain.map(({ certificate }) => certificate).join('');
  // The server's own OpenSSL has to serve what the client's refuses.
  const options: TlsOptions = { cert, ciphers: 'DEFAULT@SECLEVEL=0', ...(own && { key: own.key }) };
  return tls(await serve(t, startTlsServer(options)), trusted.certificate);
}

const rows: Row[] = [
  {
    fault: 'CONFIG_INVALID',
    what: 'no bootstrap servers',
    prepare: () => ({ KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT' }),
    verify: ({ verdict, targets }) => {
      assert.match(verdict?.cause ?? '', /KAFKA_BOOTSTRAP_SERVERS is required/);
      assert.deepEqual(targets, []);
    },
  },
  { fault: 'TCP_REFUSED', what: 'a closed port', prepare: async () => plain(at(await unusedPort())) },
  {
    fault: 'TCP_TIMEOUT',
    what: 'a full accept queue, which drops SYN as a firewall does',
    skip: process.platform !== 'linux' && 'Linux only',
    prepare: async (t) => plain(await serve(t, startFullListener())),
    budgetMs: SLOW_MS,
  },
  {
    fault: 'TCP_RESET',
    what: 'a load balancer without a backend',
    prepare: async (t) => {
      const proxy = await proxied(t);
      proxy.resetOnAccept();
      return plain(at(proxy.port));
    },
  },
  {
    fault: 'TCP_RESET',
    what: 'the same, with TLS wanted',
    prepare: async (t) => {
      const proxy = await proxied(t);
      proxy.resetOnAccept();
      return tls(at(proxy.port), faulty.cluster.caPem);
    },
  },
  {
    fault: 'TCP_ACCEPT_CLOSE',
    what: 'accepted, then FIN',
    prepare: async (t) => {
      const proxy = await proxied(t);
      proxy.closeOnAccept();
      return plain(at(proxy.port));
    },
  },
  {
    fault: 'TCP_ACCEPT_CLOSE',
    what: 'the same, with TLS wanted',
    prepare: async (t) => {
      const proxy = await proxied(t);
      proxy.closeOnAccept();
      return tls(at(proxy.port), faulty.cluster.caPem);
    },
  },
  {
    fault: 'TCP_SILENT',
    what: 'accepted, then not one byte',
    prepare: async (t) => {
      const proxy = await proxied(t);
      proxy.silent();
      return plain(at(proxy.port));
    },
    budgetMs: SLOW_MS,
  },
  {
    fault: 'TCP_SILENT',
    what: 'the same, with TLS wanted',
    prepare: async (t) => {
      const proxy = await proxied(t);
      proxy.silent();
      return tls(at(proxy.port), faulty.cluster.caPem);
    },
    budgetMs: SLOW_MS,
  },
  {
    fault: 'ADDRESS_NOT_ALLOWED',
    what: 'a bootstrap address outside the allowed networks',
    prepare: () => ({
      ...plain(at(faulty.port('PLAINTEXT'))),
      CHECK_ALLOWED_ADDRESSES: '10.0.0.0/8,fd00::/8',
    }),
  },
  {
    fault: 'MTU_BLACKHOLE',
    what: 'frames above 1,400 bytes get lost on the way to the broker',
    prepare: async (t) => {
      const proxy = await proxied(t);
      proxy.onRequest(({ payload }) => (payload.length > 1_400 ? 'swallow' : 'forward'));
      return plain(at(proxy.port));
    },
    budgetMs: SLOW_MS,
  },
  {
    fault: 'PLAIN_TO_TLS',
    what: 'PLAINTEXT to a listener with SSL',
    prepare: () => plain(at(faulty.port('SSL'))),
  },
  {
    fault: 'PLAIN_TO_TLS',
    what: 'SASL_PLAINTEXT to a listener with SASL_SSL',
    prepare: () => variablesFor(faulty.cluster, 'SASL_PLAINTEXT', { servers: at(faulty.port('SASL_SSL')) }),
  },
  {
    fault: 'TLS_TO_PLAIN',
    what: 'SSL to a listener with PLAINTEXT',
    prepare: () => tls(at(faulty.port('PLAINTEXT')), faulty.cluster.caPem),
  },
  {
    fault: 'TLS_TO_PLAIN',
    what: 'SASL_SSL to a listener with SASL_PLAINTEXT',
    prepare: () => variablesFor(faulty.cluster, 'SASL_SSL', { servers: at(faulty.port('SASL_PLAINTEXT')) }),
    verify: ({ verdict }) => assert.match(verdict?.remedy ?? '', /SASL_PLAINTEXT/),
  },
  {
    fault: 'NOT_TLS',
    what: 'TLS to an HTTP server',
    prepare: async (t) => tls(await serve(t, startHttpServer())),
  },
  {
    fault: 'TLS_VERSION',
    what: 'a server that stops at TLS 1.1',
    prepare: async (t) => {
      const { chain, key } = await faulty.ca.issue({ commonName: 'old', hosts: ['127.0.0.1'] });
      const old: TlsOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
      return tls(await serve(t, startTlsServer({ ...old, cert: chain, key })), faulty.ca.certificate);
    },
    verify: ({ verdict }) => assert.match(verdict?.cause ?? '', /TLSv1\.1/),
  },
  {
    fault: 'CA_UNTRUSTED',
    what: 'another authority of the same name',
    prepare: async () => tls(at(faulty.port('SSL')), (await createCertificateAuthority()).certificate),
  },
  {
    fault: 'CA_UNTRUSTED',
    what: 'another authority of another name',
    prepare: async () =>
      tls(at(faulty.port('SSL')), (await createCertificateAuthority({ commonName: 'Other CA' })).certificate),
  },
  { fault: 'CA_UNTRUSTED', what: 'no authority given', prepare: () => tls(at(faulty.port('SSL'))) },
  {
    fault: 'CHAIN_INCOMPLETE',
    what: 'the intermediate certificate is not sent',
    prepare: async (t) => {
      const intermediate = await faulty.ca.issueAuthority();
      const { certificate, key } = await intermediate.issue({ commonName: 'leaf', hosts: ['127.0.0.1'] });
      return tls(await serve(t, startTlsServer({ cert: certificate, key })), faulty.ca.certificate);
    },
  },
  {
    fault: 'SELF_SIGNED',
    what: 'a certificate that signed itself',
    prepare: async (t) => {
      const { certificate, key } = await createSelfSignedCertificate({
        commonName: 'self',
        hosts: ['127.0.0.1'],
      });
      return tls(await serve(t, startTlsServer({ cert: certificate, key })), faulty.ca.certificate);
    },
  },
  {
    fault: 'HOST_MISMATCH',
    what: "DMS's kind of certificate, with https",
    prepare: () => ({
      ...variablesFor(faulty.cluster, 'SASL_SSL', { servers: at(faulty.port('NAMELESS')) }),
      KAFKA_SSL_CA_PEM: faulty.ca.certificate,
      KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: 'https',
    }),
    verify: ({ tls: seen }) => assert.equal(seen?.hostnameMatches, false),
  },
  {
    fault: 'CERT_EXPIRED',
    what: 'a broker with an expired certificate',
    prepare: () => tls(at(faulty.port('EXPIRED')), faulty.ca.certificate),
  },
  {
    fault: 'CERT_NOT_YET_VALID',
    what: 'a broker with a certificate of the day after tomorrow',
    prepare: () => tls(at(faulty.port('FUTURE')), faulty.ca.certificate),
  },
  {
    fault: 'CERT_PURPOSE',
    what: "a client's certificate",
    prepare: (t) => showing(t, [leafBy(root, { extensions: `${SERVER}\nextendedKeyUsage=clientAuth` })]),
    verify: ({ verdict }) => assert.match(verdict?.cause ?? '', /extended key usage is clientAuth/),
  },
  {
    fault: 'CERT_PURPOSE',
    what: 'an issuer that is no authority',
    prepare: (t) => {
      const issuer = oddCertificate({ name: 'no CA', issuer: root, extensions: 'basicConstraints=CA:FALSE' });
      return showing(t, [leafBy(issuer), issuer]);
    },
    verify: ({ verdict }) => assert.match(verdict?.cause ?? '', /CN=no CA issued a certificate, and is not/),
  },
  {
    fault: 'CERT_WEAK',
    what: 'a signature with SHA-1',
    prepare: (t) => showing(t, [leafBy(root, { digest: 'sha1' })]),
    verify: ({ verdict }) => assert.match(verdict?.cause ?? '', /CN=leaf is signed with SHA-1/),
  },
  {
    fault: 'CERT_WEAK',
    what: 'a key of 768 bits',
    prepare: (t) => showing(t, [leafBy(root, { key: 'rsa:768' })]),
    verify: ({ verdict }) => assert.match(verdict?.cause ?? '', /CN=leaf has a key of 768 bits/),
  },
  {
    fault: 'ROOT_MISSING',
    what: 'an intermediate alone is trusted',
    prepare: (t) => {
      const intermediate = oddCertificate({ name: 'intermediate', issuer: root, extensions: AUTHORITY });
      return showing(t, [leafBy(intermediate), intermediate], intermediate);
    },
    verify: ({ verdict }) =>
      assert.match(verdict?.cause ?? '', /CN=intermediate is trusted, its own issuer, CN=root, is not/),
  },
  {
    fault: 'CA_UNTRUSTED',
    what: 'an authority that was made anew with the same name, and is sent',
    prepare: (t) => {
      const other = oddCertificate({ name: 'root', extensions: AUTHORITY });
      return showing(t, [leafBy(other), other]);
    },
    verify: ({ verdict }) =>
      assert.match(verdict?.cause ?? '', /by CN=root with SHA-256 ..:.*here \(SHA-256 ..:.*the same name/),
  },
  {
    fault: 'CA_UNTRUSTED',
    what: 'an authority that was made anew with the same name, and is not sent',
    prepare: (t) => showing(t, [leafBy(oddCertificate({ name: 'root', extensions: AUTHORITY }))]),
    verify: ({ verdict }) =>
      assert.match(verdict?.cause ?? '', /the name CN=root and another key than the one/),
  },
  {
    fault: 'MTLS_REQUIRED',
    what: 'a broker that wants a client certificate, TLS 1.3',
    prepare: () => tls(at(faulty.port('MUTUAL')), faulty.cluster.caPem),
  },
  {
    fault: 'MTLS_REQUIRED',
    what: 'the same, TLS 1.2',
    prepare: () => tls(at(faulty.port('MUTUALOLD')), faulty.cluster.caPem),
  },
  {
    fault: 'MTLS_REFUSED',
    what: 'a client certificate of another authority',
    prepare: async () => {
      const { chain, key } = await faulty.ca.issue({ commonName: 'app', hosts: [] });
      const own = { KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN: chain, KAFKA_SSL_KEYSTORE_KEY: key };
      return { ...tls(at(faulty.port('MUTUAL')), faulty.cluster.caPem), ...own };
    },
    verify: ({ verdict }) => assert.match(verdict?.cause ?? '', /CN=app, issued by CN=Listener CA/),
  },
  {
    fault: 'NOT_KAFKA_HTTP',
    what: 'an HTTP server',
    prepare: async (t) => plain(await serve(t, startHttpServer())),
  },
  {
    fault: 'NOT_KAFKA_SSH',
    what: 'an SSH server',
    prepare: async (t) => plain(await serve(t, startSshServer())),
  },
  {
    fault: 'NOT_KAFKA_SSH',
    what: 'an SSH server, with TLS wanted',
    prepare: async (t) => tls(await serve(t, startSshServer())),
  },
  {
    fault: 'NOT_KAFKA_SMTP',
    what: 'a mail server',
    prepare: async (t) => plain(await serve(t, startSmtpServer())),
  },
  {
    fault: 'NOT_KAFKA',
    what: 'a server that says something else',
    prepare: async (t) => plain(await serve(t, startBannerServer('RFB 003.008\n'))),
  },
  {
    fault: 'NOT_KAFKA',
    what: 'a TLS server that is none of Kafka',
    prepare: async (t) => {
      const { chain, key } = await faulty.ca.issue({ commonName: 'mute', hosts: ['127.0.0.1'] });
      return tls(await serve(t, startTlsServer({ cert: chain, key })), faulty.ca.certificate);
    },
    budgetMs: SLOW_MS,
  },
  {
    fault: 'KRAFT_CONTROLLER',
    what: "the controller's port",
    prepare: () => plain(at(faulty.port('CONTROLLER'))),
  },
  {
    fault: 'SASL_MISSING',
    what: 'PLAINTEXT to a listener with SASL_PLAINTEXT',
    prepare: () => plain(at(faulty.port('SASL_PLAINTEXT'))),
    verify: ({ verdict }) => assert.match(verdict?.cause ?? '', /SCRAM-SHA-512/),
  },
  {
    fault: 'SASL_MISSING',
    what: 'SSL to a listener with SASL_SSL',
    prepare: () => tls(at(faulty.port('SASL_SSL')), faulty.cluster.caPem),
  },
  {
    fault: 'SASL_NOT_ENABLED',
    what: 'SASL_PLAINTEXT to a listener with PLAINTEXT',
    prepare: () => variablesFor(faulty.cluster, 'SASL_PLAINTEXT', { servers: at(faulty.port('PLAINTEXT')) }),
  },
  {
    fault: 'SASL_NOT_ENABLED',
    what: 'SASL_SSL to a listener with SSL',
    prepare: () => variablesFor(faulty.cluster, 'SASL_SSL', { servers: at(faulty.port('SSL')) }),
  },
  {
    fault: 'SASL_MECHANISM',
    what: 'PLAIN where only SCRAM-SHA-512 is on',
    prepare: () => ({
      ...variablesFor(faulty.cluster, 'SASL_PLAINTEXT', { servers: at(faulty.port('SCRAMONLY')) }),
      KAFKA_SASL_MECHANISM: 'PLAIN',
    }),
    verify: ({ verdict }) => assert.match(verdict?.cause ?? '', /it offers SCRAM-SHA-512/),
  },
  ...(['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'] as const).map(
    (mechanism): Row => ({
      fault: 'SASL_BAD_CREDENTIALS',
      what: `a wrong password, ${mechanism}`,
      prepare: () => ({
        ...variablesFor(faulty.cluster, 'SASL_SSL'),
        KAFKA_SASL_PASSWORD: 'not-the-password',
        KAFKA_SASL_MECHANISM: mechanism,
      }),
    }),
  ),
  {
    fault: 'SASL_BAD_CREDENTIALS',
    what: 'a user that does not exist',
    prepare: () => ({ ...variablesFor(faulty.cluster, 'SASL_SSL'), KAFKA_SASL_USERNAME: 'who' }),
  },
  {
    fault: 'ADVERTISED_HOST_MISMATCH',
    what: 'the certificate names the bootstrap address only',
    prepare: () => ({
      ...variablesFor(faulty.cluster, 'SASL_SSL', { servers: at(faulty.port('NAMELESS'), 'localhost') }),
      KAFKA_SSL_CA_PEM: faulty.ca.certificate,
    }),
    verify: ({ verdict }) => assert.match(verdict?.cause ?? '', /3 of 3 brokers fail/),
  },
  {
    fault: 'TOPIC_MISSING',
    what: 'a topic that is not there',
    prepare: () => ({ ...variablesFor(faulty.cluster, 'SASL_SSL'), CHECK_TOPIC: topicName() }),
  },
  {
    fault: 'TOPIC_INVALID',
    what: 'a name that no topic can have',
    prepare: () => ({ ...variablesFor(faulty.cluster, 'SASL_SSL'), CHECK_TOPIC: 'no topic!' }),
  },
  {
    fault: 'ACL_TOPIC_DESCRIBE',
    what: 'a topic that the user may not see',
    prepare: async () => ({ ...restricted(), CHECK_TOPIC: await topicFor() }),
    verify: ({ verdict }) => assert.match(verdict?.cause ?? '', /hides which/),
  },
  {
    fault: 'ACL_TOPIC_DESCRIBE',
    what: 'a topic that is not there, for a user who may see none',
    prepare: () => ({ ...restricted(), CHECK_TOPIC: topicName() }),
  },
  {
    fault: 'ACL_TOPIC_WRITE',
    what: 'a user who may only describe the topic',
    prepare: async () => ({ ...restricted(), CHECK_TOPIC: await topicFor({}, 'restricted-readonly-') }),
  },
  {
    fault: 'ACL_TOPIC_READ',
    what: 'a user who may describe and write',
    prepare: async () => ({ ...restricted(), CHECK_TOPIC: await topicFor({}, 'restricted-allowed-') }),
  },
  {
    fault: 'ACL_GROUP',
    what: 'a group that the user may not see',
    prepare: () => ({ ...restricted(), CHECK_GROUP_ID: 'somebody-elses' }),
  },
  {
    fault: 'ACL_CLUSTER',
    what: 'idempotence demanded by a user without any right',
    prepare: () => ({
      ...variablesFor(faulty.cluster, 'SASL_SSL', { user: faulty.nobody }),
      KAFKA_ENABLE_IDEMPOTENCE: 'true',
    }),
  },
  {
    fault: 'MESSAGE_TOO_LARGE',
    what: 'a topic that takes no record of any use',
    prepare: async () => ({
      ...variablesFor(faulty.cluster, 'SASL_SSL'),
      CHECK_TOPIC: await topicFor({ config: { 'max.message.bytes': '64' } }),
      CHECK_ROUND_TRIP: 'true',
    }),
  },
  {
    fault: 'CERT_EXPIRES_SOON',
    what: 'ten days left',
    prepare: () => tls(at(faulty.port('EXPIRING')), faulty.ca.certificate),
  },
  {
    fault: 'GROUP_NOT_BEGUN',
    what: 'a group that has never committed, with earliest',
    prepare: () => notBegun({}),
    verify: ({ group, warnings: [warning] }) => {
      assert.equal(group?.lag, 3);
      assert.deepEqual(
        group.partitions.map(({ committed, end, lag }) => [committed, end, lag]),
        [[null, 3, 3]],
      );
      assert.match(warning?.cause ?? '', /would begin with the 3 records that are there/);
    },
  },
  {
    fault: 'GROUP_NOT_BEGUN',
    what: 'a group that has never committed, with latest',
    prepare: () => notBegun({ KAFKA_AUTO_OFFSET_RESET: 'latest' }),
    verify: ({ group, warnings: [warning] }) => {
      assert.equal(group?.lag, 0);
      assert.match(warning?.cause ?? '', /would begin at the end/);
    },
  },
  {
    fault: 'BOOTSTRAP_PARTIAL',
    what: 'one bootstrap address of two is dead',
    prepare: async () =>
      variablesFor(faulty.cluster, 'SASL_SSL', {
        servers: `${at(await unusedPort())},${at(faulty.port('SASL_SSL'))}`,
      }),
  },
  {
    fault: 'DEAD_LETTER_TOPIC_MISSING',
    what: 'a topic is consumed and has none',
    prepare: async () => {
      const topic = await topicFor();
      return { ...variablesFor(faulty.cluster, 'SASL_SSL'), CONSUME_TOPICS: topic, CHECK_TOPIC: topic };
    },
  },
  {
    fault: 'THROTTLED',
    what: 'a quota of one byte a second',
    prepare: async () => {
      await limitClient('throttled-client', 1);
      return {
        ...variablesFor(faulty.cluster, 'SASL_SSL'),
        KAFKA_CLIENT_ID: 'throttled-client',
        CHECK_TOPIC: await topicFor(),
        CHECK_ROUND_TRIP: 'true',
      };
    },
  },
  {
    fault: 'PORT_UNUSUAL',
    what: 'a port that DMS does not have',
    skip: ownAddresses().length === 0 && 'this machine has no address but the loopback one',
    prepare: async (t) => plain(await relay(t, ownAddresses()[0] ?? '', faulty.port('PLAINTEXT'))),
  },
  {
    fault: 'PASSWORD_IN_PLAIN',
    what: 'PLAIN without TLS',
    prepare: async () => ({
      ...variablesFor(faulty.cluster, 'SASL_PLAINTEXT'),
      KAFKA_SASL_MECHANISM: 'PLAIN',
    }),
    verify: (report) => {
      const [{ cause = '', remedy = '' } = {}] = report.warnings;
      assert.match(`${cause} ${remedy}`, /without TLS .*SASL_SSL.*SCRAM-SHA-512/);
    },
  },
];

test('a certificate that the server sent beside the verified path is not judged', async (t) => {
  const other = oddCertificate({ name: 'old', extensions: AUTHORITY });
  const cross = oddCertificate({ name: 'root', issuer: other, key: root, extensions: AUTHORITY, days: 2 });
  const report = await checkWith(await showing(t, [leafBy(root), cross]));
  assert.deepEqual(
    report.tls?.chain.map(({ subject, issuer }) => [subject, issuer]),
    [
      ['CN=leaf', 'CN=root'],
      ['CN=root', 'CN=root'],
    ],
  );
  assert.deepEqual(
    report.warnings.filter(({ fault }) => fault === 'CERT_EXPIRES_SOON'),
    [],
  );
});

describe('advice in the words of the cluster at hand', () => {
  const remedyFor = async (servers: string) => {
    const { verdict } = await checkWith(plain(servers), 2_000);
    return verdict?.remedy ?? '';
  };

  test("DMS's console for its ports", async () => {
    assert.match(await remedyFor('no-such-host.invalid:9092'), /private DNS zone/);
    const { host, port } = { host: ownAddresses()[0] ?? '127.0.0.1', port: 9095 };
    assert.match(await remedyFor(at(port, host)), host === '127.0.0.1' ? /broker runs/ : /DMS console/);
  });

  test('nobody else hears of it', async () => {
    assert.doesNotMatch(await remedyFor(at(await unusedPort())), /DMS/);
  });

  test('of the mechanisms that a broker offers, those alone that the functions speak', async (t) => {
    const remedyWhere = async (...mechanisms: string[]) => {
      const broker = await startSketchBroker({
        answers: {
          [METADATA]: () => oneBroker({ host: '127.0.0.1', port: 1 }),
          [SASL_HANDSHAKE]: () =>
            Buffer.concat([int16(33), int32(mechanisms.length), ...mechanisms.map((name) => string(name))]),
        },
      });
      t.after(() => broker.close());
      const { verdict } = await checkWith({
        ...{ KAFKA_BOOTSTRAP_SERVERS: at(broker.port), KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT' },
        ...{ KAFKA_SASL_USERNAME: 'user', KAFKA_SASL_PASSWORD: 'password' },
      });
      assert.equal(verdict?.fault, 'SASL_MECHANISM');
      return verdict.remedy;
    };
    assert.match(await remedyWhere('GSSAPI', 'PLAIN'), /^Set KAFKA_SASL_MECHANISM=PLAIN, or/);
    assert.match(await remedyWhere('GSSAPI'), /^Enable one of SCRAM-SHA-512, .*speaks no other/);
  });

  test('an FTP server is no mail server', async (t) => {
    const banner = startBannerServer('220 (vsFTPd 3.0.5)\r\n');
    const { verdict } = await checkWith(plain(await serve(t, banner)));
    assert.equal(verdict?.fault, 'NOT_KAFKA');
    assert.match(verdict.cause, /vsFTPd/);
  });

  test('a broker of today with weak ciphers alone', async (t) => {
    const { chain, key } = await faulty.ca.issue({ commonName: 'weak', hosts: ['127.0.0.1'] });
    const weak: TlsOptions = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-CAMELLIA128-SHA256@SECLEVEL=0' };
    const server = startTlsServer({ ...weak, cert: chain, key });
    const { verdict } = await checkWith(tls(await serve(t, server), faulty.ca.certificate));
    assert.equal(verdict?.fault, 'TLS_VERSION');
    assert.match(verdict.remedy, /cipher suite of today/);
  });
});

describe('each fault by its name', { concurrency: 4 }, () => {
  for (const row of rows) declare(row);
});

describe('faults behind a bootstrap address that works', () => {
  const pass = () => {
    for (const proxy of faulty.proxies.PROXIED.values()) proxy.pass();
  };
  const proxyOf = (nodeId: number): FaultProxy => {
    const proxy = faulty.proxies.PROXIED.get(nodeId);
    assert.ok(proxy);
    return proxy;
  };
  /** The first broker's metadata points the second broker's clients elsewhere. */
  const advertise = (host: string, port: number) => {
    const from = hostAndPort('127.0.0.1', proxyOf(2).port);
    const to = hostAndPort(host, port);
    proxyOf(1).rewriteResponses((frame, { apiKey }) =>
      apiKey === 3 ? replaced(frame, from, to) : undefined,
    );
  };
  const bootstrap = () => plain(at(proxyOf(1).port));
  const throughProxies = async (): Promise<Variables> => ({
    ...bootstrap(),
    CHECK_TOPIC: await topicFor(),
    CHECK_ROUND_TRIP: 'true',
  });

  const proxiedRows: Row[] = [
    {
      fault: 'ADVERTISED_TCP_REFUSED',
      what: 'one broker is down',
      prepare: async (t) => {
        await proxyOf(2).refuse();
        t.after(() => proxyOf(2).accept());
        return throughProxies();
      },
      verify: (report) => {
        assert.match(
          report.verdict?.cause ?? '',
          /only broker 2 of 3 fails, which leads 2 partitions of topic-/,
        );
        assert.equal(stageAt(report, 0, 'brokers')?.status, 'failed');
        assert.equal(stageAt(report, 0, 'topic')?.status, 'not-reached');
      },
    },
    {
      fault: 'ADVERTISED_TCP_TIMEOUT',
      what: 'one broker is advertised at an address that drops',
      prepare: async (t) => {
        const full = await startFullListener();
        t.after(() => full.close());
        advertise('127.0.0.1', full.port);
        return bootstrap();
      },
      budgetMs: SLOW_MS,
    },
    {
      fault: 'ADVERTISED_PLAIN_TO_TLS',
      what: 'one broker is advertised with the port of another protocol',
      prepare: () => {
        advertise('127.0.0.1', faulty.port('SSL'));
        return bootstrap();
      },
    },
    {
      fault: 'ADDRESS_NOT_ALLOWED',
      what: 'a broker is advertised outside the allowed networks',
      prepare: () => {
        advertise('127.9.9.9', 22);
        return { ...bootstrap(), CHECK_ALLOWED_ADDRESSES: '127.0.0.0/16' };
      },
      verify: ({ targets }) =>
        assert.ok(targets.every(({ address, probes }) => address !== '127.9.9.9:22' || !probes)),
    },
    {
      fault: 'ROUND_TRIP_LOST',
      what: 'acknowledged, but something else is in its place',
      prepare: () => {
        for (const nodeId of [1, 2, 3]) {
          proxyOf(nodeId).rewriteResponses((frame, { apiKey }) =>
            apiKey === 1
              ? replaced(frame, Buffer.from('connectivity-check '), Buffer.from('something-else-here'))
              : undefined,
          );
        }
        return throughProxies();
      },
    },
    {
      fault: 'ROUND_TRIP_TIMEOUT',
      what: 'no acknowledgement',
      prepare: () => {
        proxyOf(3).rewriteResponses((_frame, { apiKey }) => (apiKey === 0 ? 'swallow' : undefined));
        return throughProxies();
      },
      budgetMs: SLOW_MS,
    },
    {
      fault: 'CLOCK_SKEW',
      what: "the broker's clock is ten minutes ahead",
      prepare: () => {
        for (const nodeId of [1, 2, 3]) {
          proxyOf(nodeId).rewriteResponses((frame, { apiKey }) =>
            apiKey === 0 ? tenMinutesAhead(frame) : undefined,
          );
        }
        return throughProxies();
      },
    },
  ];
  for (const row of proxiedRows) {
    declare({
      ...row,
      prepare: (t) => {
        pass();
        t.after(pass);
        return row.prepare(t);
      },
    });
  }
});

describe('a healthy cluster', () => {
  test('three brokers over SASL_SSL: every rung, the topic, the group and the round trip', async () => {
    const { cluster } = faulty;
    const topic = await topicFor();
    const report = await checkWith({
      ...variablesFor(cluster, 'SASL_SSL', { servers: cluster.bootstrapServers.SASL_SSL }),
      CHECK_TOPIC: topic,
      CHECK_GROUP_ID: 'a-group',
      CHECK_ROUND_TRIP: 'true',
    });
    assert.equal(report.verdict, null);
    assert.deepEqual(report.warnings, []);
    assert.equal(report.ok, true);
    assert.equal(report.targets.filter(({ role }) => role === 'bootstrap').length, 3);
    const brokers = report.targets.filter(({ role }) => role === 'broker');
    assert.deepEqual(brokers.map(({ nodeId }) => nodeId).sort(), [1, 2, 3]);
    for (const { stages } of brokers) {
      const passed = stages.filter(({ status }) => status === 'passed').map(({ stage }) => stage);
      assert.deepEqual(passed, ['tcp', 'tls', 'kafka', 'sasl', 'metadata', 'round-trip']);
    }
    assert.equal(report.topic?.partitions.length, 6);
    assert.deepEqual(
      report.roundTrip?.partitions.map(({ lost }) => lost),
      [false, false, false],
    );
    assert.ok(report.permissions?.topic?.includes('WRITE'));
    assert.equal(report.group?.lag, 0);
  });

  test("DMS's kind of certificate passes, with a note, where the host name is not asked for", async () => {
    const report = await checkWith({
      ...variablesFor(faulty.cluster, 'SASL_SSL', { servers: at(faulty.port('NAMELESS')) }),
      KAFKA_SSL_CA_PEM: faulty.ca.certificate,
      KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: 'none',
    });
    assert.equal(report.ok, true);
    assert.deepEqual([report.tls?.hostnameMatches, report.tls?.hostnameVerified], [false, false]);
    assert.match(stageAt(report, 0, 'tls')?.evidence ?? '', /does not name 127\.0\.0\.1/);
  });
});

describe('a cluster that has lost a broker', () => {
  let single: string;
  let strict: string;
  let usual: string;
  before(async () => {
    single = await topicFor({ partitions: 6, replicationFactor: 1 });
    strict = await topicFor({ config: { 'min.insync.replicas': '3' } });
    usual = await topicFor();
    await faulty.cluster.stopBroker(3);
  });

  const lostRows: Row[] = [
    {
      fault: 'BROKER_DOWN',
      what: 'nothing else is wrong',
      prepare: () => variablesFor(faulty.cluster, 'SASL_SSL'),
      verify: ({ verdict, targets }) => {
        assert.equal(verdict?.target, 'broker 3');
        assert.match(verdict?.cause ?? '', /broker 3, 1 of 3/);
        assert.doesNotMatch(verdict?.remedy ?? '', /909/);
        assert.ok(
          targets.every(({ stages }) =>
            stages.every(({ stage, status }) => stage === 'brokers' || status !== 'failed'),
          ),
        );
      },
    },
    {
      fault: 'NO_LEADER',
      beside: ['BROKER_DOWN'],
      what: 'its only replica was there',
      prepare: () => ({ ...variablesFor(faulty.cluster, 'SASL_SSL'), CHECK_TOPIC: single }),
    },
    {
      fault: 'NOT_ENOUGH_REPLICAS',
      beside: ['BROKER_DOWN'],
      what: 'the topic wants three in sync',
      prepare: () => ({ ...variablesFor(faulty.cluster, 'SASL_SSL'), CHECK_TOPIC: strict }),
    },
    {
      fault: 'UNDER_REPLICATED',
      beside: ['BROKER_DOWN'],
      what: 'two of three replicas',
      prepare: () => ({ ...variablesFor(faulty.cluster, 'SASL_SSL'), CHECK_TOPIC: usual }),
    },
  ];
  for (const row of lostRows) declare(row);
});

test('every fault and every warning of the list has a row', () => {
  // Those of the sink and of the token endpoint have files of their own.
  const ofKafka = faultIds.filter((id) => stageOf(id) !== 'sink' && !id.startsWith('OAUTH_'));
  const missing = [...ofKafka, ...warningIds].filter((id) => !reproduced.has(id));
  assert.deepEqual(missing, []);
});

function declare({ fault, beside = [], what, prepare, budgetMs = 5_000, verify, skip = false }: Row): void {
  reproduced.add(fault);
  test(`${fault}: ${what}`, { skip }, async (t) => {
    const variables = await prepare(t);
    const report = await checkWith(variables, budgetMs);
    const named = [...report.faults, ...report.warnings].map((finding) => finding.fault);
    const isWarning = report.verdict === null;
    assert.deepEqual(
      [...new Set(named)].sort(),
      [fault, ...beside].sort(),
      JSON.stringify([report.faults, report.warnings]),
    );
    assert.deepEqual(report.verdict, report.faults[0] ?? null);
    assert.equal(report.ok, isWarning);
    verify?.(report);
    await record({ fault, what, variables, isWarning });
  });
}

/** A Fetch, Produce or Metadata answer with every `from` replaced by as many bytes. */
function replaced(frame: Buffer, from: Buffer, to: Buffer): Buffer {
  assert.equal(from.length, to.length);
  const copy = Buffer.from(frame);
  for (let index = copy.indexOf(from); index >= 0; index = copy.indexOf(from, index + to.length))
    to.copy(copy, index);
  return copy;
}

function hostAndPort(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(port);
  return Buffer.concat([string(host), bytes]);
}

/** A Produce answer (v8) of one partition with another log_append_time. */
function tenMinutesAhead(frame: Buffer): Buffer {
  const copy = Buffer.from(frame);
  const topicLength = copy.readInt16BE(8);
  copy.writeBigInt64BE(BigInt(Date.now() + 600_000), 10 + topicLength + 4 + 4 + 2 + 8);
  return copy;
}

/** Sets a producer quota for a client id (AlterClientQuotas v0, KIP-546). */
async function limitClient(clientId: string, bytesPerSecond: number): Promise<void> {
  const rate = Buffer.alloc(8);
  rate.writeDoubleBE(bytesPerSecond);
  const entity = array([Buffer.concat([string('client-id'), string(clientId)])]);
  const operations = array([Buffer.concat([string('producer_byte_rate'), rate, int8(0)])]);
  const body = Buffer.concat([array([Buffer.concat([entity, operations])]), int8(0)]);
  await call(faulty.port('INTERNAL'), { apiKey: 49, apiVersion: 0, body });
}

/** Forwards from an address of this machine that is not the loopback one. */
async function relay(t: TestContext, host: string, port: number): Promise<string> {
  const server: Server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, host);
  await once(server, 'listening');
  t.after(() => server.close());
  return at((server.address() as AddressInfo).port, host);
}
