import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Distribution } from './distribution.ts';
import type { Guard, GuardedProcess } from './guard.ts';
import { type NodeProperties, serverProperties } from './server-properties.ts';

const LOG_CONFIGURATION = fileURLToPath(new URL('./log4j2.xml', import.meta.url));
const LOG_LINES = 20;

/** One Java process: a broker, a controller, both, or the ZooKeeper of old brokers. */
export interface KafkaNode {
  readonly nodeId: number;
  /** For messages: `broker 1`. */
  readonly label: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly running: boolean;
  start(): void;
  signal(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** Resolves when the process is gone. */
  exited(): Promise<void>;
  /** The last lines of its log, without the passwords in it. */
  lastLogLines(): Promise<string>;
}

/** Boots fastest: a short-lived process needs neither a second compiler nor a parallel collector. */
const BOOT = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
/** As in production: above all the compiler that uses the processor's AES. */
const THROUGHPUT = ['-Xmx1g', '-XX:+UseG1GC'];

export interface JavaNodeOptions {
  distribution: Distribution;
  javaOptions: readonly string[];
  guard: Guard;
  directory: string;
  heap: string;
  tunedFor: 'boot' | 'throughput';
  ports: Record<string, number>;
}

export interface NodeOptions extends JavaNodeOptions {
  clusterId: string;
  properties: NodeProperties;
}

/** Writes a node's properties and formats its data directory, unless it has data. Doesn't start the node. */
export async function prepareNode(options: NodeOptions): Promise<KafkaNode> {
  const { directory, properties, distribution } = options;
  const { nodeId, roles, dataDirectory, users } = properties;
  const propertiesFile = join(directory, `server-${nodeId}.properties`);
  await writeFile(propertiesFile, serverProperties(properties), { mode: 0o600 });
  const { bootstrapCheckpoint } = distribution;
  if (bootstrapCheckpoint && !existsSync(join(dataDirectory, 'meta.properties'))) {
    await format(dataDirectory, options.clusterId, nodeId, bootstrapCheckpoint);
  }
  return javaNode(options, {
    nodeId,
    label: `${roles[0]} ${nodeId}`,
    program: ['kafka.Kafka', propertiesFile],
    secrets: Object.values(users).map(({ password }) => password),
  });
}

/** A Java process, which the guard runs. */
export function javaNode(
  { distribution, javaOptions, guard, directory, heap, tunedFor, ports }: JavaNodeOptions,
  {
    nodeId,
    label,
    program,
    secrets = [],
  }: { nodeId: number; label: string; program: readonly string[]; secrets?: readonly string[] },
): KafkaNode {
  const log = join(directory, `server-${nodeId}.log`);
  const args = [
    ...(tunedFor === 'throughput' ? THROUGHPUT : [`-Xmx${heap}`, ...BOOT]),
    '-Xlog:disable',
    ...javaOptions,
    `-Dlog4j2.configurationFile=${LOG_CONFIGURATION}`,
    '-cp',
    distribution.classpath,
    ...program,
  ];
  let current: GuardedProcess | undefined;

  return {
    nodeId,
    label,
    ports,
    get running() {
      return current !== undefined && current.exit === undefined;
    },
    start() {
      current = guard.start(`${nodeId}`, distribution.java, args, log);
    },
    signal(signal) {
      guard.signal(`${nodeId}`, signal);
    },
    async exited() {
      await current?.exited;
    },
    async lastLogLines() {
      const lines = (await readFile(log, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-LOG_LINES);
      return secrets.reduce((text, secret) => text.replaceAll(secret, '[redacted]'), lines.join('\n'));
    },
  };
}

/** What `kafka-storage format` does, with the checkpoint that it wrote when the distribution was fetched. */
async function format(
  directory: string,
  clusterId: string,
  nodeId: number,
  checkpoint: string,
): Promise<void> {
  const directoryId = randomBytes(16).toString('base64url');
  await mkdir(directory, { recursive: true });
  await copyFile(checkpoint, join(directory, 'bootstrap.checkpoint'));
  // Last: this file marks the directory as complete.
  await writeFile(
    join(directory, 'meta.properties'),
    `version=1\ncluster.id=${clusterId}\nnode.id=${nodeId}\ndirectory.id=${directoryId}\n`,
  );
}

/** Throws if there is no listener of that name. */
export function port(ports: Readonly<Record<string, number>>, name: string): number {
  const found = ports[name];
  if (found === undefined) throw new Error(`No listener is named ${name}`);
  return found;
}
