import type { StorageConfig } from '../../../src/object-storage/config.ts';
import type { PostgresConfig } from '../../../src/postgres/config.ts';
import { addressText } from '../../../src/variables.ts';
import type { Fault } from '../faults.ts';
import { Broken, type Passed } from '../ladder/ladder.ts';
import type { Run } from '../ladder/run.ts';

export interface CheckedDatabase extends PostgresConfig {
  topics: readonly string[];
}

/** Where consume-batch writes, as far as this function's variables say. */
export type CheckedSink = { database: CheckedDatabase } | { storage: StorageConfig };

export interface Finding {
  fault?: Fault;
  /** The table; undefined where it is the address. */
  target?: string;
  evidence: string;
}

/** Longer than a connection over a slow line takes. */
const WITHIN_MS = 5_000;

/** Climbs to the destination of the records, and looks whether they would find their place. */
export async function reachSink(sink: CheckedSink, run: Run): Promise<Passed<undefined>> {
  const by = Math.min(run.deadline, Date.now() + WITHIN_MS);
  const address = 'database' in sink ? addressText(sink.database) : new URL(sink.storage.endpoint).host;
  const { fault, target = address, evidence } = await inspect(sink, run, by);
  if (fault) throw new Broken(fault, evidence, { target });
  return { value: undefined, evidence: `${address}: ${evidence}` };
}

/** Drivers are files of their own, which only this rung loads. */
async function inspect(sink: CheckedSink, run: Run, deadline: number): Promise<Finding> {
  if ('database' in sink) return (await import('./sink-tables.ts')).inspectTables(sink.database, deadline);
  return (await import('./sink-bucket.ts')).inspectBucket(sink.storage, run, deadline);
}
