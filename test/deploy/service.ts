/** A service directory for osls: this project's plugin, and a `serverless.yml` of the test's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Ran {
  code: number | null;
  /** What it has said on either stream: osls writes its errors to both. */
  output: string;
}

export interface Service {
  directory: string;
  /** Runs `osls` with these arguments and nothing of this process's environment but what Node needs. */
  osls(...args: string[]): Promise<Ran>;
  /** For the runs to come. */
  environment: Record<string, string>;
  write(yaml: string): void;
  /** Everything that was written there: package, `.serverless`, `dist`; not the plugin. */
  contents(): string;
}

/** The file that is deployed for real. */
export const projectFile = readFileSync(join(root, 'serverless.yml'), 'utf8');

export function newService(t: { after(clean: () => void): void }, yaml: string): Service {
  const directory = mkdtempSync(join(tmpdir(), 'service-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  symlinkSync(join(root, 'deploy'), join(directory, 'deploy'));
  const service: Service = {
    directory,
    environment: {},
    write: (content) => writeFileSync(join(directory, 'serverless.yml'), content),
    osls: (...args) => runOsls(directory, service.environment, args),
    contents: () => readAll(directory),
  };
  service.write(yaml);
  return service;
}

async function runOsls(cwd: string, environment: Record<string, string>, args: string[]): Promise<Ran> {
  const { PATH } = process.env;
  const child = spawn(process.execPath, [join(root, 'node_modules/osls/bin/serverless.js'), ...args], {
    cwd,
    env: { PATH, HOME: cwd, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { code, output: stderr + stdout };
}

function readAll(directory: string): string {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}
