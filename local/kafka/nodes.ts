import { join } from 'node:path';
import type { CertificateAuthority, IssuedCertificate } from './certificates.ts';
import type { ExtraListener, KafkaOptions } from './cluster.ts';
import { type Distribution, randomClusterId } from './distribution.ts';
import type { Guard } from './guard.ts';
import { javaKeyStore, javaTrustStore, pemKeyStore } from './key-store.ts';
import { type KafkaNode, port, prepareNode } from './node.ts';
import { freePorts } from './ports.ts';
import { oldReleases } from './releases.ts';
import {
  CONTROLLER,
  type Coordination,
  INTERNAL,
  LISTENERS,
  type Listener,
  type ListenerProperties,
} from './server-properties.ts';
import type { KafkaUsers } from './users.ts';
import { prepareZookeeper, ZOOKEEPER } from './zookeeper.ts';

const CONTROLLER_ID = 100;

export interface Setting {
  distribution: Distribution;
  options: KafkaOptions;
  javaOptions: readonly string[];
  guard: Guard;
  directory: string;
  ca: CertificateAuthority;
  users: KafkaUsers;
}

export interface PreparedNodes {
  brokers: KafkaNode[];
  /** Only old brokers have it, and need it before they start. */
  zookeeper: KafkaNode | undefined;
  /** The brokers, and their controller or ZooKeeper. */
  nodes: KafkaNode[];
}

/** Chooses ports, issues certificates and writes the files of every node. Starts none of them. */
export async function prepareNodes(setting: Setting): Promise<PreparedNodes> {
  const { options, directory, ca, users } = setting;
  const { brokers: count = 1, hosts = ['localhost', '127.0.0.1', '::1'], properties = {} } = options;
  const javaProperties = Object.entries(options.javaProperties ?? {}).map(
    ([key, value]) => `-D${key}=${value}`,
  );
  const extraListeners = options.extraListeners ?? [];
  const names = [...LISTENERS, INTERNAL, ...extraListeners.map(({ name }) => name)];
  const ports = await freePorts(count * names.length + 1);
  const controllerPort = ports.pop() ?? 0;
  const old = options.release && oldReleases[options.release];
  // Separate, so that a test may kill any broker and the others still learn of it.
  const dedicated = count > 1 && !old;
  const coordination: Coordination = old
    ? { zookeeperPort: controllerPort, authorizer: old.authorizer }
    : { voter: { nodeId: dedicated ? CONTROLLER_ID : 1, port: controllerPort } };
  const clusterId = randomClusterId();
  const tunedFor = options.tunedFor ?? 'boot';
  const keyStoreOf = old ? javaKeyStore : pemKeyStore;
  const trustStore = old
    ? await javaTrustStore(join(directory, 'ca.jks'), ca.certificate)
    : { 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': join(directory, 'ca.pem') };

  const prepare = async (
    nodeId: number,
    roles: readonly ('broker' | 'controller')[],
    heap: string,
    byName: Record<string, number>,
  ): Promise<KafkaNode> => {
    const certificate = await ca.issue({ commonName: `broker-${nodeId}`, hosts });
    const keyStore = await keyStoreOf(join(directory, `broker-${nodeId}`), certificate);
    const isBroker = roles.includes('broker');
    return prepareNode({
      ...setting,
      javaOptions: [...setting.javaOptions, ...javaProperties],
      clusterId,
      heap,
      tunedFor,
      ports: byName,
      properties: {
        nodeId,
        roles,
        brokers: count,
        coordination,
        dataDirectory: join(directory, `data-${nodeId}`),
        keyStore,
        trustStore,
        listeners: isBroker ? listenersOf(nodeId, byName, extraListeners) : [],
        users,
        extra: properties,
      },
    });
  };

  const brokers = await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const nodeId = index + 1;
      const own = ports.slice(index * names.length);
      const byName = Object.fromEntries(names.map((name, position) => [name, own[position] ?? 0]));
      const fixed = nodeId === 1 && typeof options.ports === 'object' ? options.ports : {};
      const roles = dedicated || old ? (['broker'] as const) : (['broker', 'controller'] as const);
      return prepare(nodeId, roles, count > 1 ? '400m' : '512m', {
        ...byName,
        ...fixed,
        ...(old ? {} : { [CONTROLLER]: controllerPort }),
      });
    }),
  );
  if (old) {
    const heapAndPorts = { heap: '128m', ports: { [ZOOKEEPER]: controllerPort } };
    const zookeeper = await prepareZookeeper({ ...setting, tunedFor, ...heapAndPorts });
    return { brokers, zookeeper, nodes: [zookeeper, ...brokers] };
  }
  const controllers = dedicated
    ? [await prepare(CONTROLLER_ID, ['controller'], '256m', { [CONTROLLER]: controllerPort })]
    : [];
  return { brokers, zookeeper: undefined, nodes: [...controllers, ...brokers] };
}

function listenersOf(
  nodeId: number,
  ports: Record<string, number>,
  extraListeners: readonly ExtraListener[],
): ListenerProperties[] {
  const plain = (name: string, protocol: Listener): ListenerProperties => ({
    name,
    protocol,
    port: port(ports, name),
    advertised: { host: '127.0.0.1', port: port(ports, name) },
    properties: {},
  });
  return [
    ...LISTENERS.map((name) => plain(name, name)),
    plain(INTERNAL, 'PLAINTEXT'),
    ...extraListeners.map(({ name, protocol, advertised, certificate, properties = {} }) => ({
      ...plain(name, protocol),
      ...(advertised && { advertised: advertised(nodeId) }),
      properties: { ...(certificate ? keyStoreProperties(certificate) : {}), ...properties },
    })),
  ];
}

function keyStoreProperties({ chain, key }: IssuedCertificate): Record<string, string> {
  return { 'ssl.keystore.type': 'PEM', 'ssl.keystore.key': key, 'ssl.keystore.certificate.chain': chain };
}
