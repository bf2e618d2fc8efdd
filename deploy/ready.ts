/** Run by plugin.cjs through local/run.mjs, which installs the dependencies first where that is needed. */
import { utimesSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const now = new Date();
// The dependencies were checked just now: plugin.cjs needn't check them again.
utimesSync(fileURLToPath(new URL('../node_modules/.package-lock.json', import.meta.url)), now, now);
