import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { root } from './support/processes.ts';

interface SourceFile {
  path: string;
  text: string;
  /** Paths from the root for the project's own files, names for packages. */
  imports: string[];
}

const files = ['functions', 'src', 'deploy', 'container', 'local', 'test', 'bench'].flatMap(filesIn);
const inFolder = (folder: string) => files.filter(({ path }) => path.startsWith(`${folder}/`));

function filesIn(folder: string): SourceFile[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|mts|cts|js|mjs|cjs)$/.test(file) && !file.includes('node_modules'))
    .map((file) => readSource(join(folder, file)));
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const specifiers = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\b[^'";]*?['"]([^'"]+)['"]|\b(?:import|require)\(\s*['"]([^'"]+)['"]/g,
  );
  const imports = [...specifiers].map(([, from, called]) => resolve(path, from ?? called ?? ''));
  return { path, text, imports };
}

function resolve(path: string, specifier: string): string {
  return specifier.startsWith('.') ? relative(root, join(root, dirname(path), specifier)) : specifier;
}

function isPackage(specifier: string, name: string): boolean {
  return specifier === name || specifier.startsWith(`${name}/`);
}

/** Everything that these files import and may not, as `file -> import`. */
function offences(of: SourceFile[], forbidden: (specifier: string, path: string) => boolean): string[] {
  return of.flatMap(({ path, imports }) =>
    imports.filter((specifier) => forbidden(specifier, path)).map((specifier) => `${path} -> ${specifier}`),
  );
}

const SINKS = 'functions/consume-batch/sinks/sinks.ts';
const functionOf = (path: string) => /^functions\/([^/]+)\//.exec(path)?.[1];

test('the files and their imports are found', () => {
  assert.ok(files.length > 40);
  const entry = files.find(({ path }) => path === 'functions/produce/index.ts');
  assert.ok(entry?.imports.includes('src/platform/http-function.ts'));
  assert.ok(entry?.imports.includes('functions/produce/warm.ts'));
  const own = files
    .flatMap(({ imports }) => imports)
    .filter((specifier) => /^(src|functions)\//.test(specifier));
  for (const path of own.filter((specifier) => /\.(ts|js|cjs|mjs)$/.test(specifier))) {
    assert.ok(existsSync(join(root, path)), path);
  }
});

test('functions import their own folder, src/ and packages; of each other only functions/http does', () => {
  const found = offences(inFolder('functions'), (specifier, path) => {
    const other = functionOf(specifier);
    const foreign = other !== undefined && other !== functionOf(path) && functionOf(path) !== 'http';
    return foreign || /^(local|test|bench|deploy|build)\b/.test(specifier);
  });
  assert.deepEqual(found, []);
});

test('src/ knows no function and nothing of local/, test/, bench/, deploy/ and container/', () => {
  const found = offences(inFolder('src'), (specifier) =>
    /^(functions|local|test|bench|deploy|container)\/|^build\.ts$/.test(specifier),
  );
  assert.deepEqual(found, []);
});

test('src/platform and src/kafka do not know each other', () => {
  const found = [
    ...offences(inFolder('src/platform'), (specifier) => specifier.startsWith('src/kafka/')),
    ...offences(inFolder('src/kafka'), (specifier) => specifier.startsWith('src/platform/')),
  ];
  assert.deepEqual(found, []);
});

test('each kind of sink is known to sinks.ts alone', () => {
  const kinds = /^functions\/consume-batch\/sinks\/(\w+)\//;
  const found = offences(
    inFolder('functions').filter(({ path }) => path !== SINKS),
    (specifier, path) => {
      const kind = kinds.exec(specifier)?.[1];
      // The handler's type is what a test hands in instead of the user's file.
      return kind !== undefined && kind !== 'handler' && kind !== kinds.exec(path)?.[1];
    },
  );
  assert.deepEqual(found, []);
});

test('the leaves of src/ import leaves', () => {
  const leaves = inFolder('src').filter(({ path }) => path.split('/').length === 2);
  assert.ok(leaves.length > 5);
  assert.deepEqual(
    offences(leaves, (specifier) => /^src\/[^/]+\//.test(specifier)),
    [],
  );
});

test('what ships: kafkajs in src/kafka alone, middy and the event shapes in src/platform alone', () => {
  const shipped = [...inFolder('src'), ...inFolder('functions')];
  const outside = (folder: string) => shipped.filter(({ path }) => !path.startsWith(`${folder}/`));
  assert.deepEqual(
    offences(outside('src/kafka'), (specifier) => isPackage(specifier, 'kafkajs')),
    [],
  );
  assert.deepEqual(
    offences(outside('src/platform'), (specifier) => /^(@middy\/|aws-lambda$)/.test(specifier)),
    [],
  );
  const shapes = /\bgetUserData\(|\bisBase64Encoded\b|\btopic_id\b/;
  const knowing = outside('src/platform').filter(({ text }) => shapes.test(text));
  assert.deepEqual(
    knowing.map(({ path }) => path),
    [],
  );
});

test('the local runtime and the HTTP server share no code', () => {
  assert.deepEqual(
    offences(inFolder('local'), (specifier) => specifier.startsWith('functions/http/')),
    [],
  );
  assert.deepEqual(
    offences(inFolder('functions/http'), (specifier) => specifier.startsWith('local/')),
    [],
  );
});

test('of deploy/, local/ has what reads serverless.yml', () => {
  const reading = /^deploy\/(description|read-description|serverless-file|stage)\.ts$/;
  assert.deepEqual(
    offences(inFolder('local'), (specifier) => specifier.startsWith('deploy/') && !reading.test(specifier)),
    [],
  );
});

test('only test/ and bench/ import local/, only deploy/ and they import build.ts', () => {
  const others = files.filter(({ path }) => !/^(test|bench|local)\//.test(path));
  assert.deepEqual(
    offences(others, (specifier) => specifier.startsWith('local/')),
    [],
  );
  assert.deepEqual(
    offences([...inFolder('src'), ...inFolder('functions')], (specifier) => specifier === 'build.ts'),
    [],
  );
  const outside = files.filter(({ path }) => !/^(test|bench)\//.test(path));
  assert.deepEqual(
    offences(outside, (specifier) => /^(test|bench)\//.test(specifier)),
    [],
  );
});

test('no default exports, no barrels, no grab-bags', () => {
  const shipped = [...inFolder('src'), ...inFolder('functions')].filter(
    ({ path }) => !path.endsWith('.d.ts'),
  );
  for (const { path, text } of shipped) {
    assert.doesNotMatch(text, /^export default\b|\bas default\b/m, path);
    // The list of sinks is one line each.
    if (path !== SINKS) assert.doesNotMatch(text, /^export (\*|\{[^}]*\}) from/m, path);
    assert.doesNotMatch(path, /\b(utils?|helpers?|common)\b/);
    if (path.startsWith('src/')) assert.doesNotMatch(path, /\/index\.ts$/);
  }
});

test('an entry exports its handler and its initializer, and nothing else', () => {
  const entries = inFolder('functions').filter(
    ({ path }) => /^functions\/[^/]+\/index\.ts$/.test(path) && functionOf(path) !== 'http',
  );
  assert.ok(entries.length > 0);
  for (const { path, text } of entries) {
    const names = [...text.matchAll(/^export (?:async )?(?:const|function|class|type|interface) (\w+)/gm)];
    assert.deepEqual(names.map(([, name]) => name).sort(), ['handler', 'initializer'], path);
  }
});
