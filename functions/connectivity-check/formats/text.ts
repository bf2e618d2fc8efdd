import type { Finding, GroupReport, Report, StageStatus } from '../report.ts';
import { type Place, placeName, places, probeLines } from './places.ts';

const marks: Record<StageStatus, string> = {
  passed: 'ok',
  failed: 'FAILED',
  warning: 'warning',
  'not-reached': '-',
  skipped: '-',
};

/** The report for a terminal: the verdict first, then the ladder of every address. */
export function textReport(report: Report): string {
  const { ok, verdict, faults, warnings, targets, durationMs, group, roundTrip } = report;
  const others = firstOfEachKind(faults).slice(1);
  const lines = [
    verdict ? findingText('FAILED', verdict) : `OK: every rung holds (${durationMs} ms)`,
    ...others.map((fault) => findingText('also', fault)),
    ...warnings.map((warning) => findingText('warning', warning)),
    ...places(targets).map(placeText),
    ...(group ? [`group ${group.id}: ${groupText(group)}, lag ${group.lag}`] : []),
    ...(group?.expiry ? [`group ${group.id} ${group.expiry}`] : []),
    ...(roundTrip?.partitions ?? []).map(
      ({ partition, leader, ackMs, totalMs, lost }) =>
        `round trip ${roundTrip?.topic}-${partition} over broker ${leader}: ${lost ? 'LOST' : `ack ${ackMs ?? '-'} ms, total ${totalMs ?? '-'} ms`}`,
    ),
  ];
  return `${lines.join(ok ? '\n' : '\n\n')}\n`;
}

/** The report in one line, for a log that people search. */
export function oneLine({ ok, verdict, faults, warnings, durationMs, targets }: Report): string {
  const after = `${targets.length} addresses, ${durationMs} ms`;
  const others = firstOfEachKind(faults)
    .slice(1)
    .map(({ fault, target }) => `${fault} at ${target}`);
  if (verdict) {
    const more = others.length > 0 ? `; also ${others.join(', ')}` : '';
    return `${verdict.fault} at ${verdict.target}: ${verdict.cause} ${verdict.remedy} (${after}${more})`;
  }
  const also = warnings.length > 0 ? `, ${warnings.map(({ fault }) => fault).join(', ')}` : '';
  return `${ok ? 'Kafka is reached' : 'Kafka is not reached'}${also} (${after})`;
}

/** The ladders show where else a fault occurs. */
export function firstOfEachKind(faults: readonly Finding[]): Finding[] {
  return faults.filter(({ fault }, index) => faults.findIndex((other) => other.fault === fault) === index);
}

export function groupText({ type, state, members }: GroupReport): string {
  return `${type}, ${state}${members === null ? '' : `, ${members} members`}`;
}

function findingText(word: string, { fault, target, cause, remedy }: Finding): string {
  return `${word}: ${fault} at ${target}\n  why   ${cause}\n  do    ${remedy}`;
}

function placeText(place: Place): string {
  const { address, stages, probes = [] } = place;
  const shown = stages.filter(({ status }) => status !== 'skipped' && status !== 'not-reached');
  const missing = stages.filter(({ status }) => status === 'not-reached').map(({ stage }) => stage);
  const rungs = shown.map(({ stage, status, ms, evidence }) => {
    const time = ms === undefined ? '' : `${ms} ms`;
    return `  ${stage.padEnd(12)}${marks[status].padEnd(8)}${time.padStart(10)}  ${evidence ?? ''}`.trimEnd();
  });
  const asked = probeLines(probes).map((line) => `  ${line}`);
  const notReached = missing.length > 0 ? [`  not reached: ${missing.join(', ')}`] : [];
  return [`${address} (${placeName(place)})`, ...rungs, ...notReached, ...asked].join('\n');
}
