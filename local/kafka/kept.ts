/**
 * What `npm start -- --keep` keeps besides Kafka's data: users and ports, so that a shell that has read
 * `.kafka-functions/env` still works after the next start.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KafkaOptions } from './cluster.ts';
import { isAlive } from './temporary.ts';

export type Kept = Pick<KafkaOptions, 'users'> & { ports?: Record<string, number> };

/** Undefined before the first start. */
export async function readKept(directory: string): Promise<Kept | undefined> {
  const text = await readFile(join(directory, 'kept.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Kept);
}

/** The file holds passwords. */
export async function writeKept(directory: string, kept: Required<Kept>): Promise<void> {
  await writeFile(join(directory, 'kept.json'), JSON.stringify(kept), { mode: 0o600 });
}

/** Claims the directory for this process as long as it lives. Throws if another process has it. */
export async function claim(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, 'pid');
  const owner = Number(await readFile(file, 'utf8').catch(() => 0));
  if (owner > 0 && owner !== process.pid && isAlive(owner)) {
    throw new Error(`process ${owner} has ${directory}: end that npm start first, or start without --keep`);
  }
  await rm(file, { force: true });
  await writeFile(file, `${process.pid}`, { flag: 'wx' });
}
