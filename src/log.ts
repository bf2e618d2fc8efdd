import { causesOf, Failure } from './errors.ts';
import type { Meanings, Variables } from './variables.ts';
import { visible } from './visible.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Record<string, unknown>;

/** Writes JSON lines through `console`, because the platform tags those with the request id. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export const meanings = {
  LOG_LEVEL: { meaning: 'the least that is logged' },
} as const satisfies Meanings;

export function logLevel(variables: Variables): LogLevel {
  return variables.oneOf('LOG_LEVEL', logLevels, 'info');
}

/** The platform cuts lines at 90 KiB, and a cut line is not JSON. */
const MAX_VALUE_LENGTH = 4_096;

/** Creates a log that drops lines below `level`. Errors among the fields are written with their causes. */
export function createLog(level: LogLevel): Log {
  const threshold = logLevels.indexOf(level);
  const write = (lineLevel: LogLevel) =>
    logLevels.indexOf(lineLevel) < threshold
      ? () => {}
      : (message: string, fields: LogFields = {}) => {
          const line = { time: new Date().toISOString(), level: lineLevel, message, ...fields };
          console[lineLevel](visible(JSON.stringify(line, plain)));
        };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** Creates a log that adds these fields to every line, for one call. */
export function withFields(log: Log, known: LogFields): Log {
  const write = (level: LogLevel) => (message: string, fields?: LogFields) =>
    log[level](message, { ...known, ...fields });
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** Logs a request that failed as a whole. INTERNAL is a defect of ours, so it alone is an error. */
export function logFailed(log: Log, failure: Failure, known: LogFields): void {
  const level = failure.code === 'INTERNAL' ? 'error' : 'warn';
  log[level]('request failed', { ...known, code: failure.code, error: failure });
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error) return describe(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'string' && value.length > MAX_VALUE_LENGTH) {
    return `${value.slice(0, MAX_VALUE_LENGTH)}… (${value.length} characters)`;
  }
  return value;
}

/**
 * An error and its causes in one sentence, with the stack of the innermost one. A Failure has no stack unless it is a
 * defect: its code says enough.
 */
function describe(error: Error): { error: string; stack?: string } {
  const chain = causesOf(error);
  const sentences = chain.map((e) => {
    const code = 'code' in e && typeof e.code === 'string' ? ` (${e.code})` : '';
    return `${e.message}${code}`;
  });
  const origin = chain.at(-1);
  const stack = origin instanceof Failure && origin.code !== 'INTERNAL' ? undefined : origin?.stack;
  return { error: [...new Set(sentences)].join(': '), ...(stack === undefined ? {} : { stack }) };
}
