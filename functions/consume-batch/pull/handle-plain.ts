import { toFailure } from '../../../src/errors.ts';
import { isOpen, type ProcessOptions, processRecords, tally } from '../records/process-records.ts';
import type { Committer } from './committer.ts';
import type { OffsetNotes } from './keep-offsets.ts';
import type { BatchResult, PartitionHandler, PulledBatch } from './partition-handler.ts';
import type { Position } from './positions.ts';

/** Writes records, then commits their offsets. After a crash in between, records are handled again. */
export function plainHandler(
  committer: Committer,
  notes: OffsetNotes,
  options: ProcessOptions,
): PartitionHandler {
  return {
    async renew(committed) {
      committer.know(committed, committed.offset);
      await committer.commit({ ...committed, metadata: notes.renewed(committed.metadata) });
    },
    async begin(position) {
      committer.know(position, position.committed);
      return position;
    },
    handle: (position, batch) => handleBatch(position, batch, { committer, notes, options }),
  };
}

async function handleBatch(
  { topic, partition }: Position,
  { records, nextOffset, leaderEpoch }: PulledBatch,
  { committer, notes, options }: { committer: Committer; notes: OffsetNotes; options: ProcessOptions },
): Promise<BatchResult> {
  const outcomes = await processRecords(records, options);
  const { processed, deadLettered, failures } = tally(outcomes);
  const counts = { processed, deadLettered, failed: failures.length };
  const open = outcomes.findIndex(isOpen);
  const to = records[open]?.offset ?? nextOffset;
  const stop = failures[0] ?? (open < 0 ? undefined : 'out of time');
  // Drop the records before the commit's round trip, so that the garbage collector doesn't carry them over it.
  records.length = 0;
  // The first record is open, so there is nothing to commit.
  if (open === 0) return { ...counts, to: undefined, stop };
  try {
    const isCommitted = await committer.commit({
      topic,
      partition,
      offset: to,
      leaderEpoch,
      metadata: notes.text(),
    });
    return isCommitted ? { ...counts, to, stop } : { ...counts, to: undefined, stop: stop ?? 'taken over' };
  } catch (error) {
    return { ...counts, to: undefined, stop: toFailure(error) };
  }
}
