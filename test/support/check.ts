import type { Report, StageResult } from '../../functions/connectivity-check/report.ts';
import { runCheck } from '../../functions/connectivity-check/run-check.ts';
import type { KafkaCluster, KafkaUser, Listener } from '../../local/kafka/cluster.ts';

export type Variables = Record<string, string>;

/** Runs the check with these variables and nothing of this process's own. */
export function checkWith(variables: Variables, budgetMs = 5_000): Promise<Report> {
  return runCheck({ environment: (name) => variables[name], deadline: Date.now() + budgetMs });
}

/** The variables that reach a cluster, at its first broker unless told otherwise. */
export function variablesFor(
  cluster: KafkaCluster,
  listener: Listener,
  {
    user = cluster.users.app,
    servers = first(cluster.bootstrapServers[listener]),
  }: { user?: KafkaUser; servers?: string } = {},
): Variables {
  return {
    KAFKA_BOOTSTRAP_SERVERS: servers,
    KAFKA_SECURITY_PROTOCOL: listener,
    ...(listener.startsWith('SASL') && {
      KAFKA_SASL_USERNAME: user.username,
      KAFKA_SASL_PASSWORD: user.password,
    }),
    ...(listener.endsWith('SSL') && { KAFKA_SSL_CA_PEM: cluster.caPem }),
  };
}

export function stageAt(report: Report, target: number, stage: string): StageResult | undefined {
  return report.targets[target]?.stages.find((result) => result.stage === stage);
}

function first(servers: string): string {
  return servers.split(',')[0] ?? '';
}
