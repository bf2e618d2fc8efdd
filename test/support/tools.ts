/** Tools of the tests, in the same cache as those of local/. */
import { join } from 'node:path';
import { cached, filled, npmTool, type Tool, works } from '../../local/tools.ts';

/** How long setting a tool up may take on a slow line and a busy machine. */
export const SET_UP_MS = 300_000;

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

export const openssl = debianTool('openssl', 'openssl', ['version']);
export const pgbouncer = debianTool('pgbouncer', '/usr/sbin/pgbouncer', ['--version']);

/** Installed by the system's package manager, where that is Debian's and the user may. */
function debianTool(name: string, path: string, question: string[]): Tool {
  return {
    path,
    async missing() {
      const isThere = () => works(path, question);
      if (isThere()) return undefined;
      const install = ['install', '--yes', '--no-install-recommends', name];
      if (works('apt-get', ['update']) && works('apt-get', install) && isThere()) return undefined;
      return `there is no ${name} on the PATH`;
    },
  };
}
