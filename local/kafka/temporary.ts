import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * A free name beside `path`, from which a rename to `path` is atomic. Makes their folder, and removes files under such
 * names that killed processes left behind.
 */
export async function temporarySibling(path: string): Promise<string> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  await mkdir(folder, { recursive: true });
  const abandoned = (await readdir(folder)).filter(
    (name) => name.startsWith(prefix) && !isAlive(Number(name.slice(prefix.length).split('.')[0])),
  );
  for (const name of abandoned) await rm(join(folder, name), { recursive: true, force: true });
  return `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Another user's process is alive as well.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
