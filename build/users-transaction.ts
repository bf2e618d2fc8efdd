import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Plugin, transform } from 'esbuild';
import { BuildRefused } from './refused.ts';

/** The module that the user's own stands in for. */
const PLACE = /\/users-transaction\.ts$/;
/** Minified: a function that returns its record and has nothing else, in both ways to write it. */
const CHANGES_NOTHING = [
  /^export function transformRecord\((\w+)(,\w+)?\)\{return \1\}\s*$/,
  /^export const transformRecord=\(?(\w+)(,\w+)?\)?=>\1;\s*$/,
];

/**
 * Takes `handle-transaction.ts` of the pipeline's folder, where it is there. It gets the records as they came, so that
 * a transform beside it would be left out without a word: the build is refused.
 */
export async function withTransaction(pipeline: string): Promise<Plugin> {
  const path = join(pipeline, 'handle-transaction.ts');
  const isThere = existsSync(path);
  if (isThere && !(await changesNothing(join(pipeline, 'transform-record.ts')))) {
    throw new BuildRefused([
      'pipeline/handle-transaction.ts: it gets the records as they came, and transform-record.ts beside it changes them: change them in handleTransaction, and let transformRecord return its record',
    ]);
  }
  return {
    name: 'users-transaction',
    setup({ onResolve }) {
      if (isThere) onResolve({ filter: PLACE }, () => ({ path }));
    },
  };
}

async function changesNothing(path: string): Promise<boolean> {
  if (!existsSync(path)) return true;
  const source = await readFile(path, 'utf8');
  const { code } = await transform(source, { loader: 'ts', minify: true, legalComments: 'none' });
  return CHANGES_NOTHING.some((shape) => shape.test(code));
}
