/** `npm run check`: types, lint and format. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../node_modules/.bin/', import.meta.url));
const checks = [
  ['tsc', '--noEmit'],
  ['biome', 'check', '--error-on-warnings'],
] as const;

const failed = checks.filter(
  ([command, ...args]) => spawnSync(`${bin}${command}`, args, { stdio: 'inherit' }).status !== 0,
);
process.exitCode = failed.length === 0 ? 0 : 1;
