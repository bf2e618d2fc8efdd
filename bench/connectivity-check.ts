/**
 * Compares the check of three brokers over SASL_SSL, with a topic and a group, with the bare kafkajs connections that
 * any such check needs: one to a bootstrap address, then three at the same time.
 */
import { check } from '../functions/connectivity-check/check.ts';
import { readCheckConfig } from '../functions/connectivity-check/run-check.ts';
import { type KafkaCluster, withKafka } from '../local/kafka/cluster.ts';
import { environmentOf } from '../local/kafka/sandbox.ts';
import { createLog } from '../src/log.ts';
import { median, percentile, printTable } from './figures.ts';
import { kafkajs } from './kafkajs.ts';

const WARM_UP = 20;
const RUNS = 150;
const TOPIC = 'checked';

export async function run(): Promise<void> {
  await withKafka({ brokers: 3 }, async (cluster) => {
    await cluster.createTopic(TOPIC);
    const contestants = [
      ['whole check', () => wholeCheck(cluster, { CHECK_TOPIC: TOPIC, CHECK_GROUP_ID: 'group' })],
      ['check without topic and group', () => wholeCheck(cluster, {})],
      ['bare kafkajs connections', () => bareConnections(cluster)],
    ] as const;
    const samples = contestants.map((): number[] => []);
    for (let index = -WARM_UP; index < RUNS; index++) {
      for (const [position, [, contest]] of contestants.entries()) {
        const startedAt = performance.now();
        await contest();
        if (index >= 0) samples[position]?.push(performance.now() - startedAt);
      }
    }
    const bare = median(samples.at(-1) ?? []);
    const rows = contestants.map(([name], position) => {
      const own = samples[position] ?? [];
      return [name, median(own), percentile(own, 0.95), `${(median(own) / bare).toFixed(2)}×`];
    });
    printTable(['', 'p50 ms', 'p95 ms', 'p50 to bare'], rows);
  });
}

async function wholeCheck(cluster: KafkaCluster, more: Record<string, string>): Promise<void> {
  const variables: Record<string, string> = {
    ...environmentOf(cluster),
    KAFKA_BOOTSTRAP_SERVERS: firstServer(cluster),
    ...more,
  };
  const config = readCheckConfig((name) => variables[name]);
  const report = await check(
    { ...config, environment: () => undefined },
    Date.now() + 10_000,
    createLog('error'),
  );
  if (!report.ok || report.targets.length !== 4) throw new Error(JSON.stringify(report.verdict));
}

async function bareConnections(cluster: KafkaCluster): Promise<void> {
  const servers = cluster.bootstrapServers.SASL_SSL.split(',');
  const first = await connected(cluster, firstServer(cluster));
  const others = await Promise.all(servers.map((server) => connected(cluster, server)));
  await Promise.all([first, ...others].map((admin) => admin.disconnect()));
}

async function connected(cluster: KafkaCluster, server: string) {
  const environment = { ...environmentOf(cluster), KAFKA_BOOTSTRAP_SERVERS: server };
  const admin = kafkajs(environment).admin({ retry: { retries: 0 } });
  await admin.connect();
  return admin;
}

function firstServer(cluster: KafkaCluster): string {
  return cluster.bootstrapServers.SASL_SSL.split(',')[0] ?? '';
}
