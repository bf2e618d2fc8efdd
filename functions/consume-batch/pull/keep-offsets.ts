import { remaining } from '../../../src/deadline.ts';
import { Failure, toFailure } from '../../../src/errors.ts';
import type { GroupOffsets } from '../../../src/kafka/fetch/group-offsets.ts';
import { noteText, readNote } from '../../../src/kafka/fetch/offset-note.ts';
import type { DescribedGroup } from '../../../src/kafka/wire/describe-group.ts';
import type { CommittedOffset } from '../../../src/kafka/wire/offset-fetch.ts';
import type { Log } from '../../../src/log.ts';
import type { PartitionHandler } from './partition-handler.ts';
import type { Committed } from './positions.ts';

/** The share of Kafka's lifetime of offsets after which an offset that did not move is committed again. */
const RENEW_AFTER = 1 / 4;
/** The share after which joining a group is tried again. */
const JOIN_AGAIN_AFTER = 1 / 32;
/** Kafka lets the first member wait for others, by default 3 s (`group.initial.rebalance.delay.ms`). */
const JOIN_MS = 6_000;
/** The group is not joined when the call has less time left. */
const JOIN_WITHIN_MS = 10_000;

/** The notes that one pull writes beside its offsets. */
export class OffsetNotes {
  /** Epoch milliseconds: when a pull last joined the group and left it; undefined where no note says so. */
  emptiedAt: number | undefined;

  constructor(committed: Committed) {
    const times = committedOffsets(committed).map(({ metadata }) => readNote(metadata)?.emptiedAt ?? 0);
    this.emptiedAt = Math.max(0, ...times) || undefined;
  }

  text(intent?: string): string {
    return noteText({ committedAt: Date.now(), emptiedAt: this.emptiedAt, intent });
  }

  /** The text for an offset that is committed once more. An intent and text that somebody else wrote stay. */
  renewed(metadata: string): string {
    const note = readNote(metadata);
    return metadata === '' || note ? this.text(note?.intent) : metadata;
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
 * Keeps the offsets of idle partitions from expiring (KIP-211). In a group without members, each offset expires some
 * time after its commit. In a group that has had members, all expire some time after the last one left, however often
 * they are committed. Failures are logged, and the next pull tries again. Throws GROUP_ACTIVE.
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
