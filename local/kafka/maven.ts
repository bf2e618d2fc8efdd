import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { isMissing } from './java.ts';

const run = promisify(execFile);

export interface Jars {
  /** For messages: `Apache Kafka`. */
  product: string;
  pom: string;
  /** For the versions that the POM leaves open. */
  properties?: readonly string[];
  /** What to do without Maven, the end of a sentence. */
  otherwise: string;
}

/** Puts the jars of a POM into `lib`. Rejects with a sentence that names the remedy. */
export async function copyJars(
  lib: string,
  { product, pom, properties = [], otherwise }: Jars,
): Promise<void> {
  const args = [
    '-B',
    '-f',
    pom,
    'dependency:copy-dependencies',
    '-DincludeScope=runtime',
    ...properties,
    `-DoutputDirectory=${lib}`,
  ];
  try {
    // The cache as working directory: Maven must not find or make anything in the caller's.
    await run('mvn', args, { cwd: dirname(lib), maxBuffer: 64 << 20, shell: process.platform === 'win32' });
  } catch (error) {
    if (isMissing(error)) {
      throw new Error(
        `Fetching ${product} needs Maven, and there is no mvn on the PATH: install it (for example the package maven), ${otherwise}.`,
      );
    }
    const output = (error as { stdout?: string }).stdout ?? '';
    const reasons = output.split('\n').filter((line) => line.includes('ERROR'));
    throw new Error(`Maven could not fetch ${product}, ${otherwise}.\n${reasons.slice(0, 5).join('\n')}`);
  }
}
