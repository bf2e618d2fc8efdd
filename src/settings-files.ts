import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import type { Environment } from './variables.ts';

/** The environment of a function in this checkout: the shell's variables, then `settings/`. */
export function environmentOf(name: string): Environment {
  const read = (file: string): NodeJS.Dict<string> => {
    const path = fileURLToPath(new URL(`../settings/${file}.env`, import.meta.url));
    return existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {};
  };
  const settings = { ...read('common'), ...read(name) };
  return (variable) => process.env[variable] ?? settings[variable];
}
