import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { build } from '../build.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const PARTS = ['build.ts', 'build', 'src', 'functions', 'package.json', 'tsconfig.json'];

/** A copy of what ships, to be changed as a user would; gone after the tests. */
export function scratchCheckout() {
  const folder = mkdtempSync(join(tmpdir(), 'checkout-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  for (const part of PARTS) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return {
    folder,
    /** The copy's own `build`. */
    async builder(): Promise<typeof build> {
      return (await import(pathToFileURL(join(folder, 'build.ts')).href)).build;
    },
  };
}
