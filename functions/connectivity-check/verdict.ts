import { addressText } from '../../src/variables.ts';
import { adviseFault, adviseWarning } from './advice.ts';
import type { Climb } from './climb.ts';
import type { Findings } from './findings.ts';
import type { Notice } from './ladder/ladder.ts';
import { accessModeOf } from './probes/addresses.ts';
import { type FoundFault, rankFaults } from './rank.ts';
import type { AccessMode, ClusterReport, Report, TargetReport } from './report.ts';

/** Writes the report. The first of the sorted faults is the verdict. */
export function writeReport(findings: Findings): Report {
  const { run, bootstraps, brokers, startedAt } = findings;
  const climbs = [...bootstraps, ...brokers];
  for (const { ladder, reached } of climbs) if (!reached) ladder.abandon();
  const { faults, spares } = rankFaults(findings);
  const [worst] = faults;
  const found = faults.map(({ climb, broken }) => adviseFault(climb, broken, findings));
  const notices = [
    ...climbs.flatMap(({ ladder }) => ladder.notices),
    ...findings.notices,
    ...spares.map(partialNotice),
  ];
  return {
    schemaVersion: 1,
    ok: worst === undefined,
    durationMs: Date.now() - startedAt,
    checkedAt: new Date(startedAt).toISOString(),
    accessMode: accessMode(run.connection.bootstrapServers.map(({ port }) => port)),
    verdict: found[0] ?? null,
    faults: found,
    warnings: distinctNotices(notices).map((notice) => adviseWarning(notice, findings)),
    targets: climbs.map(targetReport),
    tls: worst?.climb.tls ?? climbs.find(({ tls }) => tls)?.tls ?? null,
    cluster: clusterReport(findings),
    topic: findings.topic ?? null,
    permissions: Object.values(findings.permissions).some((known) => known !== null)
      ? findings.permissions
      : null,
    group: findings.group ?? null,
    roundTrip: findings.roundTrip ?? null,
  };
}

function partialNotice({ climb, broken }: FoundFault): Notice {
  const detail = `${broken.fault}: ${broken.evidence}`;
  return { warning: 'BOOTSTRAP_PARTIAL', target: addressText(climb.address), detail };
}

/** A notice that several addresses share, such as about their certificate, is given once. */
function distinctNotices(notices: readonly Notice[]): Notice[] {
  return [...new Map(notices.map((notice) => [`${notice.warning} ${notice.detail}`, notice])).values()];
}

function targetReport({ address, nodeId, ladder, tls }: Climb): TargetReport {
  const days = tls?.chain.map(({ daysLeft }) => daysLeft) ?? [];
  const probes = ladder.broken?.probes ?? [];
  return {
    address: addressText(address),
    role: ladder.role,
    ...(nodeId === undefined ? {} : { nodeId }),
    stages: ladder.results(),
    ...(days.length === 0 ? {} : { certificateDaysLeft: Math.min(...days) }),
    ...(probes.length === 0 ? {} : { probes: [...probes] }),
  };
}

function clusterReport({ seat, brokers }: Findings): ClusterReport | null {
  const metadata = seat?.reached?.metadata;
  if (!metadata) return null;
  return {
    clusterId: metadata.clusterId,
    controllerId: metadata.controllerId,
    brokers: metadata.brokers.map(({ nodeId, host, port, rack }) => ({
      nodeId,
      address: addressText({ host, port }),
      rack,
      reached: brokers.some((broker) => broker.nodeId === nodeId && !broker.ladder.broken),
    })),
  };
}

function accessMode(ports: readonly number[]): AccessMode {
  const [first = 'unknown', ...others] = new Set(ports.map(accessModeOf));
  return others.length === 0 ? first : 'unknown';
}
