import type { AsyncConfig } from './api/functiongraph.ts';
import type { FunctionDescription } from './description.ts';

/** An hour. A call that waits longer is given up and reported. */
const EVENT_AGE_S = 3_600;

/** The API's form of `onFailure`. Undefined if the name has no known form. */
export function failureTarget(name: string): { destination: string; param: string } | undefined {
  if (/^urn:smn:[^\s]+$/.test(name)) return target('SMN', { topic_urn: name });
  if (/^urn:fss:[^\s]+$/.test(name)) return target('FunctionGraph', { func_urn: name });
  const [, bucket, prefix = ''] = /^obs:\/\/([^/\s]+)\/?(\S*)$/.exec(name) ?? [];
  return bucket === undefined ? undefined : target('OBS', { bucket, prefix, expires: 0 });
}

function target(destination: string, param: Record<string, unknown>): { destination: string; param: string } {
  return { destination, param: JSON.stringify(param) };
}

/** The configuration to set; undefined if the function has it already, or the file doesn't say one. */
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

/** The platform may format the JSON text differently. */
function normal(param: string | undefined): string {
  try {
    return JSON.stringify(Object.entries(JSON.parse(param ?? '{}')).sort());
  } catch {
    return String(param);
  }
}
