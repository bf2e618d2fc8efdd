import { cpSync, mkdirSync, readdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { build } from '../../build.ts';
import { scratchFolder } from './folders.ts';
import { root } from './processes.ts';

const PARTS = ['build.ts', 'build', 'src', 'functions', 'package.json', 'tsconfig.json'];

/** A copy of what ships, and of `more`, to be changed as a user would; gone after the tests. */
export function scratchCheckout(...more: string[]) {
  const folder = realpathSync(scratchFolder('checkout'));
  for (const part of [...PARTS, ...more]) cpSync(join(root, part), join(folder, part), { recursive: true });
  // A folder of its own, so that a user's packages can be added.
  mkdirSync(join(folder, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
  return {
    folder,
    /** The copy's own `build`. */
    async builder(): Promise<typeof build> {
      return (await import(pathToFileURL(join(folder, 'build.ts')).href)).build;
    },
  };
}
