/** A service directory for osls: this project's plugin, and a `serverless.yml` of the test's. */

import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '../support/folders.ts';
import { type Ended, root, run } from '../support/processes.ts';

export interface Service {
  directory: string;
  /** Runs `osls` with these arguments and nothing of this process's environment but what Node needs. */
  osls(...args: string[]): Promise<Ended>;
  /** For the runs to come. */
  environment: Record<string, string>;
  write(yaml: string): void;
  /** Everything that was written there: package, `.serverless`, `dist`; not the plugin. */
  contents(): string;
}

/** The file that is deployed for real. */
export const projectFile = readFileSync(join(root, 'serverless.yml'), 'utf8');

export function newService(yaml: string): Service {
  const directory = scratchFolder('service');
  symlinkSync(join(root, 'deploy'), join(directory, 'deploy'));
  const service: Service = {
    directory,
    environment: {},
    write: (content) => writeFileSync(join(directory, 'serverless.yml'), content),
    osls: (...args) =>
      run(process.execPath, [join(root, 'node_modules/osls/bin/serverless.js'), ...args], {
        cwd: directory,
        env: { PATH: process.env.PATH, HOME: directory, ...service.environment },
      }),
    contents: () => readAll(directory),
  };
  service.write(yaml);
  return service;
}

function readAll(directory: string): string {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}
