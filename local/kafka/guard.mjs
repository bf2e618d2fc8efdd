// Owns the Java processes of one cluster. It is a process of its own because it must outlive the process that started
// the cluster: when its standard input closes, for whatever reason, it kills them and removes their directory, unless
// that is to be kept.
// Plain JavaScript, so that it starts in milliseconds and needs no dependency.
//
// In:  {"start": {"id", "file", "args", "log"}} and {"signal": {"id", "signal"}}, one JSON object a line.
// Out: {"id", "pid"} and {"id", "exit": code or signal}.
import { spawn } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [directory, keep] = process.argv.slice(2);
const running = new Map();
let closing = false;

// The parent may already be gone when a process ends.
process.stdout.on('error', () => {});

const commands = createInterface({ input: process.stdin });
commands.on('line', (line) => {
  const { start, signal } = JSON.parse(line);
  if (start) startProcess(start);
  if (signal) running.get(signal.id)?.kill(signal.signal);
});
commands.on('close', close);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, close);

function startProcess({ id, file, args, log }) {
  if (closing) return;
  const output = openSync(log, 'a', 0o600);
  const child = spawn(file, args, { cwd: directory, stdio: ['ignore', output, output] });
  closeSync(output);
  running.set(id, child);
  const gone = (exit) => {
    running.delete(id);
    report({ id, exit });
    if (closing) finishWhenAllAreGone();
  };
  child.once('spawn', () => report({ id, pid: child.pid }));
  child.once('error', (error) => child.pid === undefined && gone(error.message));
  child.once('exit', (code, signal) => gone(code ?? signal));
}

function close() {
  if (closing) return;
  closing = true;
  for (const child of running.values()) child.kill('SIGKILL');
  finishWhenAllAreGone();
}

function finishWhenAllAreGone() {
  if (running.size > 0) return;
  if (keep !== 'keep') rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  process.exit(0);
}

function report(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
