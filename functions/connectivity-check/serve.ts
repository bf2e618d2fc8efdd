import { acceptedTypes } from '../../src/http/accept.ts';
import type { HttpRequest, HttpResponse } from '../../src/http/message.ts';
import { htmlReport } from './formats/html.ts';
import { PROMETHEUS_TYPE, prometheusText } from './formats/prometheus.ts';
import type { Report } from './report.ts';
import { type CheckCall, runCheck } from './run-check.ts';

type Format = 'json' | 'html' | 'prometheus';

const formatsByType = new Map<string, Format>([
  ['application/json', 'json'],
  ['application/*', 'json'],
  ['*/*', 'json'],
  ['text/html', 'html'],
  ['text/plain', 'prometheus'],
  ['text/*', 'prometheus'],
]);

const writers: Record<Format, { type: string; write: (report: Report) => string }> = {
  json: { type: 'application/json', write: (report) => JSON.stringify(report) },
  html: { type: 'text/html; charset=utf-8', write: htmlReport },
  prometheus: { type: PROMETHEUS_TYPE, write: prometheusText },
};

/**
 * Answers 200 where every rung holds, else 503, in the requested format. Prometheus text is always 200, because a
 * scrape with another status is dropped. Nothing else of a request is read.
 */
export async function serveCheck(request: HttpRequest, call: CheckCall): Promise<HttpResponse> {
  const format = formatOf(request);
  const { type, write } = writers[format];
  const report = await sharedCheck(call);
  return {
    status: report.ok || format === 'prometheus' ? 200 : 503,
    headers: {
      'content-type': type,
      'cache-control': 'no-store',
      vary: 'accept',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    },
    body: write(report),
  };
}

const running = new WeakMap<CheckCall['environment'], Promise<Report>>();

/** Callers that come while a check runs share its report, so that they don't multiply connections and logins. */
function sharedCheck(call: CheckCall): Promise<Report> {
  const { environment } = call;
  const report = running.get(environment) ?? runCheck(call).finally(() => running.delete(environment));
  running.set(environment, report);
  return report;
}

function formatOf({ query, headers }: HttpRequest): Format {
  const asked = query.format;
  if (asked === 'json' || asked === 'html' || asked === 'prometheus') return asked;
  const formats = acceptedTypes(headers.accept).map((type) => formatsByType.get(type));
  return formats.find((format) => format !== undefined) ?? 'json';
}
