import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import type { Environment } from './variables.ts';

/** What `settings/` of this checkout sets for a function. */
export function settingsFor(name: string): NodeJS.Dict<string> {
  const read = (file: string): NodeJS.Dict<string> => {
    const path = fileURLToPath(new URL(`../settings/${file}.env`, import.meta.url));
    return existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {};
  };
  return { ...read('common'), ...read(name) };
}

/** The environment of a function in this checkout: the shell's variables, then `settings/`. */
export function environmentOf(name: string): Environment {
  const settings = settingsFor(name);
  return (variable) => process.env[variable] ?? settings[variable];
}
