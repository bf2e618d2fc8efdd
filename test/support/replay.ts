import type { KafkaCluster, Listener } from '../../local/kafka/cluster.ts';
import { type Ended, runScript } from './processes.ts';

/** The command as npm runs it, by a user that may do all of it. */
export function replayWith(cluster: KafkaCluster, listener: Listener, ...args: string[]) {
  return runReplay(cluster, args, { KAFKA_SECURITY_PROTOCOL: listener });
}

/** `variables` win over those that reach the cluster. */
export function runReplay(
  cluster: KafkaCluster,
  args: readonly string[],
  variables: Record<string, string> = {},
): Promise<Ended> {
  const listener = (variables.KAFKA_SECURITY_PROTOCOL ?? 'SASL_SSL') as Listener;
  return runScript('functions/consume-batch/replay/replay.ts', args, {
    ...process.env,
    KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers[listener],
    KAFKA_SSL_CA_LOCATION: cluster.caLocation,
    KAFKA_SASL_USERNAME: cluster.users.app.username,
    KAFKA_SASL_PASSWORD: cluster.users.app.password,
    ...variables,
  });
}
