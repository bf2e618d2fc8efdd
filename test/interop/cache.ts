/** Tools that tests fetch once, in the cache beside Kafka's own jars. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoot } from '../../local/kafka/distribution.ts';
import { temporarySibling } from '../../local/kafka/temporary.ts';

/** Whether the command succeeds; what it says on stderr is shown. */
export function works(command: string, args: string[], cwd?: string): boolean {
  return spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

/** A folder for what is fetched once; its name follows from what decides its contents. */
export function cached(name: string, contents: string): string {
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 12);
  return join(cacheRoot(), `interop-${name}-${hash}`);
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
