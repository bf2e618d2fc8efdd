import { accessModeOf } from './addresses.ts';
import { adviseFault, adviseWarning } from './advice.ts';
import type { Climb } from './climb.ts';
import { stageOf, stages } from './faults.ts';
import type { Findings } from './findings.ts';
import type { Notice } from './ladder.ts';
import type { AccessMode, ClusterReport, Report, TargetReport, TlsReport } from './report.ts';
import { addressText } from './run.ts';

type BrokenClimb = Climb & { broken: NonNullable<Climb['ladder']['broken']> };

/** Weighs what was found: the lowest broken rung is the verdict, a bootstrap address before a broker. */
export function writeReport(findings: Findings): Report {
  const { run, bootstraps, brokers, seat, startedAt } = findings;
  const climbs = [...bootstraps, ...brokers];
  for (const { ladder, reached } of climbs) if (!reached) ladder.abandon();
  const isPartial =
    seat !== undefined && !stopsBelowMetadata(seat.ladder.broken) && brokers.every(reachedMetadata);
  const deadBootstraps = isPartial
    ? bootstraps.filter(({ ladder }) => stopsBelowMetadata(ladder.broken))
    : [];
  const broken = climbs.filter((climb) => !deadBootstraps.includes(climb)).flatMap(asBroken);
  const worst = broken.reduce<BrokenClimb | undefined>((lowest, climb) => {
    return lowest && rung(lowest) <= rung(climb) ? lowest : climb;
  }, undefined);
  const notices = [
    ...climbs.flatMap(({ ladder }) => ladder.notices),
    ...findings.notices,
    ...deadBootstraps.flatMap(asBroken).map(partialNotice),
  ];
  return {
    schemaVersion: 1,
    ok: worst === undefined,
    durationMs: Date.now() - startedAt,
    checkedAt: new Date(startedAt).toISOString(),
    accessMode: accessMode(run.connection.bootstrapServers.map(({ port }) => port)),
    verdict: worst ? adviseFault(worst, worst.broken, findings) : null,
    warnings: distinctNotices(notices).map((notice) => adviseWarning(notice, findings)),
    targets: climbs.map(targetReport),
    tls: tlsOf(worst, [...bootstraps, ...brokers]),
    cluster: clusterReport(findings),
    topic: findings.topic ?? null,
    permissions: hasPermissions(findings) ? findings.permissions : null,
    group: findings.group ?? null,
    roundTrip: findings.roundTrip ?? null,
  };
}

function asBroken(climb: Climb): BrokenClimb[] {
  const { broken } = climb.ladder;
  return broken ? [{ ...climb, broken }] : [];
}

function rung({ broken }: BrokenClimb): number {
  return stages.indexOf(stageOf(broken.fault));
}

function stopsBelowMetadata(broken: Climb['ladder']['broken']): boolean {
  return broken !== undefined && stages.indexOf(stageOf(broken.fault)) <= stages.indexOf('metadata');
}

function reachedMetadata({ ladder }: Climb): boolean {
  return !stopsBelowMetadata(ladder.broken);
}

function partialNotice({ address, broken }: BrokenClimb): Notice {
  const detail = `${broken.fault}: ${broken.evidence}`;
  return { warning: 'BOOTSTRAP_PARTIAL', target: addressText(address), detail };
}

/** What is seen at several addresses, such as the certificate that they share, is warned of once. */
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

function tlsOf(worst: Climb | undefined, climbs: readonly Climb[]): TlsReport | null {
  return worst?.tls ?? climbs.find(({ tls }) => tls)?.tls ?? null;
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

function hasPermissions({ permissions: { topic, group, cluster } }: Findings): boolean {
  return topic !== null || group !== null || cluster !== null;
}

function accessMode(ports: readonly number[]): AccessMode {
  const [first = 'unknown', ...others] = new Set(ports.map(accessModeOf));
  return others.length === 0 ? first : 'unknown';
}
