import { readFileSync, rmSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { exportLines } from './shell.ts';

/** Writes variables for another shell. Only this user can read the file. */
export async function writeEnvFile(path: string, variables: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // An existing file would keep its mode.
  await rm(path, { force: true });
  await writeFile(path, exportLines(variables), { mode: 0o600, flag: 'wx' });
}

/** Removes the file, unless another npm start has written its own meanwhile. */
export function removeEnvFile(path: string, variables: Readonly<Record<string, string>>): void {
  try {
    if (readFileSync(path, 'utf8') === exportLines(variables)) rmSync(path);
  } catch {
    // Already gone.
  }
}
