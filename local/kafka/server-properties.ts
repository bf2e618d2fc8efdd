import type { KafkaUsers } from './users.ts';

export const LISTENERS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const;
export type Listener = (typeof LISTENERS)[number];

/** Between the brokers, so that faults injected into a client's listener don't hit their traffic. */
export const INTERNAL = 'INTERNAL';
export const CONTROLLER = 'CONTROLLER';

export interface ListenerProperties {
  name: string;
  protocol: Listener;
  port: number;
  advertised: { host: string; port: number };
  /** Of this listener alone, without the `listener.name.…` prefix. */
  properties: Record<string, string>;
}

/** Where the cluster's metadata is: in a controller's log (KRaft), or in ZooKeeper. */
export type Coordination =
  | { voter: { nodeId: number; port: number } }
  | { zookeeperPort: number; authorizer: string };

export interface NodeProperties {
  nodeId: number;
  roles: readonly ('broker' | 'controller')[];
  brokers: number;
  coordination: Coordination;
  dataDirectory: string;
  /** The properties that name a broker's key and chain. */
  keyStore: Record<string, string>;
  /** The properties that name the authority that signs client certificates, where a listener asks for them. */
  trustStore: Record<string, string>;
  listeners: readonly ListenerProperties[];
  users: KafkaUsers;
  /** Win over everything else. */
  extra: Record<string, string>;
}

/** The text of a node's server.properties. It holds passwords. */
export function serverProperties(node: NodeProperties): string {
  const broker = node.roles.includes('broker') ? brokerProperties(node) : {};
  const properties = { ...commonProperties(node), ...broker, ...node.extra };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${escapeValue(value)}\n`)
    .join('');
}

function commonProperties(node: NodeProperties): Record<string, string> {
  const { coordination, nodeId } = node;
  const isController = 'voter' in coordination && coordination.voter.nodeId === nodeId;
  const controller = isController ? [`${CONTROLLER}://127.0.0.1:${coordination.voter.port}`] : [];
  return {
    ...('voter' in coordination ? kraft(node, coordination) : zookeeper(node, coordination)),
    listeners: [...node.listeners.map(({ name, port }) => `${name}://127.0.0.1:${port}`), ...controller].join(
      ',',
    ),
    'listener.security.protocol.map': [
      `${CONTROLLER}:PLAINTEXT`,
      ...node.listeners.map(({ name, protocol }) => `${name}:${protocol}`),
    ].join(','),
    'log.dirs': node.dataDirectory.replaceAll('\\', '/'),
    'super.users': 'User:ANONYMOUS;User:admin',
    'num.network.threads': '2',
    'num.io.threads': '4',
  };
}

function kraft(
  { roles, nodeId }: NodeProperties,
  { voter }: Extract<Coordination, { voter: unknown }>,
): Record<string, string> {
  return {
    'process.roles': roles.join(','),
    'node.id': `${nodeId}`,
    'controller.quorum.voters': `${voter.nodeId}@127.0.0.1:${voter.port}`,
    'controller.listener.names': CONTROLLER,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // A broker that a test kills is replaced after 3 s instead of 9 s.
    'broker.heartbeat.interval.ms': '500',
    'broker.session.timeout.ms': '3000',
  };
}

function zookeeper(
  { nodeId }: NodeProperties,
  { zookeeperPort, authorizer }: Extract<Coordination, { zookeeperPort: unknown }>,
): Record<string, string> {
  return {
    'broker.id': `${nodeId}`,
    'zookeeper.connect': `127.0.0.1:${zookeeperPort}`,
    'zookeeper.session.timeout.ms': '3000',
    'authorizer.class.name': authorizer,
  };
}

function brokerProperties({
  brokers,
  listeners,
  users,
  keyStore,
  trustStore,
}: NodeProperties): Record<string, string> {
  const replicas = `${Math.min(brokers, 3)}`;
  const inSync = brokers > 1 ? '2' : '1';
  const perListener = listeners.map((listener) => listenerProperties(listener, users, keyStore, trustStore));
  return {
    'advertised.listeners': listeners
      .map(
        ({ name, advertised: { host, port } }) =>
          `${name}://${host.includes(':') ? `[${host}]` : host}:${port}`,
      )
      .join(','),
    'inter.broker.listener.name': INTERNAL,
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'auto.create.topics.enable': 'false',
    'num.partitions': '6',
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '6',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '6',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': '6',
    'group.initial.rebalance.delay.ms': '0',
    'replica.lag.time.max.ms': '3000',
    'log.retention.ms': '-1',
    // The default allots 128 MiB at start.
    'log.cleaner.dedupe.buffer.size': `${4 << 20}`,
    ...Object.assign({}, ...perListener),
  };
}

function listenerProperties(
  { name, protocol, properties }: ListenerProperties,
  users: KafkaUsers,
  keyStore: Record<string, string>,
  trustStore: Record<string, string>,
): Record<string, string> {
  const encrypted = protocol.endsWith('SSL') ? encryption(properties, keyStore, trustStore) : {};
  const authenticated = protocol.startsWith('SASL') ? authentication(users) : {};
  const prefix = `listener.name.${name.toLowerCase()}.`;
  return Object.fromEntries(
    Object.entries({ ...encrypted, ...authenticated, ...properties }).map(([key, value]) => [
      prefix + key,
      value,
    ]),
  );
}

function encryption(
  own: Record<string, string>,
  keyStore: Record<string, string>,
  trustStore: Record<string, string>,
): Record<string, string> {
  const brings = (prefix: string): boolean => Object.keys(own).some((key) => key.startsWith(prefix));
  return {
    ...(brings('ssl.keystore.') ? {} : keyStore),
    ...(brings('ssl.truststore.') ? {} : trustStore),
  };
}

function authentication(users: KafkaUsers): Record<string, string> {
  const plain = Object.values(users).map(({ username, password }) => `user_${username}="${password}"`);
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  return {
    'plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required ${plain.join(' ')};`,
    'scram-sha-256.sasl.jaas.config': scram,
    'scram-sha-512.sasl.jaas.config': scram,
  };
}

/** As java.util.Properties reads it, so that a PEM text can be a value. */
function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\r', '').replaceAll('\n', '\\n');
}
