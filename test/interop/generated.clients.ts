/**
 * Clients that openapi-generator (Python, TypeScript with fetch, Go) and openapi-typescript make of `/openapi.json`:
 * generated, and used to publish.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cached, filled, npmTool, works } from '../../local/tools.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { scratchFolder } from '../support/folders.ts';
import { buildHttpFunction, startHttpFunction } from '../support/http-function.ts';
import { readTopic } from '../support/records.ts';
import { pythonTool } from '../support/tools.ts';

const run = promisify(execFile);
const GENERATOR = 'org.openapitools:openapi-generator-cli:7.25.0';
const PYTHON_PACKAGES = [
  'urllib3==2.6.3',
  'python-dateutil==2.9.0.post0',
  'pydantic==2.12.5',
  'typing-extensions',
];
const NPM_PACKAGES = ['openapi-typescript@7.13.0', 'openapi-fetch@0.17.0', 'typescript@5.9.3'];
const PARTITIONS = 2;

const here = (name: string) => fileURLToPath(new URL(`generated/${name}`, import.meta.url));
const tsx = fileURLToPath(import.meta.resolve('tsx'));
const directory = scratchFolder('generated-clients');

const cluster = await kafkaForTests();
const KEY = 'a-key';
const { url } = await startHttpFunction(await buildHttpFunction(), cluster, {
  HTTP_API_KEYS: createHash('sha256').update(KEY).digest('hex'),
});
const description = join(directory, 'openapi.json');
const answer = await fetch(`${url}/openapi.json`, { headers: { 'X-Api-Key': KEY } });
await writeFile(description, await answer.text());

interface Outcome {
  offsets: number[];
  webhook: number;
  refusal: [status: number, code: string];
  isListed: boolean;
  partitions: number;
  health: string;
}

/** Runs a program that publishes with a generated client, and looks at what it says and what the topic holds. */
async function assertPublishes(command: string, args: string[], cwd = directory): Promise<void> {
  const topic = await newTopic(cluster, { partitions: PARTITIONS });
  const env = { ...process.env, URL: url, KEY, TOPIC: topic };
  const { stdout } = await run(command, args, { cwd, env });
  const outcome: Outcome = JSON.parse(stdout);
  assert.deepEqual(outcome, {
    offsets: [0, 1],
    webhook: outcome.webhook,
    refusal: [404, 'UNKNOWN_TOPIC'],
    isListed: true,
    partitions: PARTITIONS,
    health: 'ready',
  });
  const records = await readTopic(cluster, topic);
  const told = records.map(({ key, value, headers }) => ({
    key: key?.toString(),
    value: value?.toString('hex') ?? null,
    headers: Object.entries(headers).map(([name, header]) => `${name}=${header}`),
  }));
  const json = (text: string) => Buffer.from(text).toString('hex');
  assert.deepEqual(
    told.sort((a, b) => `${a.value}`.localeCompare(`${b.value}`)),
    [
      { key: 'k', value: '00ff686f6f6b', headers: [] },
      { key: '"k"', value: json('{"n":1}'), headers: ['h=a'] },
      { key: '"k"', value: null, headers: [] },
    ],
  );
}

async function generate(language: string): Promise<string> {
  const jar = cached('openapi-generator', GENERATOR);
  const isReady = await filled(jar, async (folder) => {
    await mkdir(folder);
    return works('mvn', ['-q', 'dependency:copy', `-Dartifact=${GENERATOR}`, `-DoutputDirectory=${folder}`]);
  });
  assert.ok(isReady, `${GENERATOR} could not be fetched with Maven`);
  const output = join(directory, language);
  const [, name, version] = GENERATOR.split(':');
  const file = join(jar, `${name}-${version}.jar`);
  await run('java', ['-jar', file, 'generate', '-g', language, '-i', description, '-o', output], {
    maxBuffer: 2 ** 26,
  });
  return output;
}

test("openapi-generator's python", async () => {
  const python = pythonTool(PYTHON_PACKAGES);
  assert.equal(await python.missing(), undefined);
  await assertPublishes(python.path, [here('publish.py'), await generate('python')]);
});

test("openapi-generator's typescript-fetch", async () => {
  const output = await generate('typescript-fetch');
  await writeFile(join(output, 'package.json'), '{"type":"module"}');
  await assertPublishes(process.execPath, ['--import', tsx, here('publish-fetch.mjs'), output]);
});

test('openapi-typescript, type-checked', async () => {
  const tool = npmTool(NPM_PACKAGES, '.bin');
  assert.equal(await tool.missing(), undefined);
  const folder = join(directory, 'typed');
  await cp(join(tool.path, '../..'), folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const bin = (name: string) => join(folder, 'node_modules', '.bin', name);
  await run(bin('openapi-typescript'), [description, '-o', join(folder, 'openapi.d.ts')]);
  const program = join(folder, 'publish.ts');
  await writeFile(program, await readFile(here('publish-typed.ts.txt')));
  const options = ['--strict', '--noEmit', '--allowImportingTsExtensions', '--skipLibCheck'];
  const types = join(fileURLToPath(new URL('../../node_modules/@types', import.meta.url)));
  const target = ['--target', 'es2023', '--module', 'preserve', '--typeRoots', types, '--types', 'node'];
  await run(bin('tsc'), [...options, ...target, program]);
  await assertPublishes(process.execPath, ['--import', tsx, program]);
});

test("openapi-generator's go", { skip: works('go', ['version']) ? false : 'there is no go' }, async () => {
  const output = await generate('go');
  await rm(join(output, 'test'), { recursive: true });
  const program = join(output, 'cmd');
  await mkdir(program);
  await cp(here('main.go'), join(program, 'main.go'));
  await run('go', ['mod', 'tidy'], { cwd: output });
  await run('go', ['build', '-o', 'publish', './cmd'], { cwd: output });
  await assertPublishes(join(output, 'publish'), []);
});
