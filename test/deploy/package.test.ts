import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { unzipSync } from 'fflate';
import { bundleProblems, packageFunctions } from '../../deploy/package.ts';
import { withoutLateFiles } from '../support/bundle.ts';
import { scratchFolder } from '../support/folders.ts';
import { sampleDeployment, sampleFunction } from './samples.ts';

/** What is wrong with a bundle of this code. */
function problemsOf(code: string, zip = 1_000): string[] {
  const directory = scratchFolder('package');
  writeFileSync(join(directory, 'index.js'), code);
  writeFileSync(join(directory, 'package.json'), '{"type":"commonjs"}');
  return bundleProblems(sampleFunction(), { directory, bytes: { bundle: 1, gzip: 1, zip } });
}

const HANDLER = 'exports.handler = async (event, context) => {};';
const INITIALIZER = 'exports.initializer = async (context, callback) => {};';

test('a bundle that the platform can call passes', () => {
  assert.deepEqual(problemsOf(HANDLER + INITIALIZER), []);
});

const wrong: [name: string, code: string, sentence: RegExp][] = [
  ['without a handler', INITIALIZER, /handler is index\.handler, but the bundle exports initializer\./],
  [
    'with a handler that is no function',
    `exports.handler = 1; ${INITIALIZER}`,
    /but the bundle exports handler, initializer/,
  ],
  [
    'with a handler of one parameter',
    `exports.handler = async (event) => {}; ${INITIALIZER}`,
    /declares 1 parameters; FunctionGraph calls it only with 2 or 3/,
  ],
  [
    'with an initializer of one parameter',
    `${HANDLER} exports.initializer = async (context) => {};`,
    /initializer is index\.initializer, which declares 1 parameters; .* only with 2\./,
  ],
];
for (const [name, code, sentence] of wrong) {
  test(`a bundle ${name} is refused`, () => {
    const problems = problemsOf(code);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', sentence);
  });
}

test('a package above 40 MiB is refused', () => {
  const problems = problemsOf(HANDLER + INITIALIZER, 41_943_041);
  assert.deepEqual(problems, [
    'functions.produce: the package has 41943041 bytes; FunctionGraph takes 41943040.',
  ]);
});

test('a function without a folder is refused before anything is built', async () => {
  const outdir = scratchFolder('package');
  const deployment = sampleDeployment(sampleFunction({ key: 'other', source: 'nothing' }));
  const { problems, built } = await packageFunctions(deployment, { outdir, certificates: outdir });
  assert.deepEqual(problems, ['functions.other: there is no functions/nothing/index.ts.']);
  assert.deepEqual(built, []);
});

test('the HTTP function’s package has its bootstrap', async () => {
  const outdir = scratchFolder('package');
  const http = sampleFunction({ key: 'http', runtime: 'http', handler: 'bootstrap', initializer: undefined });
  const { problems, artifacts } = await packageFunctions(sampleDeployment(http), {
    outdir,
    certificates: outdir,
  });
  assert.deepEqual(problems, []);
  const entries = Object.keys(unzipSync(readFileSync(artifacts.get('http') ?? '')));
  assert.deepEqual(withoutLateFiles(entries), ['bootstrap', 'index.js', 'package.json']);
});

test('a file in certificates/ that cannot be taken is a problem, by name', async () => {
  const certificates = scratchFolder('package');
  writeFileSync(join(certificates, 'client.jks.zip'), Buffer.from('504b03040a00', 'hex'));
  const { problems } = await packageFunctions(sampleDeployment(sampleFunction()), {
    outdir: scratchFolder('package'),
    certificates,
  });
  assert.deepEqual(problems, [
    `${join(certificates, 'client.jks.zip')} is a zip: take the certificate out of it`,
  ]);
});
