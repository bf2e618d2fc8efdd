import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import { type KafkaUser, upsertScramCredentials } from '../../local/kafka/admin.ts';
import {
  type CertificateAuthority,
  createCertificateAuthority,
  type IssuedCertificate,
} from '../../local/kafka/certificates.ts';
import {
  type ExtraListener,
  type KafkaCluster,
  type Listener,
  startKafka,
} from '../../local/kafka/cluster.ts';
import { type FaultProxy, startFaultProxy } from '../support/faults/proxy.ts';

const BROKERS = [1, 2, 3];
const DAY_MS = 86_400_000;

/** A cluster with listeners that are wrong, each in its own way. */
export interface FaultyCluster {
  cluster: KafkaCluster;
  /** Issued the certificates of the extra listeners. */
  ca: CertificateAuthority;
  /** By listener and node id: where brokers are advertised that can only be reached through a proxy. */
  proxies: Record<'PROXIED' | 'NAMELESS' | 'EXPIRING', Map<number, FaultProxy>>;
  /** Has a password and not one right. */
  nobody: KafkaUser;
  /** Of broker 1. */
  port(listener: string): number;
}

export async function startFaultyCluster(): Promise<FaultyCluster> {
  const ca = await createCertificateAuthority({ commonName: 'Listener CA' });
  const proxies = { PROXIED: await proxyEach(), NAMELESS: await proxyEach(), EXPIRING: await proxyEach() };
  const through = (name: keyof typeof proxies) => (nodeId: number) => {
    const proxy = proxies[name].get(nodeId);
    return { host: '127.0.0.1', port: proxy?.port ?? 0 };
  };
  const issue = (hosts: string[], from: number, to: number): Promise<IssuedCertificate> =>
    ca.issue({
      commonName: 'broker',
      hosts,
      notBefore: new Date(Date.now() + from * DAY_MS),
      notAfter: new Date(Date.now() + to * DAY_MS),
    });
  const extraListeners: ExtraListener[] = [
    { name: 'PROXIED', protocol: 'PLAINTEXT', advertised: through('PROXIED') },
    // As with DMS: the certificate does not name the address that is advertised.
    {
      name: 'NAMELESS',
      protocol: 'SASL_SSL',
      advertised: through('NAMELESS'),
      certificate: await issue(['localhost'], -1, 300),
    },
    {
      name: 'EXPIRING',
      protocol: 'SSL',
      advertised: through('EXPIRING'),
      certificate: await issue(['127.0.0.1'], -1, 10),
    },
    unreached('EXPIRED', 'SSL', { certificate: await issue(['127.0.0.1'], -20, -2) }),
    unreached('FUTURE', 'SSL', { certificate: await issue(['127.0.0.1'], 2, 20) }),
    unreached('MUTUAL', 'SSL', { properties: { 'ssl.client.auth': 'required' } }),
    unreached('MUTUALOLD', 'SSL', {
      properties: { 'ssl.client.auth': 'required', 'ssl.enabled.protocols': 'TLSv1.2' },
    }),
    unreached('SCRAMONLY', 'SASL_PLAINTEXT', { properties: { 'sasl.enabled.mechanisms': 'SCRAM-SHA-512' } }),
  ];
  const cluster = await startKafka({ brokers: BROKERS.length, extraListeners });
  after(() => cluster.stop());
  for (const [name, byNode] of Object.entries(proxies)) {
    for (const { nodeId, ports } of cluster.brokers)
      byNode.get(nodeId)?.setTarget('127.0.0.1', ports[name] ?? 0);
  }
  const port = (listener: string) => cluster.brokers[0]?.ports[listener] ?? 0;
  const nobody = { username: 'nobody', password: randomBytes(24).toString('base64url') };
  await upsertScramCredentials(port('INTERNAL'), [nobody]);
  return { cluster, ca, proxies, nobody, port };
}

async function proxyEach(): Promise<Map<number, FaultProxy>> {
  const started = await Promise.all(
    BROKERS.map(async (nodeId) => [nodeId, await startFaultProxy({ target: undefined })] as const),
  );
  after(() => Promise.all(started.map(([, proxy]) => proxy.close())));
  return new Map(started);
}

/** A listener that breaks before anybody is told where the brokers are. */
function unreached(name: string, protocol: Listener, more: Partial<ExtraListener>): ExtraListener {
  return { name, protocol, advertised: () => ({ host: 'unreached.invalid', port: 1 }), ...more };
}
