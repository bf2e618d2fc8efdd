import type { Finding, Report, StageResult, StageStatus } from '../report.ts';
import { styles } from './html-styles.ts';
import { html, Markup, nothing } from './markup.ts';
import { type Place, placeName, places, probeLines } from './places.ts';
import { firstOfEachKind, groupText } from './text.ts';

const marks: Record<StageStatus, string> = {
  passed: '✓',
  failed: '✕',
  warning: '!',
  'not-reached': '·',
  skipped: '–',
};

/** The report as one page, without scripts and without anything to load. */
export function htmlReport(report: Report): string {
  const { ok, verdict, faults, warnings, targets, checkedAt, durationMs, accessMode, cluster } = report;
  const slowest = Math.max(1, ...targets.flatMap(({ stages }) => stages.map(({ ms }) => ms ?? 0)));
  const state = !ok ? 'failed' : warnings.length > 0 ? 'warning' : 'passed';
  const title = !ok
    ? (verdict?.fault ?? 'failed')
    : warnings.length > 0
      ? 'All rungs hold, with warnings'
      : 'All rungs hold';
  const summary = [
    `${durationMs} ms`,
    checkedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC'),
    accessMode === 'unknown' ? '' : `${accessMode} access`,
    cluster ? `${cluster.brokers.length} brokers, cluster ${cluster.clusterId ?? 'without an id'}` : '',
  ].filter(Boolean);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Kafka connectivity</title>
<style>${new Markup(styles)}</style>
</head>
<body>
<header class="${state}">
<p class="kind">Kafka connectivity</p>
<h1><span class="mark">${marks[state]}</span> ${title}</h1>
<p class="summary">${summary.join(' · ')}</p>
</header>
<main>
${firstOfEachKind(faults).map((fault) => findingCard(fault, 'failed'))}
${warnings.map((warning) => findingCard(warning, 'warning'))}
<section class="places">${places(targets).map((place) => placeCard(place, slowest))}</section>
${details(report)}
</main>
</body>
</html>
`;
  return page.text;
}

function findingCard({ fault, target, cause, remedy }: Finding, kind: 'failed' | 'warning'): Markup {
  return html`<section class="finding ${kind}">
<h2>${fault} <span>${target}</span></h2>
<p>${cause}</p>
<p class="remedy"><b>Do this:</b> ${remedy}</p>
</section>
`;
}

function placeCard(place: Place, slowest: number): Markup {
  const { address, stages, probes = [], certificateDaysLeft: days } = place;
  const rungs = stages.filter(({ status, evidence }) => status !== 'skipped' || evidence !== undefined);
  return html`<article>
<h2>${address}</h2>
<p class="role">${placeName(place)}${days === undefined ? '' : ` · certificate: ${days} days left`}</p>
${days === undefined ? nothing : daysBar(days)}
<ol>${rungs.map((stage) => rung(stage, slowest))}</ol>
${probes.length === 0 ? nothing : html`<ul class="probes">${probeLines(probes).map((line) => html`<li>${line}</li>`)}</ul>`}
</article>
`;
}

function rung({ stage, status, ms, evidence }: StageResult, slowest: number): Markup {
  const width = ms === undefined ? 0 : Math.max(1, Math.round((ms / slowest) * 100));
  return html`<li class="${status}">
<span class="mark" title="${status}">${marks[status]}</span>
<span class="stage">${stage}</span>
<span class="bar"><i style="width:${width}%"></i></span>
<span class="ms">${ms === undefined ? '' : `${ms} ms`}</span>
${evidence === undefined ? nothing : html`<span class="evidence">${evidence}</span>`}
</li>
`;
}

/** A year fills the bar, so that a short time stands out. */
function daysBar(days: number): Markup {
  const state = days < 0 ? 'failed' : days < 30 ? 'warning' : 'passed';
  const width = Math.max(2, Math.min(100, Math.round((days / 365) * 100)));
  return html`<p class="days ${state}"><i style="width:${width}%"></i></p>`;
}

function details(report: Report): Markup {
  const cards = [tlsRows, topicRows, permissionRows, groupRows, roundTripRows].map((rowsOf) =>
    card(...rowsOf(report)),
  );
  return html`<section class="details">${cards}</section>
`;
}

function tlsRows({ tls }: Report): Card {
  if (!tls) return ['TLS', []];
  const named = tls.hostnameMatches ? 'named by the certificate' : 'not named by the certificate';
  const minded = tls.hostnameMatches || tls.hostnameVerified ? '' : ', and not asked for';
  const chain = tls.chain.map(({ subject, daysLeft, validTo }): Row => {
    return [subject, `${daysLeft} days left, until ${validTo.slice(0, 10)}`];
  });
  return [
    'TLS',
    [['Protocol', `${tls.protocol}, ${tls.cipher}`], ['Host name', `${named}${minded}`], ...chain],
  ];
}

function topicRows({ topic }: Report): Card {
  const rows = topic?.partitions.map(({ partition, leader, replicas, isr }): Row => {
    const led = leader < 0 ? 'no leader' : `leader ${leader}`;
    return [`Partition ${partition}`, `${led}, ${isr.length} of ${replicas.length} replicas in sync`];
  });
  return [`Topic ${topic?.name}`, rows ?? []];
}

function permissionRows({ permissions }: Report): Card {
  const may = (operations: readonly string[] | null | undefined) => operations?.join(', ').toLowerCase();
  return [
    'Permissions',
    [
      ['Topic', may(permissions?.topic)],
      ['Group', may(permissions?.group)],
      ['Cluster', may(permissions?.cluster)],
    ],
  ];
}

function groupRows({ group }: Report): Card {
  if (!group) return ['Group', []];
  const behind = group.partitions.filter(({ lag }) => lag > 0);
  const rows: Row[] = [
    ['State', groupText(group)],
    ['Lag', `${group.lag} records`],
    ['Offsets', group.expiry ? `the group ${group.expiry}` : undefined],
    ...behind.map(({ topic, partition, lag }): Row => [`${topic}-${partition}`, `${lag} behind`]),
  ];
  return [`Group ${group.id}`, rows];
}

function roundTripRows({ roundTrip }: Report): Card {
  const rows = roundTrip?.partitions.map(({ partition, leader, ackMs, totalMs, lost, clockSkewMs }): Row => {
    const times = lost ? 'lost' : `acknowledged in ${ackMs ?? '–'} ms, back in ${totalMs ?? '–'} ms`;
    const clock = clockSkewMs === null ? '' : `, clock ${clockSkewMs} ms off`;
    return [`${roundTrip.topic}-${partition} over broker ${leader}`, `${times}${clock}`];
  });
  return ['Round trip', rows ?? []];
}

type Row = [name: string, value: string | undefined];
type Card = [title: string, rows: readonly Row[]];

function card(...[title, rows]: Card): Markup {
  const shown = rows.filter(([, value]) => value !== undefined);
  if (shown.length === 0) return nothing;
  return html`<article><h2>${title}</h2><dl>${shown.map(([name, value]) => html`<dt>${name}</dt><dd>${value ?? ''}</dd>`)}</dl></article>
`;
}
