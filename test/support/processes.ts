import { type ChildProcessWithoutNullStreams, type SpawnOptions, spawn } from 'node:child_process';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

type Options = Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid' | 'timeout'> & {
  /** What it reads; default: nothing. */
  input?: string;
};

export interface Running {
  child: ChildProcessWithoutNullStreams;
  stdout(): string;
  stderr(): string;
  /** Both streams, in the order in which they came. */
  output(): string;
  /** Resolves once it has written this; rejects where it ends before. */
  until(text: string): Promise<void>;
  /** Its exit code. */
  ended: Promise<number | null>;
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  output: string;
}

/** Starts a program, which is killed after the tests. */
export function start(
  command: string,
  args: readonly string[],
  { input, ...options }: Options = {},
): Running {
  const child = spawn(command, args, { ...options, stdio: 'pipe' });
  after(() => child.kill('SIGKILL'));
  const written = { stdout: '', stderr: '', output: '' };
  const readers = new Set<() => void>();
  const take = (stream: 'stdout' | 'stderr', text: string) => {
    written[stream] += text;
    written.output += text;
    for (const read of readers) read();
  };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => take(stream, text));
  }
  child.on('error', ({ message }) => take('stderr', message));
  // A program that ends early says why; its exit code is what counts.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    ...{ child, ended },
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    output: () => written.output,
    until: (text) =>
      new Promise((resolve, reject) => {
        const read = () => {
          if (!written.output.includes(text)) return;
          readers.delete(read);
          resolve();
        };
        readers.add(read);
        void ended.then(() => reject(new Error(`ended without "${text}":\n${written.output}`)));
        read();
      }),
  };
}

/** Runs a program to its end. */
export async function run(command: string, args: readonly string[], options?: Options): Promise<Ended> {
  const { ended, stdout, stderr, output } = start(command, args, options);
  return { code: await ended, stdout: stdout(), stderr: stderr(), output: output() };
}

/** Runs one of the project's commands as npm runs it. */
export function runScript(
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ended> {
  return run(process.execPath, ['local/run.mjs', script, ...args], { cwd: root, env });
}
