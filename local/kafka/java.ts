import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const MINIMUM_JAVA = 17;
/** The remedy that needs no installation. */
export const OWN_CLUSTER = 'or set KAFKA_BOOTSTRAP_SERVERS to use a cluster of your own';

/** `JAVA_HOME`'s Java, else that on the PATH. Rejects with a sentence that names the remedy. */
export async function findJava(): Promise<{ java: string; javaId: string }> {
  const home = process.env.JAVA_HOME;
  const atHome = home && join(home, 'bin', 'java');
  const java = atHome && existsSync(atHome) ? atHome : 'java';
  const remedy = `install a Java runtime (for example the package openjdk-17-jre-headless), ${OWN_CLUSTER}.`;
  let banner: string;
  try {
    banner = (await promisify(execFile)(java, ['-version'])).stderr;
  } catch (error) {
    if (isMissing(error)) {
      throw new Error(
        `Apache Kafka needs Java ${MINIMUM_JAVA} or newer, and there is no java on the PATH: ${remedy}`,
      );
    }
    throw new Error(`${java} -version failed: ${remedy}`, { cause: error });
  }
  const version = /version "(?:1\.)?(\d+)/.exec(banner)?.[1];
  if (Number(version) < MINIMUM_JAVA) {
    throw new Error(
      `Apache Kafka needs Java ${MINIMUM_JAVA} or newer, and ${java} is Java ${version}: ${remedy}`,
    );
  }
  return { java, javaId: hashOf(banner) };
}

/** Whether a program is not installed. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'EACCES';
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
