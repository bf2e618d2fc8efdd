import { remaining } from '../../../src/deadline.ts';
import { Failure, toFailure } from '../../../src/errors.ts';
import type { GroupOffsets } from '../../../src/kafka/fetch/group-offsets.ts';
import { noteText, readNote } from '../../../src/kafka/fetch/offset-note.ts';
import type { DescribedGroup } from '../../../src/kafka/wire/describe-group.ts';
import type { CommittedOffset } from '../../../src/kafka/wire/offset-fetch.ts';
import type { Log } from '../../../src/log.ts';
import type { PartitionHandler } from './partition-handler.ts';
import type { Committed } from './positions.ts';

/** The share of the time that Kafka keeps an offset, after which one that did not move is committed again. */
const RENEW_AFTER = 1 / 4;
/** The share after which a group that could not be joined is tried again. */
const JOIN_AGAIN_AFTER = 1 / 32;
/** Kafka lets the first member wait for others: 3 s by default (`group.initial.rebalance.delay.ms`). */
const JOIN_MS = 6_000;
/** With less time than this left for the call, the group is not joined. */
const JOIN_WITHIN_MS = 10_000;

/** What is written beside the offsets that one pull commits. */
export class OffsetNotes {
  /** Epoch milliseconds: when a pull last joined the group and left it; undefined: nobody wrote so. */
  emptiedAt: number | undefined;

  constructor(committed: Committed) {
    const times = committedOffsets(committed).map(({ metadata }) => readNote(metadata)?.emptiedAt ?? 0);
    this.emptiedAt = Math.max(0, ...times) || undefined;
  }

  text(): string {
    return noteText({ committedAt: Date.now(), emptiedAt: this.emptiedAt });
  }

  /** The text for an offset that is committed once more: a note of somebody else's stays. */
  renewed(metadata: string): string {
    return metadata === '' || readNote(metadata) ? this.text() : metadata;
  }
}

interface KeepOptions {
  group: GroupOffsets;
  described: DescribedGroup;
  notes: OffsetNotes;
  handler: PartitionHandler;
  deadline: number;
  log: Log;
}

/**
 * Keeps the offsets of partitions where nothing happens from expiring (KIP-211): those of a group that never
 * had members a while after they were committed; all of a group that had some a while after the last one left,
 * however often they are committed since. What fails is logged, and tried again by the next pull; throws
 * GROUP_ACTIVE.
 */
export async function keepOffsets(committed: Committed, options: KeepOptions): Promise<void> {
  const { group, described, notes, handler, deadline, log } = options;
  const offsets = committedOffsets(committed);
  if (offsets.length === 0) return;
  const retentionMs = await group.retentionMs(deadline);
  const isDue = (since: number | undefined) =>
    since === undefined || Date.now() - since >= retentionMs * RENEW_AFTER;
  const hadMembers = described.type === 'classic' && described.protocolType !== '';
  const hasJoined = hadMembers && isDue(notes.emptiedAt) && (await beginAnew(retentionMs, options));
  const due = offsets.filter(({ metadata }) => hasJoined || isDue(readNote(metadata)?.committedAt));
  await Promise.all(
    due.map(async (offset) => {
      try {
        await handler.renew(offset);
      } catch (error) {
        const failure = toFailure(error);
        if (failure.code === 'GROUP_ACTIVE') throw failure;
        const { topic, partition } = offset;
        log.warn('an offset could not be committed again', {
          topic,
          partition,
          offset: offset.offset,
          error,
        });
      }
    }),
  );
}

/** Whether the group was joined and left. */
async function beginAnew(
  retentionMs: number,
  { group, notes, deadline, log }: KeepOptions,
): Promise<boolean> {
  const failedAt = group.joinFailedAt ?? 0;
  if (Date.now() - failedAt < retentionMs * JOIN_AGAIN_AFTER) return false;
  try {
    if (remaining(deadline) < JOIN_WITHIN_MS) {
      throw new Failure('BROKER_UNREACHABLE', `that may take ${JOIN_MS} ms, and the call has no time for it`);
    }
    await group.joinAndLeave(Date.now() + JOIN_MS);
    notes.emptiedAt = Date.now();
    return true;
  } catch (error) {
    const days = (retentionMs / 86_400_000).toFixed(1);
    log.warn(
      `group ${group.groupId} has had members, and Kafka forgets its offsets ${days} days after the last one left: it could not be joined to put that off. Give the function ${JOIN_WITHIN_MS / 1_000} s or more, or a KAFKA_GROUP_ID that never had members`,
      { code: toFailure(error).code, error },
    );
    return false;
  }
}

function committedOffsets(committed: Committed): CommittedOffset[] {
  return committed.flatMap((offset) => (offset === undefined || offset instanceof Failure ? [] : [offset]));
}
