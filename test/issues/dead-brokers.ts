import assert from 'node:assert/strict';
import { exitCode } from '../../functions/connectivity-check/formats/exit-code.ts';
import type { Report } from '../../functions/connectivity-check/report.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { checkWith, type Variables, variablesFor } from '../support/check.ts';

const BUDGET_MS = 10_000;

export interface View {
  what: string;
  variables: Variables;
}

/** The ways in which a cluster is looked at: with every broker in the list, and with one alone. */
export function viewsOf(cluster: KafkaCluster, survivor = 0): View[] {
  const all = cluster.bootstrapServers.SASL_SSL;
  const one = all.split(',')[survivor] ?? '';
  return [
    { what: 'every broker in the list', variables: variablesFor(cluster, 'SASL_SSL', { servers: all }) },
    { what: 'one broker in the list', variables: variablesFor(cluster, 'SASL_SSL', { servers: one }) },
  ];
}

/** Whatever the metadata says by now, a dead broker is a fault, and its address is not blamed for it. */
export async function assertBrokenBy(nodeId: number, { what, variables }: View): Promise<Report> {
  const report = await checkWith(variables, BUDGET_MS);
  const { ok, verdict, faults, warnings } = report;
  assert.equal(ok, false, what);
  assert.match(verdict?.fault ?? '', /^(BROKER_DOWN|ADVERTISED_TCP_\w+)$/, what);
  assert.equal(exitCode(report), 20);
  assert.ok(
    warnings.every(({ fault }) => fault !== 'BOOTSTRAP_PARTIAL'),
    `${what}: nobody is told to shorten the list`,
  );
  assert.doesNotMatch(verdict?.remedy ?? '', /\b909\d\b|security group/, what);
  if (verdict?.fault === 'BROKER_DOWN') {
    assert.equal(verdict.target, `broker ${nodeId}`, what);
    assert.ok(report.cluster?.brokers.every((broker) => broker.nodeId !== nodeId));
  }
  assert.deepEqual(faults[0], verdict);
  return report;
}

export async function assertFine({ what, variables }: View): Promise<void> {
  const { ok, faults, warnings } = await checkWith(variables, BUDGET_MS);
  assert.deepEqual([ok, faults, warnings], [true, [], []], what);
}
