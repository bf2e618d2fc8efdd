/** A fork that changed everything that `docs/upgrading.md` calls the user's takes the next commit without a conflict. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchFolder } from './support/folders.ts';
import { root } from './support/processes.ts';

const scratch = scratchFolder('fork');
const project = join(scratch, 'project');
const fork = join(scratch, 'fork');
const PARTS = [
  'functions',
  'settings',
  'certificates',
  'src',
  'docs',
  'serverless.yml',
  'package.json',
  '.gitignore',
];
const PIPELINE = 'functions/consume-batch/pipeline';

function git(cwd: string, ...args: string[]): string {
  const who = ['-c', 'user.name=x', '-c', 'user.email=x@example.com', '-c', 'init.defaultBranch=main'];
  return execFileSync('git', [...who, ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Whose a file is, by the page. */
function isUsers(path: string): boolean {
  return (
    path.startsWith(`${PIPELINE}/`) ||
    (/^(settings|certificates)\//.test(path) && !path.endsWith('README.md'))
  );
}

test('the next commit merges', () => {
  for (const part of PARTS) cpSync(join(root, part), join(project, part), { recursive: true });
  git(project, 'init', '--quiet');
  git(project, 'add', '--all');
  git(project, 'commit', '--quiet', '-m', 'a release');
  git(scratch, 'clone', '--quiet', project, fork);

  const own: Record<string, string> = {
    'settings/common.env': 'KAFKA_ACKS=all\n',
    'settings/produce.env': 'PRODUCE_TOPICS=orders\n',
    'certificates/ca.crt': 'mine\n',
    'functions/mine/index.ts': 'export const mine = 1;\n',
  };
  for (const name of readdirSync(join(fork, PIPELINE))) own[`${PIPELINE}/${name}`] = `// mine: ${name}\n`;
  mkdirSync(join(fork, 'functions/mine'));
  for (const [path, text] of Object.entries(own)) writeFileSync(join(fork, path), text);
  git(fork, 'add', '--all');
  git(fork, 'commit', '--quiet', '-m', 'ours');

  // The largest commit that a release may be: everything that is not the user's.
  for (const path of git(project, 'ls-files').trim().split('\n')) {
    if (!isUsers(path)) appendFileSync(join(project, path), '\n');
  }
  git(project, 'commit', '--quiet', '--all', '-m', 'the next release');

  git(fork, 'pull', '--quiet', '--no-rebase', '--no-edit');
  assert.equal(git(fork, 'status', '--porcelain'), '');
  for (const [path, text] of Object.entries(own))
    assert.equal(readFileSync(join(fork, path), 'utf8'), text, path);
  assert.match(git(fork, 'log', '--oneline', '-4'), /the next release/);
});
