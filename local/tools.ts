/** Tools that nobody here wrote, each set up once in the cache beside Kafka's own jars, outside the work tree. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoot } from './kafka/distribution.ts';
import { temporarySibling } from './kafka/temporary.ts';

export interface Tool {
  /** The file to run. */
  path: string;
  /** Sets it up where that has not been done; resolves with why it can't be used here, undefined where it can. */
  missing(): Promise<string | undefined>;
}

/** A file of npm packages, by its path in `node_modules`; their own scripts are run. */
export function npmTool(packages: readonly string[], file: string): Tool {
  const directory = cached('npm', packages.join('\n'));
  return {
    path: join(directory, 'node_modules', file),
    async missing() {
      const isReady = await filled(directory, async (cwd) => {
        await mkdir(cwd);
        await writeFile(join(cwd, 'package.json'), '{}');
        return works('npm', ['install', '--silent', '--no-audit', '--no-fund', ...packages], { cwd });
      });
      return isReady ? undefined : `${packages.join(', ')} could not be installed`;
    },
  };
}

/** A folder in the cache whose name follows from what is to be in it. */
export function cached(name: string, contents: string): string {
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 12);
  return join(cacheRoot(), `interop-${name}-${hash}`);
}

export function works(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
) {
  return spawnSync(command, args, { ...options, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

/** Fills a sibling and renames it, so that a directory of that name is always complete. */
export async function filled(
  directory: string,
  fill: (directory: string) => boolean | Promise<boolean>,
): Promise<boolean> {
  if (existsSync(directory)) return true;
  const temporary = await temporarySibling(directory);
  try {
    if (!(await fill(temporary))) return false;
    await rename(temporary, directory).catch((error: unknown) => {
      // Another process was quicker, and what it put there is the same.
      if (!existsSync(directory)) throw error;
    });
    return true;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
