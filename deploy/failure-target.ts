import type { AsyncConfig } from './api/functiongraph.ts';
import type { FunctionDescription } from './description.ts';

/** An hour: what waits longer than that is given up, and reported. */
const EVENT_AGE_S = 3_600;

/** What tells of asynchronous calls that fail, in the API's words. Undefined for a name of another form. */
export function failureTarget(name: string): { destination: string; param: string } | undefined {
  if (/^urn:smn:[^\s]+$/.test(name)) return target('SMN', { topic_urn: name });
  if (/^urn:fss:[^\s]+$/.test(name)) return target('FunctionGraph', { func_urn: name });
  const [, bucket, prefix = ''] = /^obs:\/\/([^/\s]+)\/?(\S*)$/.exec(name) ?? [];
  return bucket === undefined ? undefined : target('OBS', { bucket, prefix, expires: 0 });
}

function target(destination: string, param: Record<string, unknown>): { destination: string; param: string } {
  return { destination, param: JSON.stringify(param) };
}

/** The configuration to set; undefined where the function has it, or the file doesn't speak of it. */
export function changedAsyncConfig(
  { onFailure, retries }: FunctionDescription,
  present: AsyncConfig | undefined,
): AsyncConfig | undefined {
  const failure = onFailure === undefined ? undefined : failureTarget(onFailure);
  if (!failure) return undefined;
  if (present?.retries === retries && isSame(failure, present.onFailure)) return undefined;
  return { retries, ageS: present?.ageS ?? EVENT_AGE_S, onFailure: failure, onSuccess: present?.onSuccess };
}

function isSame(wanted: AsyncConfig['onFailure'], present: AsyncConfig['onFailure']): boolean {
  return wanted?.destination === present?.destination && normal(wanted?.param) === normal(present?.param);
}

/** The platform may write the JSON text in its own way. */
function normal(param: string | undefined): string {
  try {
    return JSON.stringify(Object.entries(JSON.parse(param ?? '{}')).sort());
  } catch {
    return String(param);
  }
}
