import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CertificateAuthority, IssuedCertificate } from './certificates.ts';
import type { ExtraListener, KafkaOptions } from './cluster.ts';
import { type Distribution, randomClusterId } from './distribution.ts';
import type { Guard } from './guard.ts';
import { type KafkaNode, port, prepareNode } from './node.ts';
import { freePorts } from './ports.ts';
import {
  CONTROLLER,
  INTERNAL,
  LISTENERS,
  type Listener,
  type ListenerProperties,
} from './server-properties.ts';
import type { KafkaUsers } from './users.ts';

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

/** Chooses ports, issues certificates and writes the files of every node; starts none. */
export async function prepareNodes(setting: Setting): Promise<{ brokers: KafkaNode[]; nodes: KafkaNode[] }> {
  const { options, directory, ca, users } = setting;
  const { brokers: count = 1, hosts = ['localhost', '127.0.0.1', '::1'], properties = {} } = options;
  const extraListeners = options.extraListeners ?? [];
  const names = [...LISTENERS, INTERNAL, ...extraListeners.map(({ name }) => name)];
  const ports = await freePorts(count * names.length + 1);
  const controllerPort = ports.pop() ?? 0;
  // A controller of its own, so that a test may kill every broker and the others are still told.
  const dedicated = count > 1;
  const voter = { nodeId: dedicated ? CONTROLLER_ID : 1, port: controllerPort };
  const clusterId = randomClusterId();
  const trustStore = join(directory, 'ca.pem');

  const prepare = async (
    nodeId: number,
    roles: readonly ('broker' | 'controller')[],
    heap: string,
    byName: Record<string, number>,
  ): Promise<KafkaNode> => {
    const keyStore = join(directory, `broker-${nodeId}.pem`);
    const { chain, key } = await ca.issue({ commonName: `broker-${nodeId}`, hosts });
    await writeFile(keyStore, key + chain, { mode: 0o600 });
    const isBroker = roles.includes('broker');
    return prepareNode({
      ...setting,
      clusterId,
      heap,
      tunedFor: options.tunedFor ?? 'boot',
      ports: byName,
      properties: {
        nodeId,
        roles,
        brokers: count,
        voter,
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
      const roles = dedicated ? (['broker'] as const) : (['broker', 'controller'] as const);
      return prepare(nodeId, roles, dedicated ? '400m' : '512m', {
        ...byName,
        ...fixed,
        [CONTROLLER]: controllerPort,
      });
    }),
  );
  const controllers = dedicated
    ? [await prepare(CONTROLLER_ID, ['controller'], '256m', { [CONTROLLER]: controllerPort })]
    : [];
  return { brokers, nodes: [...controllers, ...brokers] };
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
      advertised: advertised(nodeId),
      properties: { ...(certificate ? keyStoreProperties(certificate) : {}), ...properties },
    })),
  ];
}

function keyStoreProperties({ chain, key }: IssuedCertificate): Record<string, string> {
  return { 'ssl.keystore.type': 'PEM', 'ssl.keystore.key': key, 'ssl.keystore.certificate.chain': chain };
}
