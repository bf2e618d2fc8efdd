import { toFailure } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import { type Environment, readConfig } from '../../src/variables.ts';
import { visible } from '../../src/visible.ts';
import { check } from './check.ts';
import { functionConfig } from './config.ts';
import { configurationReport } from './formats/configuration-report.ts';
import type { Report } from './report.ts';

export interface CheckCall {
  environment: Environment;
  /** Epoch milliseconds; `CHECK_TIMEOUT_MS` may end the check before. */
  deadline: number;
}

/** Checks with the current configuration, so that a changed variable counts at once. */
export async function runCheck({ environment, deadline }: CheckCall): Promise<Report> {
  const startedAt = Date.now();
  try {
    const config = readCheckConfig(environment);
    const limit = config.check.timeoutMs;
    const until = limit === undefined ? deadline : Math.min(deadline, startedAt + limit);
    return visibleIn(await check({ ...config, environment }, until, createLog(config.logLevel)));
  } catch (error) {
    const failure = toFailure(error);
    if (failure.code !== 'CONFIG_INVALID') throw failure;
    return configurationReport(failure.message, startedAt);
  }
}

/** Names and evidence were said by others, and the report may be read anywhere. */
function visibleIn<T>(value: T): T;
function visibleIn(value: unknown): unknown {
  if (typeof value === 'string') return visible(value);
  if (Array.isArray(value)) return value.map((item) => visibleIn(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, visibleIn(member)]));
}

export function readCheckConfig(environment: Environment) {
  return readConfig(environment, functionConfig);
}
