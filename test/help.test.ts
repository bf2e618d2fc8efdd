import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { root } from './support/processes.ts';

function run(script: string, ...args: string[]) {
  const options = { cwd: root, encoding: 'utf8', env: { PATH: process.env.PATH } } as const;
  return spawnSync(process.execPath, ['local/run.mjs', script, ...args], options);
}

/** What each exits with where it is called the wrong way; 2 is a warning of the doctor's. */
const commands = {
  doctor: ['functions/connectivity-check/doctor.ts', 64],
  replay: ['functions/consume-batch/replay/replay.ts', 2],
  sink: ['functions/consume-batch/sinks/postgres/command.ts', 64],
  stack: ['build/stack.ts', 2],
} as const;

describe('the commands', () => {
  for (const [name, [script, wrong]] of Object.entries(commands)) {
    it(`${name} --help says how it is called, and does nothing`, () => {
      const { status, stdout, stderr } = run(script, '--help');
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, new RegExp(`^Usage: npm run ${name}\\b`));
    });

    it(`${name} --what is refused, with how it is called`, () => {
      const { status, stdout, stderr } = run(script, '--what');
      assert.deepEqual([status, stdout], [wrong, '']);
      assert.match(stderr, new RegExp(`'--what'[^]*^Usage: npm run ${name}\\b`, 'm'));
    });
  }
});
