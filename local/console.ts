import { setTimeout as wait } from 'node:timers/promises';

const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const FRAME_INTERVAL_MS = 100;
const QUIET_MS = 300;

/** Work in progress. The last entry is a part of those before it, and is the one that is shown. */
const ongoing: object[] = [];

/**
 * Runs `work` and reports its progress on stderr, so that stdout can be piped: on a terminal by a line with a spinner
 * and the elapsed seconds, elsewhere by a line at the start and a line at the end. Work that takes less than 300 ms is
 * not reported.
 */
export async function withProgress<T>(label: string, work: () => Promise<T>): Promise<T> {
  const line: Line = { label, startedAt: performance.now() };
  ongoing.push(line);
  try {
    return await reported(line, work());
  } finally {
    ongoing.splice(ongoing.indexOf(line), 1);
  }
}

interface Line {
  label: string;
  startedAt: number;
}

async function reported<T>(line: Line, promise: Promise<T>): Promise<T> {
  if (await settlesQuickly(promise)) return promise;
  const stopLine = process.stderr.isTTY ? spin(line) : announce(line);
  try {
    const result = await promise;
    stopLine(`${coloured('✓', 32)} ${line.label} ${dim(`(${seconds(line)})`)}`);
    return result;
  } catch (error) {
    stopLine(`${coloured('✗', 31)} ${line.label} ${dim(`(failed after ${seconds(line)})`)}`);
    throw error;
  }
}

async function settlesQuickly(promise: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const settled = promise.then(
    () => true,
    () => true,
  );
  const late = wait(QUIET_MS, false, { signal: timer.signal }).catch(() => true);
  const quick = await Promise.race([settled, late]);
  timer.abort();
  return quick;
}

/** Text for stderr: grey on a terminal, unchanged elsewhere. */
export function dim(text: string): string {
  return coloured(text, 90);
}

function spin(line: Line): (last: string) => void {
  let frame = 0;
  const draw = (): void => {
    if (ongoing.at(-1) !== line) return;
    frame = (frame + 1) % FRAMES.length;
    process.stderr.write(`\r\x1b[2K${FRAMES[frame]} ${line.label} ${dim(seconds(line))}`);
  };
  draw();
  const timer = setInterval(draw, FRAME_INTERVAL_MS);
  return (last) => {
    clearInterval(timer);
    process.stderr.write(`\r\x1b[2K${last}\n`);
  };
}

function announce({ label }: Line): (last: string) => void {
  process.stderr.write(`${label} …\n`);
  return (last) => process.stderr.write(`${last}\n`);
}

function coloured(text: string, code: number): string {
  return process.stderr.isTTY && !process.env.NO_COLOR ? `\x1b[${code}m${text}\x1b[0m` : text;
}

function seconds({ startedAt }: Line): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}
