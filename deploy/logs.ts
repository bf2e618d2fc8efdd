import { setTimeout as wait } from 'node:timers/promises';
import type { LogTank } from './api/log-tank.ts';

export interface LogOptions {
  tail: boolean;
  /** `10m`, `2h`, `1d`, or a moment that Date can read; default `10m`. */
  startTime?: string | undefined;
  filter?: string | undefined;
  /** Milliseconds between two looks, default 2,000. */
  interval?: string | undefined;
  /** Called if lines may be missing. */
  onPartial?: () => void;
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MAX_DAYS = 30;
/** Lines arrive late and out of order, so each query overlaps the last one; lines that were seen are skipped. */
const OVERLAP_MS = 30_000;

/** A function's log lines, oldest first. With `tail` it never ends. */
export async function* followLogs(
  lts: LogTank,
  stream: { groupId: string; streamId: string },
  options: LogOptions,
): AsyncGenerator<string> {
  let from = startOf(options.startTime ?? '10m');
  let seen = new Set<string>();
  for (;;) {
    const to = Date.now();
    const { lines, complete } = await lts.query({ ...stream, from, to, keywords: options.filter });
    for (const { content, lineNumber } of lines) if (!seen.has(lineNumber)) yield content.trimEnd();
    if (!complete) options.onPartial?.();
    if (!options.tail) return;
    seen = new Set(lines.map(({ lineNumber }) => lineNumber));
    from = Math.max(from, to - OVERLAP_MS);
    await wait(Math.max(500, Number(options.interval ?? 2_000) || 2_000));
  }
}

function startOf(text: string): number {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const from = count ? Date.now() - Number(count) * (UNITS[unit] ?? 0) : Date.parse(text);
  if (Number.isNaN(from))
    throw new Error(`--startTime "${text}" must be like 10m, 2h, 1d or 2026-01-31T10:00:00Z.`);
  return Math.max(from, Date.now() - MAX_DAYS * 86_400_000);
}
