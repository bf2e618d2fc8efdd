/** Tools that nobody here wrote, each set up once in the cache beside Kafka's own jars, outside the work tree. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoot } from '../../local/kafka/distribution.ts';
import { temporarySibling } from '../../local/kafka/temporary.ts';

/** How long setting a tool up may take on a slow line and a busy machine. */
export const SET_UP_MS = 300_000;

export interface Tool {
  /** The file to run. */
  path: string;
  /** Sets it up where that has not been done; resolves with why it can't be used here, undefined where it can. */
  missing(): Promise<string | undefined>;
}

/** A Go program, as `go install` takes it: `host/path/command@version`; `flags` are those of `go build`. */
export function goTool(module: string, flags: readonly string[] = []): Tool {
  const name = module.replace(/@.*$/, '').split('/').at(-1) ?? '';
  const directory = cached(`go-${name}`, [module, ...flags].join('\n'));
  return {
    path: join(directory, name),
    async missing() {
      if (!works('go', ['version'])) return 'there is no go on the PATH';
      const isReady = await filled(directory, (folder) =>
        works('go', ['install', ...flags, module], { env: { ...process.env, GOBIN: folder } }),
      );
      return isReady ? undefined : `${module} could not be built`;
    },
  };
}

/** A file of npm packages, by its path in `node_modules`; their own scripts are run. */
export function npmTool(packages: readonly string[], file: string): Tool {
  const directory = cached('npm', packages.join('\n'));
  return {
    path: join(directory, 'node_modules', file),
    async missing() {
      const isReady = await filled(directory, async (cwd) => {
        await mkdir(cwd);
        await writeFile(join(cwd, 'package.json'), '{}');
        return works('npm', ['install', '--silent', '--no-audit', '--no-fund', ...packages], { cwd });
      });
      return isReady ? undefined : `${packages.join(', ')} could not be installed`;
    },
  };
}

/** Node.js as npm has it, beside the one that runs the tests. */
export const node22 = nodeTool('22.23.3');
/** Containers and Lambda have it. */
export const node24 = nodeTool('24.21.0');

function nodeTool(version: string): Tool {
  return npmTool([`node-linux-${process.arch}@${version}`], `node-linux-${process.arch}/bin/node`);
}

/** A Python that has these packages, whose programs are run as modules. */
export function pythonTool(packages: readonly string[]): Tool {
  const directory = cached('python', packages.join('\n'));
  return {
    path: join(directory, 'bin', 'python'),
    async missing() {
      if (!works('python3', ['--version'])) return 'there is no python3 on the PATH';
      const isReady = await filled(directory, (folder) => {
        const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
        return works('python3', ['-m', 'venv', folder]) && works(join(folder, 'bin', 'python'), pip);
      });
      return isReady ? undefined : 'the Python packages could not be installed';
    },
  };
}

/** Installed by the system's package manager, where that is Debian's and the user may. */
export const openssl: Tool = {
  path: 'openssl',
  async missing() {
    const isThere = () => works('openssl', ['version']);
    if (isThere()) return undefined;
    const install = ['install', '--yes', '--no-install-recommends', 'openssl'];
    if (works('apt-get', ['update']) && works('apt-get', install) && isThere()) return undefined;
    return 'there is no openssl on the PATH';
  },
};

/** A folder in the cache whose name follows from what is to be in it. */
export function cached(name: string, contents: string): string {
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 12);
  return join(cacheRoot(), `interop-${name}-${hash}`);
}

export function works(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
) {
  return spawnSync(command, args, { ...options, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

/** Fills a sibling and renames it, so that a directory of that name is always complete. */
export async function filled(
  directory: string,
  fill: (directory: string) => boolean | Promise<boolean>,
): Promise<boolean> {
  if (existsSync(directory)) return true;
  const temporary = await temporarySibling(directory);
  try {
    if (!(await fill(temporary))) return false;
    await rename(temporary, directory).catch((error: unknown) => {
      // Another process was quicker, and what it put there is the same.
      if (!existsSync(directory)) throw error;
    });
    return true;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
