/** `npm run image -- <folder>`: writes the image's files, besides Node.js's own, without docker. */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from '../build.ts';

/** CronJobs run these. */
const SCHEDULED = ['consume-batch', 'connectivity-check'];
const runner = fileURLToPath(new URL('run.cjs', import.meta.url));

/** Writes `/app` and the empty folder for certificates into `folder`. No certificate is in it. */
export async function layOut(folder: string): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'image-'));
  try {
    const built = await build({
      functions: ['http', ...SCHEDULED],
      outdir: join(scratch, 'dist'),
      certificates: join(scratch, 'none'),
    });
    const app = join(folder, 'app');
    await mkdir(join(folder, 'certificates'), { recursive: true });
    for (const { name, directory } of built) {
      await cp(directory, SCHEDULED.includes(name) ? join(app, name) : app, { recursive: true });
    }
    await cp(runner, join(app, 'run.cjs'));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [folder] = process.argv.slice(2);
  if (!folder) {
    console.error('Name the folder that the tree is laid out in: npm run image -- <folder>');
    process.exit(1);
  }
  await layOut(folder);
}
