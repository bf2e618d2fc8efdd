// Every npm script starts here: plain JavaScript, because on a fresh clone nothing else can run yet.
// It installs the npm dependencies when they are missing or older than the lock file, then runs the
// TypeScript file it was given, in this process, so that a signal reaches it directly.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const MINIMUM_NODE = [20, 15];
const root = fileURLToPath(new URL('..', import.meta.url));
const [script, ...args] = process.argv.slice(2);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor < MINIMUM_NODE[1])) {
  console.error(`Node.js ${MINIMUM_NODE.join('.')} or newer is needed, this is ${process.versions.node}.`);
  process.exit(1);
}

if (!dependenciesAreInstalled()) {
  console.error('Installing npm dependencies …');
  const install = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    // npm's report goes to stderr, so that a command's stdout can be piped.
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (install.status !== 0) {
    console.error('npm ci failed; its message is above.');
    process.exit(1);
  }
}

process.argv.splice(1, process.argv.length - 1, resolve(root, script), ...args);
const { register } = await import('tsx/esm/api');
register();
try {
  await import(pathToFileURL(resolve(root, script)).href);
} catch (error) {
  // A read-only checkout is not a defect. If a folder can't be made in it, Node.js says ENOENT.
  const isRefused = ['EROFS', 'EACCES', 'EPERM'].includes(error?.code) || error?.syscall === 'mkdir';
  if (!isRefused || !error.path) throw error;
  console.error(
    `${error.path} can't be written (${error.code}): ${script} needs a folder that may be changed.`,
  );
  process.exitCode = 1;
}

/** Compares the lock file with the copy of it that npm keeps of what it installed. */
function dependenciesAreInstalled() {
  try {
    const wanted = packages(`${root}/package-lock.json`);
    const installed = packages(`${root}/node_modules/.package-lock.json`);
    return Object.entries(wanted).every(
      ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
    );
  } catch {
    return false;
  }
}

function packages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}
