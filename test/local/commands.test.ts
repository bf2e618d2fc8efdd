import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { root } from '../support/processes.ts';
import { cleanEnvironment, startableCheckout } from './npm-start.ts';

function run(cwd: string, command: string, ...args: string[]) {
  return spawnSync(command, args, { cwd, env: cleanEnvironment(), encoding: 'utf8' });
}

test('doctor and replay say how they are called', () => {
  for (const [script, wrongly] of [
    ['functions/connectivity-check/doctor.ts', 64],
    ['functions/consume-batch/replay/replay.ts', 2],
  ] as const) {
    const help = run(root, process.execPath, 'local/run.mjs', script, '--help');
    assert.equal(help.status, 0, help.stderr);
    assert.match(help.stdout, /^Usage: npm run (doctor|replay) /);
    const wrong = run(root, process.execPath, 'local/run.mjs', script, '--nonsense');
    assert.equal(wrong.status, wrongly);
    assert.match(wrong.stderr, /^Unknown option '--nonsense'.*\n\nUsage: /s);
  }
});

test('npm run build in a checkout that may not be written to: one sentence', (t) => {
  const checkout = startableCheckout();
  // In a view of its own, because root writes whatever a mode says.
  const script = `mount --bind '${checkout}' '${checkout}' && mount -o remount,ro,bind '${checkout}' && cd '${checkout}' || exit 99
    exec '${process.execPath}' local/run.mjs build.ts`;
  const view = process.getuid?.() === 0 ? ['-m'] : ['-Urm'];
  const { status, stderr } = run('/', 'unshare', ...view, 'sh', '-c', script);
  if (status === 99 || status === null) return t.skip('no mounts here');
  assert.equal(status, 1, stderr);
  assert.match(
    stderr,
    /dist can't be written \((EROFS|ENOENT)\): build\.ts needs a folder that may be changed\.\n$/,
  );
  assert.doesNotMatch(stderr, / {4}at /);
});
