import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { build } from '../../build.ts';
import { scratchFolder } from '../support/folders.ts';
import { root } from '../support/processes.ts';

const outdir = scratchFolder('stack-test');
const [built] = await build({ functions: ['produce'], outdir });
const bundle = join(built?.directory ?? '', 'index.js');
const map = join(outdir, 'produce.js.map');

/** A platform whose user data can't be read: an error whose stack leads through the bundle. */
const FAILING = `
  const context = {
    getRequestID: () => 'r',
    getRemainingTimeInMilliSeconds: () => 3000,
    getUserData: () => { throw new TypeError('no user data'); },
  };
  const event = { httpMethod: 'POST', path: '/topics/a', headers: {}, body: '', requestContext: {} };
  require(process.argv[1]).handler(event, context);
`;
const { stdout, stderr } = spawnSync(process.execPath, ['-e', FAILING, bundle], { encoding: 'utf8' });
/** As the log has it. */
const line = `${stdout}${stderr}`.split('\n').find((text) => text.includes('"stack"')) ?? '';
const { stack } = JSON.parse(line).error as { stack: string };

function stackCommand(input: string, ...args: string[]) {
  const run = join(root, 'local/run.mjs');
  return spawnSync(process.execPath, [run, 'build/stack.ts', ...args], { input, encoding: 'utf8' });
}

describe('source maps', () => {
  it('lie beside the zip, and nothing in the bundle names them', async () => {
    assert.match(stack, /index\.js:\d+:\d+/);
    assert.doesNotMatch(await readFile(bundle, 'utf8'), /sourceMappingURL/);
    const text = await readFile(map, 'utf8');
    const { sources } = JSON.parse(text) as { sources: string[] };
    assert.ok(sources.includes('functions/produce/publish.ts'), sources.join('\n'));
    assert.ok(!text.includes(root) && !text.includes(outdir), 'the map is the same wherever it is built');
  });
});

describe('npm run stack', () => {
  for (const [what, pasted] of [
    ['a stack', stack],
    ['a stack from another folder', stack.replaceAll(bundle, '/opt/function/code/index.js')],
    ['a stack with the address of a module', stack.replaceAll(bundle, `file://${bundle}`)],
    ['the whole line of the log', line],
  ] as const) {
    it(`turns ${what} into lines of the sources`, async () => {
      const { status, stdout, stderr } = stackCommand(pasted, map);
      assert.equal(status, 0, stderr);
      assert.doesNotMatch(stdout, /index\.js/);
      const [, file = '', row = ''] = /(src\/platform\/[\w.-]+\.ts):(\d+):\d+/.exec(stdout) ?? [];
      const source = (await readFile(join(root, file), 'utf8')).split('\n')[Number(row) - 1];
      assert.match(source ?? '', /context\.getUserData\(name\)/);
      assert.match(stdout, /^ {4}at .*functions\/produce\/warm\.ts:\d+:\d+/m);
      assert.match(stdout, /no user data/);
    });
  }

  it('leaves what it does not know as it is', () => {
    const pasted = 'Error: x\n    at a (node:net:1:2)\n    at b (/opt/index.js:99999:1)\n';
    assert.equal(stackCommand(pasted, map).stdout, pasted);
  });

  it('says what it needs', async (t) => {
    assert.match(stackCommand('').stderr, /^Usage: npm run stack -- /m);
    assert.equal(stackCommand('').status, 2);
    const elsewhere = `${map}.elsewhere`;
    await rename(map, elsewhere);
    t.after(() => rename(elsewhere, map));
    const { status, stderr } = stackCommand(stack, map);
    assert.equal(status, 1);
    assert.match(stderr, /^there is no .*produce\.js\.map: npm run build/m);
  });
});
