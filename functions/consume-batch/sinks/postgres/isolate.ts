import type { Session } from '../../../../src/postgres/database.ts';
import { blameOf } from './blame.ts';
import type { Source, Unwritten } from './row-writer.ts';

/**
 * Writes what the database takes, and finds the records that it refuses by halving: one of 2,000 takes 23 writes.
 * Everything happens in the transaction of `session`. Resolves with them and with what `write` leaves out; rejects
 * where something else than a record is to blame.
 */
export async function writeIsolating(
  session: Session,
  sources: readonly Source[],
  write: (sources: readonly Source[]) => Promise<Unwritten[]>,
): Promise<Unwritten[]> {
  if (sources.length === 0) return [];
  await session.query('SAVEPOINT half', []);
  try {
    const unwritten = await write(sources);
    await session.query('RELEASE SAVEPOINT half', []);
    return unwritten;
  } catch (error) {
    if (!(error instanceof Error) || !['record', 'unclassified'].includes(blameOf(error))) throw error;
    await session.query('ROLLBACK TO SAVEPOINT half', []);
    await session.query('RELEASE SAVEPOINT half', []);
    const [only] = sources;
    if (only && sources.length === 1) return [{ source: only, error }];
    const middle = Math.ceil(sources.length / 2);
    return [
      ...(await writeIsolating(session, sources.slice(0, middle), write)),
      ...(await writeIsolating(session, sources.slice(middle), write)),
    ];
  }
}
