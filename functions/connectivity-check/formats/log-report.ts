import { createLog } from '../../../src/log.ts';
import type { Report } from '../report.ts';
import { oneLine } from './text.ts';

/** Writes one line a run, for searches and alerts, with the numbers beside it. */
export function logReport(report: Report, { requestId }: { requestId: string }): void {
  const { ok, verdict, faults, warnings, durationMs } = report;
  const fields = {
    requestId,
    ok,
    fault: verdict?.fault ?? null,
    target: verdict?.target ?? null,
    faults: faults.map(({ fault, target }) => `${fault} ${target}`),
    warnings: warnings.map(({ fault, target }) => `${fault} ${target}`),
    durationMs,
  };
  const level = !ok ? 'error' : warnings.length > 0 ? 'warn' : 'info';
  createLog('info')[level](oneLine(report), fields);
}
