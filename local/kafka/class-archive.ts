import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withProgress } from '../console.ts';
import type { Distribution } from './distribution.ts';
import { temporarySibling } from './temporary.ts';

/**
 * The Java options that load the broker's classes from a shared archive (class data sharing), so that a broker boots in
 * less than half the time. `warmUp` starts a broker with the given options and ends it with SIGTERM, which writes the
 * archive. It is called once for each distribution and Java build.
 */
export async function classArchive(
  distribution: Distribution,
  warmUp: (javaOptions: readonly string[]) => Promise<void>,
): Promise<readonly string[]> {
  const existing = existingArchive(distribution);
  if (existing.length > 0) return existing;
  const archive = archivePath(distribution);

  const temporary = await temporarySibling(archive);
  try {
    await withProgress(`Preparing Apache Kafka ${distribution.version} for a quick start (once)`, () =>
      warmUp([`-XX:ArchiveClassesAtExit=${temporary}`]),
    );
    await rename(temporary, archive);
    return existingArchive(distribution);
  } catch {
    // Only speed is lost; any other problem is reported better by the real start.
    return [];
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The options if the archive exists already, else none. */
export function existingArchive(distribution: Distribution): readonly string[] {
  const archive = archivePath(distribution);
  return existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : [];
}

// Not made in the temporary directory with the jars: moving them would invalidate it.
function archivePath({ directory, javaId }: Distribution): string {
  return join(directory, `classes-${javaId}.jsa`);
}
