/**
 * A version before 0.2.0, which has other transactional ids, is killed inside its transactions, and this one goes on
 * at once: every record exactly once. Needs the project's history, for the commit that 0.1.1 was.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { bundledConsumer } from '../support/bundle.ts';
import { kafkaForTests } from '../support/cluster.ts';
import { scratchFolder } from '../support/folders.ts';
import { killedBefore } from '../support/kills.ts';
import { root } from '../support/processes.ts';

const OLD = '124cf51';

/** The sources of an earlier commit, with this one's dependencies. */
function checkedOut(commit: string): string {
  const directory = scratchFolder('old-build');
  const tree = join(directory, 'tree');
  mkdirSync(tree);
  const archive = execFileSync('git', ['archive', commit], { cwd: root, maxBuffer: 64 * 1024 * 1024 });
  execFileSync('tar', ['-x', '-C', tree], { input: archive });
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}

test('0.1.1 killed inside a transaction 30 times, this build goes on: every record exactly once', async () => {
  const cluster = await kafkaForTests();
  const { build }: typeof import('../../build.ts') = await import(
    pathToFileURL(join(checkedOut(OLD), 'build.ts')).href
  );
  const [start, startOld] = [await bundledConsumer(cluster), await bundledConsumer(cluster, build)];
  const killed = await killedBefore(cluster, startOld, start, { records: 60_000, kills: 30 });
  assert.ok(killed >= 20, `${killed} kills`);
});
