import { join } from 'node:path';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { freePorts } from '../../local/kafka/ports.ts';
import { buildOwn } from './bundle.ts';
import { scratchFolder } from './folders.ts';
import { type Running, start } from './processes.ts';

export interface RunningFunction extends Running {
  url: string;
  port: number;
}

/** The HTTP function's bundle; gone after the tests. */
export async function buildHttpFunction() {
  const directory = scratchFolder('http-function');
  const [built] = await buildOwn({ functions: ['http'], outdir: directory });
  if (!built) throw new Error('nothing was built');
  return built;
}

/** The server as the platform starts it: node on the bundle, everything else in the environment. */
export async function startHttpFunction(
  { directory }: { directory: string },
  cluster: KafkaCluster,
  variables: Record<string, string> = {},
): Promise<RunningFunction> {
  const [port = 0] = await freePorts(1);
  const { app } = cluster.users;
  const running = start(process.execPath, [join(directory, 'index.js')], {
    env: {
      PATH: process.env.PATH,
      PORT: `${port}`,
      KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_SSL,
      KAFKA_SASL_USERNAME: app.username,
      KAFKA_SASL_PASSWORD: app.password,
      KAFKA_SSL_CA_LOCATION: cluster.caLocation,
      ...variables,
    },
  });
  await running.until('"listening"');
  return { ...running, url: `http://127.0.0.1:${port}`, port };
}
