import { mkdirSync, mkdtempSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import {
  aclResources,
  createTopic,
  hasCoordinator,
  type KafkaUser,
  metadata,
  upsertScramCredentials,
} from './admin.ts';
import {
  type CertificateAuthority,
  createCertificateAuthority,
  type IssuedCertificate,
} from './certificates.ts';
import { classArchive } from './class-archive.ts';
import { type Distribution, kafkaDistribution } from './distribution.ts';
import { startGuard } from './guard.ts';
import { type KafkaNode, port } from './node.ts';
import { prepareNodes } from './nodes.ts';
import { BootError, everyBrokerSees, leadersOf, until } from './readiness.ts';
import type { OldVersion } from './releases.ts';
import { INTERNAL, type Listener } from './server-properties.ts';
import { ACL_RESOURCES, createUsers, type KafkaUsers, registerAccess } from './users.ts';
import { keepCredentials, ZOOKEEPER } from './zookeeper.ts';

export type { KafkaUser, KafkaUsers, Listener };

const SHUTDOWN_WITHIN_MS = 30_000;

export interface ExtraListener {
  /** Upper case, such as `PROXIED`. */
  name: string;
  protocol: Listener;
  /** The address in the brokers' metadata; default: the real one, whose port is in `KafkaBroker.ports`. */
  advertised?: (nodeId: number) => { host: string; port: number };
  /** Its own certificate, such as an expired one; default: the cluster's. */
  certificate?: IssuedCertificate;
  /** Of this listener alone, without the `listener.name.…` prefix, such as `ssl.client.auth`. */
  properties?: Record<string, string>;
}

export interface KafkaOptions {
  /** An old release, with a ZooKeeper of its own; default: the one in pom.xml (KRaft). */
  release?: OldVersion;
  /** 1 (default), broker and controller in one process; or 3, with a controller of their own. */
  brokers?: number;
  /** Further server.properties; they win over the defaults. */
  properties?: Record<string, string>;
  /** Of the brokers' Java, such as `org.apache.kafka.sasl.oauthbearer.allowed.urls`. */
  javaProperties?: Record<string, string>;
  /** Fixed ports of broker 1; the others are free ones. */
  ports?: 'random' | Partial<Record<Listener, number>>;
  /** Subject alternative names of the brokers' certificates; default localhost, 127.0.0.1 and ::1. */
  hosts?: readonly string[];
  /** For tests that put a proxy in front, or need a certificate of their own. */
  extraListeners?: readonly ExtraListener[];
  /** Default `boot`; benchmarks want `throughput`. */
  tunedFor?: 'boot' | 'throughput';
  /** Keeps the data; for one cluster at a time. Default: a temporary directory. */
  directory?: string;
  /** Default: new ones. */
  users?: KafkaUsers;
  log?: (line: string) => void;
}

export interface KafkaBroker {
  readonly nodeId: number;
  /** By listener name, with the extra ones, INTERNAL, and CONTROLLER, which three brokers share. */
  readonly ports: Readonly<Record<string, number>>;
  readonly running: boolean;
}

export interface KafkaCluster {
  /** Comma-separated over the brokers; the host is 127.0.0.1. */
  bootstrapServers: Record<Listener, string>;
  brokers: readonly KafkaBroker[];
  ca: CertificateAuthority;
  caPem: string;
  /** The file that holds `caPem`. */
  caLocation: string;
  users: KafkaUsers;
  /** Removed with all its files when the cluster stops, unless the options name it. */
  directory: string;
  /** Resolves when the process is gone; SIGTERM (default) lets the broker hand over its partitions first. */
  stopBroker(nodeId: number, signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** With the same ports and data; resolves when every running broker sees it. */
  startBroker(nodeId: number): Promise<void>;
  /** Default: 6 partitions, a replica on every broker. Resolves when every running broker sees all leaders. */
  createTopic(name: string, options?: TopicOptions): Promise<void>;
  /** How many partitions a topic has; 0 where there is none of that name. */
  partitionsOf(name: string): Promise<number>;
  stop(): Promise<void>;
}

export interface TopicOptions {
  partitions?: number;
  replicationFactor?: number;
  config?: Record<string, string>;
}

/**
 * Starts Apache Kafka on 127.0.0.1. Its data is gone with this process, unless it has a directory of its own. It keeps
 * the process running until `stop`. Rejects with the last lines of the log of a broker that can't start, and as
 * `kafkaDistribution` does.
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const { release } = options;
  const distribution = await kafkaDistribution(release);
  const javaOptions = await classArchive(distribution, async (warmUpOptions) => {
    const cluster = await launch(distribution, release ? { release } : {}, warmUpOptions);
    await cluster.stopBroker(1).finally(() => cluster.stop());
  });
  try {
    return await launch(distribution, options, javaOptions);
  } catch (error) {
    // Another process may have taken a port before the broker listened on it.
    if (!(error instanceof BootError && error.portTaken)) throw error;
    return launch(distribution, options, javaOptions);
  }
}

/** Starts Kafka, hands it to `work` and stops it, however that ends. */
export async function withKafka<T>(
  options: KafkaOptions,
  work: (cluster: KafkaCluster) => Promise<T>,
): Promise<T> {
  const cluster = await startKafka(options);
  try {
    return await work(cluster);
  } finally {
    await cluster.stop();
  }
}

async function launch(
  distribution: Distribution,
  options: KafkaOptions,
  javaOptions: readonly string[],
): Promise<KafkaCluster> {
  const startedAt = performance.now();
  const log = (line: string): void =>
    options.log?.(`${Math.round(performance.now() - startedAt)} ms: ${line}`);
  const keep = options.directory !== undefined;
  // Synchronously: between two turns a signal could leave a directory that nobody removes.
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'kafka-functions-'));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const guard = startGuard(directory, { keep });
  try {
    const ca = await createCertificateAuthority();
    const users = options.users ?? createUsers();
    const caLocation = join(directory, 'ca.pem');
    await writeFile(caLocation, ca.certificate);
    const { brokers, zookeeper, nodes } = await prepareNodes({
      distribution,
      options,
      javaOptions,
      guard,
      directory,
      ca,
      users,
    });
    if (zookeeper) {
      zookeeper.start();
      await until([zookeeper], 'ZooKeeper', async () => {
        await keepCredentials(port(zookeeper.ports, ZOOKEEPER), Object.values(users));
        return true;
      });
    }
    for (const node of nodes) if (!node.running) node.start();
    await everyBrokerSees(brokers, nodes);
    log('brokers are registered');
    if (!zookeeper) await upsertScramCredentials(internalPort(brokers), Object.values(users));
    // After the credentials: the metadata log keeps its order, so a broker that has the ACLs has them, too.
    await registerAccess(internalPort(brokers));
    await until(nodes, 'users and ACLs', async () => {
      const counts = await Promise.all(brokers.map(({ ports }) => aclResources(port(ports, INTERNAL))));
      return counts.every((count) => count === ACL_RESOURCES);
    });
    log('users and ACLs are in place');
    await createInternalTopics(brokers, nodes);
    log('coordinators are available');

    return {
      bootstrapServers: bootstrapServers(brokers),
      brokers,
      ca,
      caPem: ca.certificate,
      caLocation,
      users,
      directory,
      async stopBroker(nodeId, signal = 'SIGTERM') {
        await stopNode(find(brokers, nodeId), signal);
        log(`broker ${nodeId} is gone`);
      },
      async startBroker(nodeId) {
        const broker = find(brokers, nodeId);
        if (!broker.running) broker.start();
        await everyBrokerSees(brokers, nodes, broker);
        log(`broker ${nodeId} is back`);
      },
      createTopic: (name, topic = {}) => createVisibleTopic(brokers, name, topic),
      async partitionsOf(name) {
        const { topics } = await metadata(internalPort(brokers), [name]);
        return topics[0]?.partitions.length ?? 0;
      },
      async stop() {
        // An orderly end, so that the next start needn't recover the data.
        if (keep) await Promise.all(brokers.map((broker) => stopNode(broker, 'SIGTERM')));
        await guard.close();
      },
    };
  } catch (error) {
    await guard.close();
    throw error;
  }
}

