import type { PostgresConfig } from '../../../src/postgres/config.ts';
import { addressText } from '../../../src/variables.ts';
import { Broken, type Passed } from '../ladder/ladder.ts';
import type { Run } from '../ladder/run.ts';

/** Where consume-batch writes, as far as this function's variables say. */
export interface CheckedSink extends PostgresConfig {
  topics: readonly string[];
}

/** Longer than a connection over a slow line takes. */
const WITHIN_MS = 5_000;

/** Climbs to the destination of the records, and looks whether they would find their place. */
export async function reachSink(sink: CheckedSink, { deadline }: Run): Promise<Passed<undefined>> {
  // The driver is a file of its own, which only this rung loads.
  const { inspectTables } = await import('./sink-tables.ts');
  const by = Math.min(deadline, Date.now() + WITHIN_MS);
  const found = await inspectTables(sink, by);
  const target = addressText(sink);
  if (found.fault) throw new Broken(found.fault, found.evidence, { target: found.table ?? target });
  return { value: undefined, evidence: `${target}: ${found.evidence}` };
}
