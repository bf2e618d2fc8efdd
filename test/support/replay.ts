import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { KafkaCluster, Listener } from '../../local/kafka/cluster.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The command as npm runs it, by a user that may do all of it. */
export function replayWith(cluster: KafkaCluster, listener: Listener, ...args: string[]) {
  return runReplay(cluster, args, { KAFKA_SECURITY_PROTOCOL: listener });
}

/** `variables` win over those that reach the cluster. */
export async function runReplay(
  cluster: KafkaCluster,
  args: readonly string[],
  variables: Record<string, string> = {},
): Promise<{ stdout: string; stderr: string; code: number | null }> {
  const listener = (variables.KAFKA_SECURITY_PROTOCOL ?? 'SASL_SSL') as Listener;
  const child = spawn(
    process.execPath,
    ['local/run.mjs', 'functions/consume-batch/replay/replay.ts', ...args],
    {
      cwd: root,
      env: {
        ...process.env,
        KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers[listener],
        KAFKA_SSL_CA_LOCATION: cluster.caLocation,
        KAFKA_SASL_USERNAME: cluster.users.app.username,
        KAFKA_SASL_PASSWORD: cluster.users.app.password,
        ...variables,
      },
    },
  );
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (output.stdout += chunk));
  child.stderr.on('data', (chunk) => (output.stderr += chunk));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { ...output, code };
}