/** Otherwise the first group and the first transaction would meet errors that later ones don't. */
async function createInternalTopics(
  brokers: readonly KafkaNode[],
  nodes: readonly KafkaNode[],
): Promise<void> {
  const anyPort = internalPort(brokers);
  await until(nodes, 'the coordinators', async () => {
    const kinds = [hasCoordinator(anyPort, 'group'), hasCoordinator(anyPort, 'transaction')];
    return (await Promise.all(kinds)).every(Boolean);
  });
  await leadersOf(brokers, '__consumer_offsets');
  await leadersOf(brokers, '__transaction_state');
}

async function createVisibleTopic(
  brokers: readonly KafkaNode[],
  name: string,
  options: TopicOptions,
): Promise<void> {
  const { partitions = 6, replicationFactor = Math.min(brokers.length, 3), config = {} } = options;
  const { controllerId } = await metadata(internalPort(brokers));
  const controller = brokers.filter(({ nodeId, running }) => running && nodeId === controllerId);
  const askedPort = internalPort(controller.length > 0 ? controller : brokers);
  await createTopic(askedPort, { name, partitions, replicationFactor, config });
  await leadersOf(brokers, name);
}

async function stopNode(node: KafkaNode, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (!node.running) return;
  node.signal(signal);
  const patience = new AbortController();
  const late = wait(SHUTDOWN_WITHIN_MS, undefined, { signal: patience.signal }).then(
    () => node.signal('SIGKILL'),
    () => {},
  );
  await node.exited();
  patience.abort();
  await late;
}

function bootstrapServers(brokers: readonly KafkaNode[]): Record<Listener, string> {
  const servers = (name: Listener): string =>
    brokers.map(({ ports }) => `127.0.0.1:${port(ports, name)}`).join(',');
  return {
    PLAINTEXT: servers('PLAINTEXT'),
    SSL: servers('SSL'),
    SASL_PLAINTEXT: servers('SASL_PLAINTEXT'),
    SASL_SSL: servers('SASL_SSL'),
  };
}

function internalPort(brokers: readonly KafkaNode[]): number {
  const running = brokers.find((broker) => broker.running);
  if (!running) throw new Error('No broker is running');
  return port(running.ports, INTERNAL);
}

function find(brokers: readonly KafkaNode[], nodeId: number): KafkaNode {
  const broker = brokers.find((candidate) => candidate.nodeId === nodeId);
  if (!broker) throw new Error(`There is no broker ${nodeId}`);
  return broker;
}
