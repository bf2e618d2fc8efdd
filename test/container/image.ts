/** The image's file tree, run as its Dockerfile says: by that user, with that environment, on Node.js 24 where npm has it. */

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { layOut } from '../../container/image.ts';
import { type Running, root, start } from '../support/processes.ts';
import { node24 } from '../support/tools.ts';

export const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
const lastStage = dockerfile.split(/^FROM /m).at(-1) ?? '';
const instruction = (name: string) => new RegExp(`^${name} (.+)$`, 'm').exec(lastStage)?.[1] ?? '';
/** `uid:gid`. */
export const user = instruction('USER');
const environment = Object.fromEntries(
  instruction('ENV')
    .split(' ')
    .map((pair) => pair.split('=')),
) as Record<string, string>;
export const entrypoint = JSON.parse(instruction('ENTRYPOINT')) as string[];
export const command = JSON.parse(instruction('CMD')) as string[];

export interface Image {
  /** What stands for the container's `/`. */
  root: string;
  /** The image's own files, without Node.js. */
  files: string[];
  /** Starts the entrypoint with these arguments, or the image's own. */
  run(variables: Record<string, string>, args?: string[]): Running;
  /** Whether the image's user may write there. */
  mayWrite(path: string): boolean;
}

/** Lays the tree out, with Node.js where the base image has it and this CA where one is mounted; nobody may write in it. */
export async function layOutImage(caLocation: string): Promise<Image> {
  const tree = mkdtempSync(join(tmpdir(), 'image-'));
  after(() => {
    spawnSync('chmod', ['-R', 'u+w', tree]);
    rmSync(tree, { recursive: true, force: true });
  });
  await layOut(tree);
  const files = filesIn(tree);
  const isNode24 = (await node24.missing()) === undefined;
  mkdirSync(join(tree, 'usr/local/bin'), { recursive: true });
  cpSync(isNode24 ? node24.path : process.execPath, join(tree, 'usr/local/bin/node'), { dereference: true });
  cpSync(caLocation, join(tree, 'certificates/ca.crt'));
  for (const path of readdirSync(tree, { recursive: true, encoding: 'utf8' }))
    chmodSync(join(tree, path), 0o555);
  chmodSync(tree, 0o555);

  // Nobody but root can become somebody else; everybody else is unprivileged anyway.
  const [uid = '', gid = ''] = user.split(':');
  const become =
    process.getuid?.() === 0
      ? [
          'setpriv',
          `--reuid=${uid}`,
          `--regid=${gid}`,
          '--clear-groups',
          '--no-new-privs',
          '--bounding-set=-all',
        ]
      : [];
  const inTree = (path: string) => (path.startsWith('/') ? join(tree, path) : path);

  return {
    root: tree,
    files,
    mayWrite(path) {
      const [file = '', ...args] = [...become, 'test', '-w', join(tree, path)];
      return spawnSync(file, args).status === 0;
    },
    run(variables, args = command) {
      // Any write to a file is refused, wherever it is, as with a read-only root and no volume.
      const readOnly = isNode24 ? ['--permission', '--allow-fs-read=*'] : [];
      const [file = '', ...rest] = [
        ...become,
        join(tree, 'usr/local/bin', entrypoint[0] ?? ''),
        ...readOnly,
        ...args.map(inTree),
      ];
      return start(file, rest, {
        cwd: join(tree, instruction('WORKDIR')),
        env: { PATH: process.env.PATH, ...environment, ...variables },
      });
    },
  };
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
    .sort();
}
