import { createRequire } from 'node:module';
import { join } from 'node:path';
import { BuildRefused } from '../build/refused.ts';
import { type BuiltFunction, build, isFunctionSource } from '../build.ts';
import type { Deployment, FunctionDescription } from './description.ts';
import type { Artifacts } from './plan.ts';

const MAX_PACKAGE_BYTES = 40 * 1024 * 1024;

export interface Packaged {
  artifacts: Artifacts;
  built: readonly BuiltFunction[];
  problems: readonly string[];
}

/**
 * Builds the functions into `outdir`, with the certificates of a folder, and checks whether the platform can call each
 * bundle.
 */
export async function packageFunctions(
  { functions }: Deployment,
  { outdir, certificates }: { outdir: string; certificates: string },
): Promise<Packaged> {
  const absent = functions.filter(({ source }) => !isFunctionSource(source));
  if (absent.length > 0) {
    const problems = absent.map(
      ({ key, source }) => `functions.${key}: there is no functions/${source}/index.ts.`,
    );
    return { artifacts: new Map(), built: [], problems };
  }
  const sources = [...new Set(functions.map(({ source }) => source))];
  const built = await buildAll(sources, outdir, certificates);
  if (built instanceof BuildRefused) {
    return { artifacts: new Map(), built: [], problems: built.message.split('\n') };
  }
  const bySource = new Map(built.map((one) => [one.source, one]));
  const artifacts = new Map<string, string>();
  const problems: string[] = [];
  for (const description of functions) {
    const bundle = bySource.get(description.source);
    if (!bundle) continue;
    artifacts.set(description.key, bundle.zip);
    problems.push(...bundleProblems(description, bundle));
  }
  return { artifacts, built, problems };
}

async function buildAll(functions: readonly string[], outdir: string, certificates: string) {
  try {
    return await build({ functions, outdir, certificates });
  } catch (error) {
    if (error instanceof BuildRefused) return error;
    throw error;
  }
}

/** Why the platform would refuse the package, or every call of it. */
export function bundleProblems(
  description: FunctionDescription,
  { directory, bytes }: Pick<BuiltFunction, 'directory' | 'bytes'>,
): string[] {
  const at = `functions.${description.key}`;
  if (bytes.zip > MAX_PACKAGE_BYTES) {
    return [`${at}: the package has ${bytes.zip} bytes; FunctionGraph takes ${MAX_PACKAGE_BYTES}.`];
  }
  if (description.runtime === 'http') return [];
  const exports = load(join(directory, 'index.js'));
  return [
    ...exportProblems(at, 'handler', exports, description.handler, [2, 3]),
    ...(description.initializer
      ? exportProblems(at, 'initializer', exports, description.initializer, [2])
      : []),
  ];
}

/** A bundle does nothing when it is loaded; that is part of its contract. */
function load(path: string): Record<string, unknown> {
  const require = createRequire(import.meta.url);
  delete require.cache[path];
  return require(path);
}

/** The platform counts a function's parameters, and refuses every call if their number is not the expected one. */
function exportProblems(
  at: string,
  setting: string,
  exports: Record<string, unknown>,
  entry: string,
  parameters: readonly number[],
): string[] {
  const name = entry.slice(entry.indexOf('.') + 1);
  const found = exports[name];
  if (typeof found !== 'function') {
    const names = Object.keys(exports).join(', ');
    return [`${at}.${setting} is ${entry}, but the bundle exports ${names || 'nothing'}.`];
  }
  if (parameters.includes(found.length)) return [];
  return [
    `${at}.${setting} is ${entry}, which declares ${found.length} parameters; FunctionGraph calls it only with ${parameters.join(' or ')}.`,
  ];
}
