import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FILES = ['build', 'build.ts', 'certificates', 'deploy', 'functions', 'local', 'src'];
const MORE = ['package.json', 'package-lock.json', 'serverless.yml', 'tsconfig.json'];

/** A checkout of a test's own: its `.env`, `serverless.yml` and `.kafka-functions/` are nobody else's. */
export function scratchCheckout(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'checkout-')));
  after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  for (const name of [...FILES, ...MORE]) {
    cpSync(join(ROOT, name), join(directory, name), { recursive: true, force: false });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return directory;
}

/** This process's environment without what would be a variable of the functions. */
export function cleanEnvironment(variables: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const isOurs = (name: string) =>
    /^(KAFKA|PRODUCE|CONSUME|CHECK|HTTP|PULL)_/.test(name) && name !== 'KAFKA_FUNCTIONS_CACHE';
  const kept = Object.entries(process.env).filter(([name]) => !isOurs(name));
  return { ...Object.fromEntries(kept), ...variables };
}

/** What `npm start` runs, as a process. */
export function npmStart(
  checkout: string,
  { args = [], variables = {} }: { args?: readonly string[]; variables?: NodeJS.ProcessEnv } = {},
) {
  const child = spawn(process.execPath, ['local/run.mjs', 'local/start.ts', ...args], {
    cwd: checkout,
    env: cleanEnvironment({ PORT: '0', ...variables }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  after(() => child.kill('SIGKILL'));
  let output = '';
  const readers = new Set<() => void>();
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
      for (const read of readers) read();
    });
  }
  return {
    child,
    ended,
    output: () => output,
    /** The gateway's address. */
    url: () => /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0] ?? '',
    /** Resolves once the output has all of them, on either of its two streams; rejects if the process ends before. */
    until: (...texts: string[]) =>
      new Promise<void>((resolve, reject) => {
        const read = () => {
          if (!texts.every((text) => output.includes(text))) return;
          readers.delete(read);
          resolve();
        };
        readers.add(read);
        void ended.then(() => reject(new Error(`ended without "${texts}":\n${output}`)));
        read();
      }),
  };
}

/** A command in another shell of the checkout, which has read `.kafka-functions/env`. */
export function inShell(
  checkout: string,
  command: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      '/bin/sh',
      ['-c', `. .kafka-functions/env && ${command}`],
      { cwd: checkout, env: cleanEnvironment() },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}
