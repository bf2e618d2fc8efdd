import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, type BuiltFunction, build } from '../../build.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

/** The functions without anything of the user's: no pipeline, settings or certificates of theirs. */
export function buildOwn(options: BuildOptions = {}): Promise<BuiltFunction[]> {
  const nothing = join(here, 'no-such-folder');
  return build({ pipeline: join(here, 'pipeline'), settings: nothing, certificates: nothing, ...options });
}
