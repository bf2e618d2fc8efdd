import { backoffMs } from '../../../src/backoff.ts';
import { remaining, sleep } from '../../../src/deadline.ts';
import { Failure, toFailure } from '../../../src/errors.ts';
import type { Connection } from '../../../src/kafka/connection/connection.ts';
import type { GroupOffsets } from '../../../src/kafka/fetch/group-offsets.ts';
import { readNote } from '../../../src/kafka/fetch/offset-note.ts';
import type { ProducerConfig } from '../../../src/kafka/produce/config.ts';
import {
  Fenced,
  RecordsRefused,
  TransactionalProducer,
} from '../../../src/kafka/produce/transactional-producer.ts';
import type { TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import type { CommittedOffset } from '../../../src/kafka/wire/offset-fetch.ts';
import type { Log } from '../../../src/log.ts';
import type { ProducerRecord } from '../../../src/record.ts';
import type { OffsetNotes } from './keep-offsets.ts';
import type { oldTransactionalIds } from './old-transactional-ids.ts';
import type { PullTimes } from './partition-handler.ts';
import { type Position, UNKNOWN_EPOCH } from './positions.ts';

const RETRY_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 1_600;
const NOT_SEEN = 'the group coordinator does not show what was committed';
/** How long a broker before Kafka 2.5 may take to show the offsets of an ended transaction. */
const SETTLE_MS = 500;

export interface FencedOffsetOptions {
  connection: Connection;
  group: GroupOffsets;
  /** The codec for records; by default `none`. */
  compression?: ProducerConfig['compression'];
  times: PullTimes;
  notes: OffsetNotes;
  oldIds: ReturnType<typeof oldTransactionalIds>;
  log: Log;
}

interface Move {
  offset: number;
  leaderEpoch: number;
  /** What the sink keeps beside the offset. */
  intent?: string | undefined;
}

/** No topic's name holds a slash, so no other group and topic have the same id. */
export function transactionalIdOf(groupId: string, { topic, partition }: TopicPartition): string {
  return `${groupId}-/${topic}/${partition}`;
}

/**
 * The committed offset of one source partition, which only transactions move. Its transactional id is the partition's
 * own, so that a pull shuts out its predecessor, partition by partition.
 */
export class FencedOffset {
  readonly #options: FencedOffsetOptions;
  readonly #producer: TransactionalProducer;
  readonly #source: TopicPartition;
  #offset: number | undefined;
  #leaderEpoch = UNKNOWN_EPOCH;
  #intent: string | undefined;
  #needsBegin = false;
  #isTakenOver = false;

  constructor({ topic, partition }: TopicPartition, options: FencedOffsetOptions) {
    const { connection, group, log, compression } = options;
    const transactionalId = transactionalIdOf(group.groupId, { topic, partition });
    this.#options = options;
    this.#source = { topic, partition };
    this.#producer = new TransactionalProducer(connection, transactionalId, group, log, compression);
  }

  /** The committed offset; undefined where there is none. */
  get offset(): number | undefined {
    return this.#offset;
  }

  /** The leader epoch of the record before the offset; -1 where it is not known. */
  get leaderEpoch(): number {
    return this.#leaderEpoch;
  }

  /** What the sink keeps beside the offset; undefined where there is nothing. */
  get intent(): string | undefined {
    return this.#intent;
  }

  /** Another pull took over before this one could begin, or while it was at work. */
  get isTakenOver(): boolean {
    return this.#isTakenOver;
  }

  /** Reads the committed offset again: the predecessor may have committed before it was shut out. */
  async begin(position: Position): Promise<Position> {
    try {
      await this.#takeOver(position.from);
    } catch (error) {
      if (!(error instanceof Fenced)) throw error;
      this.#isTakenOver = true;
      return position;
    }
    const offset = this.#offset;
    if (offset === position.committed || offset === undefined) return position;
    return { ...position, committed: offset, from: offset };
  }

  async renew({ offset }: CommittedOffset): Promise<void> {
    const { notes, times } = this.#options;
    const committed = await this.#takeOver();
    // Whoever has moved the offset has also renewed it.
    if (committed?.offset !== offset) return;
    const { leaderEpoch, metadata } = committed;
    const renewed = { ...this.#source, from: offset, offset, leaderEpoch, metadata: notes.renewed(metadata) };
    await this.#producer.transact([], [renewed], times.deadline);
  }

  /**
   * Publishes records and moves the offset in one transaction, again after a failure, as long as there is time and
   * nobody else has taken over. `alone`: no two records share a batch, so that a refusal names its record.
   */
  async move(
    records: readonly ProducerRecord[],
    to: Move,
    { alone = false } = {},
  ): Promise<'moved' | 'taken over' | RecordsRefused | Failure> {
    const { times, notes, log } = this.#options;
    const known = { offset: this.#offset, intent: this.#intent };
    for (let attempt = 1; ; attempt++) {
      try {
        if (this.#needsBegin) {
          await this.#takeOver(this.#offset);
          // Nobody said whether the transaction was committed. Now it is known that it was.
          if (attempt > 1 && this.#isAt(to)) return 'moved';
          if (!this.#isAt(known)) return this.takenOver(this.#offset);
        }
        const metadata = notes.text(to.intent);
        const { offset, leaderEpoch } = to;
        const moved = { ...this.#source, from: this.#offset, offset, leaderEpoch, metadata };
        await this.#producer.transact(records, [moved], times.deadline, { alone });
        // The offset is the same, so the next transaction can't tell whether this one is visible.
        if (offset === this.#offset) await this.#requireSeen(metadata);
        this.#know(to);
        return 'moved';
      } catch (error) {
        this.#needsBegin = true;
        if (error instanceof Fenced) return this.takenOver(undefined);
        if (error instanceof RecordsRefused) return error;
        const failure = toFailure(error);
        const backoff = backoffMs(attempt, RETRY_BACKOFF_MS, MAX_BACKOFF_MS);
        const isInTime = Date.now() + backoff <= times.handleBefore;
        if (!failure.retriable || failure.code === 'GROUP_ACTIVE' || !isInTime) return failure;
        log.debug('a transaction is tried again', { error: failure });
        await sleep(backoff);
      }
    }
  }

  takenOver(committed: number | undefined): 'taken over' {
    this.#isTakenOver = true;
    this.#options.log.warn(
      'another pull of this group has taken the partition over: it is left to that one',
      { ...this.#source, committed },
    );
    return 'taken over';
  }

  #isAt({ offset, intent }: { offset: number | undefined; intent?: string | undefined }): boolean {
    return this.#offset === offset && this.#intent === intent;
  }

  #know({ offset, leaderEpoch, intent }: Move): void {
    this.#offset = offset;
    this.#leaderEpoch = leaderEpoch;
    this.#intent = intent;
  }

  /** `from` is where the partition begins if nothing is committed. Throws Fenced or a Failure. */
  async #takeOver(from = this.#offset ?? 0): Promise<CommittedOffset | undefined> {
    const { group, times, oldIds } = this.#options;
    await Promise.all([this.#producer.begin(times.deadline), oldIds.shutOut(this.#source, times.deadline)]);
    if (!group.knowsStable) await sleep(Math.min(SETTLE_MS, remaining(times.deadline)));
    const committed = await this.#committed();
    const isFlushed = group.knowsStable && !group.isNewCoordinator;
    if (isFlushed) await this.#flush(committed, from);
    this.#needsBegin = false;
    this.#offset = committed?.offset ?? (isFlushed ? from : undefined);
    this.#leaderEpoch = committed?.leaderEpoch ?? UNKNOWN_EPOCH;
    this.#intent = readNote(committed?.metadata ?? '')?.intent;
    return committed;
  }

  /**
   * Commits the same offset once more and waits until it is visible. The group coordinator before Kafka 4 handles an
   * aborted predecessor late. It then drops all offsets that the same producer id has sent meanwhile, even of a
   * transaction that was committed (GroupMetadata.completePendingTxnOffsetCommit). Once this commit is visible, the
   * predecessor is done with.
   */
  async #flush(committed: CommittedOffset | undefined, from: number): Promise<void> {
    const { times, notes } = this.#options;
    const { offset = from, leaderEpoch = UNKNOWN_EPOCH } = committed ?? {};
    const intent = readNote(committed?.metadata ?? '')?.intent;
    for (let attempt = 1; ; attempt++) {
      const metadata = notes.text(intent);
      const moved = { ...this.#source, from: committed?.offset, offset, leaderEpoch, metadata };
      await this.#producer.transact([], [moved], times.deadline);
      if ((await this.#committed())?.metadata === metadata) return;
      if (remaining(times.deadline) === 0) throw new Failure('BROKER_UNREACHABLE', NOT_SEEN);
      await sleep(backoffMs(attempt, RETRY_BACKOFF_MS, MAX_BACKOFF_MS));
    }
  }

  /** The group coordinator before Kafka 4 applies a transaction's offsets some time after its end. */
  async #requireSeen(metadata: string): Promise<void> {
    const { group, times } = this.#options;
    if (group.isNewCoordinator) return;
    for (let attempt = 1; (await this.#committed())?.metadata !== metadata; attempt++) {
      if (remaining(times.deadline) === 0) throw new Failure('BROKER_UNREACHABLE', NOT_SEEN);
      await sleep(backoffMs(attempt, RETRY_BACKOFF_MS, MAX_BACKOFF_MS));
    }
  }

  async #committed(): Promise<CommittedOffset | undefined> {
    const { group, times } = this.#options;
    const [committed] = await group.committed([this.#source], times.deadline, { waitForTransactions: true });
    if (committed instanceof Failure) throw committed;
    return committed;
  }
}
