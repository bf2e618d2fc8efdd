import type { Report } from '../report.ts';

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Record<string, string | number>;
type Sample = [labels: Labels, value: number];

/** The report in Prometheus's text format (prometheus.io/docs/instrumenting/exposition_formats). */
export function prometheusText(report: Report): string {
  const { ok, durationMs, checkedAt, faults, warnings, targets, group, topic, roundTrip } = report;
  const behind = topic?.partitions.filter(({ replicas, isr }) => isr.length < replicas.length).length;
  const leaderless = topic?.partitions.filter(({ leader }) => leader < 0).length;
  const of = (name: string | undefined) => (name === undefined ? [] : [{ topic: name }]);
  const seconds = (ms: number | null) => (ms === null ? Number.NaN : ms / 1_000);
  const trips = roundTrip?.partitions ?? [];
  const trip = ({ partition, leader }: (typeof trips)[number]) => ({
    topic: roundTrip?.topic ?? '',
    partition,
    leader,
  });
  const families = [
    gauge('up', 'Whether every rung of the ladder holds.', [[{}, ok ? 1 : 0]]),
    gauge('duration_seconds', 'How long the check took.', [[{}, durationMs / 1_000]]),
    gauge('last_run_timestamp_seconds', 'When the check began.', [[{}, Date.parse(checkedAt) / 1_000]]),
    gauge(
      'fault',
      'What is broken, by fault id.',
      faults.map(({ fault, target }) => [{ fault, target }, 1]),
    ),
    gauge(
      'warning',
      'What to know before it breaks, by id.',
      warnings.map(({ fault, target }) => [{ fault, target }, 1]),
    ),
    gauge(
      'stage_success',
      'Whether a rung holds at an address (1), or not (0).',
      stageSamples(report, ({ status }) =>
        status === 'passed' || status === 'warning' ? 1 : status === 'failed' ? 0 : undefined,
      ),
    ),
    gauge(
      'stage_duration_seconds',
      'How long a rung took at an address.',
      stageSamples(report, ({ ms }) => (ms === undefined ? undefined : ms / 1_000)),
    ),
    gauge(
      'certificate_days_left',
      'Days until the first certificate of the chain expires.',
      targets.flatMap(({ address, role, certificateDaysLeft: days }) =>
        days === undefined ? [] : [[{ address, role }, days] satisfies Sample],
      ),
    ),
    gauge(
      'topic_under_replicated_partitions',
      'Partitions that lack a replica.',
      of(topic?.name).map((l) => [l, behind ?? 0]),
    ),
    gauge(
      'topic_leaderless_partitions',
      'Partitions without a leader.',
      of(topic?.name).map((l) => [l, leaderless ?? 0]),
    ),
    gauge(
      'group_lag',
      'Records that the group has not read yet.',
      group ? [[{ group: group.id }, group.lag]] : [],
    ),
    gauge(
      'round_trip_ack_seconds',
      'Time to the acknowledgement.',
      trips.map((t) => [trip(t), seconds(t.ackMs)]),
    ),
    gauge(
      'round_trip_seconds',
      'Time from publishing to reading back.',
      trips.map((t) => [trip(t), seconds(t.totalMs)]),
    ),
    gauge(
      'round_trip_lost',
      'Whether the acknowledged record was not there.',
      trips.map((t) => [trip(t), t.lost ? 1 : 0]),
    ),
    gauge(
      'clock_skew_seconds',
      "The broker's clock less the function's.",
      trips.flatMap((t) =>
        t.clockSkewMs === null ? [] : [[trip(t), t.clockSkewMs / 1_000] satisfies Sample],
      ),
    ),
  ];
  return families.join('');
}

function stageSamples(
  { targets }: Report,
  read: (stage: Report['targets'][number]['stages'][number]) => number | undefined,
): Sample[] {
  return targets.flatMap(({ address, role, stages }) =>
    stages.flatMap((stage) => {
      const value = read(stage);
      return value === undefined ? [] : [[{ address, role, stage: stage.stage }, value] satisfies Sample];
    }),
  );
}

function gauge(name: string, help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return '';
  const full = `kafka_connectivity_${name}`;
  const lines = samples.map(([labels, value]) => `${full}${labelText(labels)} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} gauge\n${lines.join('')}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(`${value}`)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
