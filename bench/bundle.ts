import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Bundles a contestant as it would be deployed: into one file, which needs no compiling loader. */
export async function bundleContestant(script: string, directory: string): Promise<string> {
  const outfile = join(directory, `${basename(script, '.ts')}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(script, import.meta.url))],
    bundle: true,
    platform: 'node',
    target: 'node20.15',
    format: 'esm',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    outfile,
  });
  return outfile;
}
