import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('./guard.mjs', import.meta.url));
// Nothing else: other variables of the caller may hold secrets, and a broker doesn't need them.
const PASSED_ON = [
  'PATH',
  'HOME',
  'JAVA_HOME',
  'JAVA_TOOL_OPTIONS',
  'LANG',
  'LC_ALL',
  'TMPDIR',
  'SystemRoot',
];

export interface GuardedProcess {
  /** Resolves with the exit code or signal once the process is gone. */
  exited: Promise<number | string>;
  /** Set with `exited`. */
  exit: number | string | undefined;
}

export interface Guard {
  start(id: string, file: string, args: readonly string[], log: string): GuardedProcess;
  signal(id: string, signal: NodeJS.Signals): void;
  /** Kills every process, removes the directory unless it is kept, and resolves when all is gone. */
  close(): Promise<void>;
}

interface Report {
  id: string;
  pid?: number;
  exit?: number | string;
}

/** Starts the process that owns a cluster's brokers and `directory`, and outlives this one to clean up. */
export function startGuard(directory: string, { keep = false } = {}): Guard {
  const child = spawn(process.execPath, [SCRIPT, directory, ...(keep ? ['keep'] : [])], {
    // Its own session, so that Ctrl-C in the terminal reaches us alone and the brokers stop in our order.
    detached: true,
    cwd: directory,
    env: Object.fromEntries(
      PASSED_ON.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
    ),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const processes = new Map<string, (exit: number | string) => void>();
  const pids = new Map<string, number>();
  const gone = once(child, 'exit').then(() => {
    // If it was killed before it could clean up, clean up for it.
    for (const pid of pids.values()) kill(pid);
    for (const end of processes.values()) end('SIGKILL');
  });
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (line) => {
    const report = JSON.parse(line) as Report;
    if (report.pid !== undefined) pids.set(report.id, report.pid);
    if (report.exit === undefined) return;
    pids.delete(report.id);
    processes.get(report.id)?.(report.exit);
    processes.delete(report.id);
  });

  return {
    start(id, file, args, log) {
      const guarded: GuardedProcess = { exit: undefined, exited: Promise.resolve(0) };
      guarded.exited = new Promise((resolve) => {
        processes.set(id, (exit) => {
          guarded.exit = exit;
          resolve(exit);
        });
      });
      tell(child, { start: { id, file, args, log } });
      return guarded;
    },
    signal(id, signal) {
      tell(child, { signal: { id, signal } });
    },
    async close() {
      child.stdin?.end();
      await gone;
      // Only needed if the guard was killed.
      if (!keep) await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function tell(child: ChildProcess, command: object): void {
  child.stdin?.write(`${JSON.stringify(command)}\n`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}
