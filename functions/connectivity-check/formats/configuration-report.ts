import type { Finding, Report } from '../report.ts';

/** The report on a wrong configuration, which leaves no address to climb from. */
export function configurationReport(problem: string, startedAt: number): Report {
  const verdict: Finding = {
    fault: 'CONFIG_INVALID',
    target: 'configuration',
    cause: problem,
    remedy: 'Correct the named environment variables of the function (README, table of variables).',
  };
  return {
    schemaVersion: 1,
    ok: false,
    durationMs: Date.now() - startedAt,
    checkedAt: new Date(startedAt).toISOString(),
    accessMode: 'unknown',
    verdict,
    faults: [verdict],
    warnings: [],
    targets: [],
    tls: null,
    cluster: null,
    topic: null,
    permissions: null,
    group: null,
    roundTrip: null,
  };
}
