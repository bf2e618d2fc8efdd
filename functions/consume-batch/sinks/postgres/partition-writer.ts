import { backoffMs } from '../../../../src/backoff.ts';
import { sleep } from '../../../../src/deadline.ts';
import { Failure } from '../../../../src/errors.ts';
import type { TopicPartition } from '../../../../src/kafka/wire/by-topic.ts';
import type { Session } from '../../../../src/postgres/database.ts';
import type { ConsumerRecord } from '../../../../src/record.ts';
import { addResult, type BatchResult, nothingDone, type PulledBatch } from '../../pull/partition-handler.ts';
import type { Position } from '../../pull/positions.ts';
import { type DeadLetter, placeOf } from '../../records/dead-letter.ts';
import { PoisonError, type RecordFailure, recordFailure } from '../../records/record-failure.ts';
import { transformRetrying } from '../../records/transform.ts';
import { tellWritten } from '../../records/written-batch.ts';
import { blameOf } from './blame.ts';
import { type Refused, writeIsolating } from './isolate.ts';
import type { DatabasePull } from './open-postgres.ts';
import type { RowWriter, Source } from './row-writer.ts';
import { lockedOffset, moveOffset } from './stored-offsets.ts';

/** The server ends a transaction that idles for 10 s, as while its dead letters are on their way. */
const DEAD_LETTER_MS = 7_000;

/** Of records for the user's code. */
const FIRST_PART = 1;
const QUICK_MS = 500;
const SLOW_MS = 2_000;
/** Of the time that is left: the next records may be slower. */
const SAFE_SHARE = 0.5;

/** What of a batch is to be written, and what is not. */
interface Work {
  sources: Source[];
  dead: DeadLetter[];
  /** The offset behind it. */
  to: number;
  /** Why the partition stops behind it. */
  stop: Failure | undefined;
}

/** What the attempts at a transaction have in common. */
interface Trial {
  /** Undefined once a record is known to be in the way. */
  writeAll: ((session: Session) => Promise<void>) | undefined;
  /** An earlier attempt may have been committed. */
  mayBeDone: boolean;
  /** By the last attempt; they are dead letters. */
  refused: readonly Refused[];
}

/** One partition in one pull: each batch is one transaction of its rows and of the partition's offset. */
export class PartitionWriter {
  readonly #pull: DatabasePull;
  readonly #source: TopicPartition;
  readonly #writer: RowWriter;
  /** Where the partition stands: in the database or, until its first row, in Kafka. */
  #stored: number | undefined;
  /** How many records the user's code gets at once. */
  #partSize = FIRST_PART;
  /** Offsets of records that have been dead-lettered in this pull, if their transaction is repeated. */
  readonly #buried = new Set<number | undefined>();

  constructor({ topic, partition, committed }: Position, pull: DatabasePull) {
    this.#pull = pull;
    this.#source = { topic, partition };
    this.#writer = pull.writerOf(topic);
    this.#stored = committed;
  }

  async handle(batch: PulledBatch): Promise<BatchResult> {
    const startedAt = Date.now();
    let work: Work;
    try {
      work = await this.#prepare(batch);
    } catch (error) {
      return this.#stopped(this.#pull.failureOf(error, [this.#source.topic]), batch.records.length);
    }
    const transformMs = Date.now() - startedAt;
    if (work.to === this.#stored) return this.#stopped(work.stop, work.stop ? 1 : 0);
    return this.#writer.isUsers ? this.#commitInParts(work) : this.#commit(work, transformMs);
  }

  /**
   * Nobody knows how slow the user's code is: parts grow while they are quick, and never beyond what the last one says
   * about the time that is left, so that each call gets somewhere.
   */
  async #commitInParts({ sources, ...rest }: Work): Promise<BatchResult> {
    const { startBefore, handleBefore } = this.#pull.times;
    const sum = nothingDone(undefined, this.#stored);
    let fits = this.#partSize;
    for (let at = 0; at === 0 || at < sources.length; ) {
      const part = sources.slice(at, at + Math.min(this.#partSize, fits));
      at += Math.max(1, part.length);
      const isLast = at >= sources.length;
      const next = sources[at]?.record.offset ?? rest.to;
      const startedAt = Date.now();
      const work = isLast
        ? { ...rest, sources: part }
        : { sources: part, dead: [], to: next, stop: undefined };
      addResult(sum, await this.#commit(work));
      if (sum.stop || isLast) return sum;
      const ms = Date.now() - startedAt;
      fits = Math.floor((((handleBefore - Date.now()) * SAFE_SHARE) / Math.max(1, ms)) * part.length);
      if (fits < 1 || Date.now() >= startBefore) return { ...sum, stop: 'out of time' };
      this.#partSize = ms > SLOW_MS ? Math.max(1, Math.floor(part.length / 2)) : this.#partSize;
      if (ms < QUICK_MS) this.#partSize *= 2;
    }
    return sum;
  }

  /** Up to the first record that may pass later, the rows to be written and the records that will never pass. */
  async #prepare({ records, nextOffset }: PulledBatch): Promise<Work> {
    const work: Work = { sources: [], dead: [], to: nextOffset, stop: undefined };
    const made = await this.#transformed(records);
    for (const [at, record] of records.entries()) {
      const outputs = made?.[at] ?? [record];
      const failed = 'failureClass' in outputs ? outputs : await this.#checked({ record, outputs });
      if (!failed) {
        work.sources.push({ record, outputs: outputs as readonly ConsumerRecord[] });
      } else if (failed.failureClass === 'transient' || failed.failureClass === 'sink') {
        work.to = record.offset ?? nextOffset;
        work.stop = new Failure('SINK_FAILED', `${placeOf(record)}: ${failed.error.message}`, {
          cause: failed.error,
        });
        break;
      } else {
        work.dead.push({ ...failed, record });
      }
    }
    return work;
  }

  #transformed(records: readonly ConsumerRecord[]) {
    const { pipeline, times, config, origin } = this.#pull;
    const { transformRecord, handleTransaction } = pipeline;
    // That gets the records as they came.
    if (!transformRecord || handleTransaction) return undefined;
    return transformRetrying(records, transformRecord, this.#pull, { ...times, ...config, origin });
  }

  /** Rejects where something else than the record is to blame. */
  async #checked(source: Source): Promise<RecordFailure | undefined> {
    try {
      await this.#writer.check?.(source, this.#pull.times.deadline);
      return undefined;
    } catch (error) {
      const failure = recordFailure(0, error);
      if (failure.failureClass === 'permanent' || failure.failureClass === 'poison') return failure;
      throw error;
    }
  }

  /** Runs the transaction, again where that may help, within the retries and the remaining time. */
  async #commit(work: Work, transformMs = 0): Promise<BatchResult> {
    const { database, times, config, origin, failureOf } = this.#pull;
    const trial: Trial = { writeAll: await this.#writingAll(work.sources), mayBeDone: false, refused: [] };
    const startedAt = Date.now();
    const discarding = { discards: this.#writer.isUsers === true };
    for (let attempt = 1; ; ) {
      try {
        let writtenAt = startedAt;
        const isOurs = await database.transaction(
          times.deadline,
          async (session) => {
            const isMoved = await this.#write(session, work, trial);
            writtenAt = Date.now();
            return isMoved;
          },
          discarding,
        );
        if (!isOurs) return this.#takenOver();
        const from = this.#stored;
        this.#stored = work.to;
        const deadLettered = work.dead.length + trial.refused.length;
        const processed = work.sources.length - trial.refused.length;
        const ms = { transformMs, sinkMs: writtenAt - startedAt, commitMs: Date.now() - writtenAt };
        const figures = { records: processed, bytes: bytesOf(work.sources), ...ms };
        const about = { ...this.#source, from, to: work.to, deadLettered };
        if (processed > 0) tellWritten(origin.log, 'rows were written', figures, about);
        return { processed, deadLettered, failed: work.stop ? 1 : 0, to: work.to, stop: work.stop };
      } catch (error) {
        if (error instanceof NotBuried) return this.#commitBefore(error, work);
        const blame = error instanceof Failure ? 'configuration' : blameOf(error);
        const isExhausted = attempt > config.retries;
        const mayBeOfOne = blame === 'record' || (blame === 'unclassified' && isExhausted);
        // What COPY can't do, as into a view, INSERT may.
        if (trial.writeAll && (mayBeOfOne || blame === 'configuration')) {
          trial.writeAll = undefined;
          continue;
        }
        const backoff = backoffMs(attempt, config.retryBackoffMs);
        const mayPass = blame === 'world' || blame === 'unclassified';
        if (!mayPass || isExhausted || Date.now() + backoff > times.handleBefore) {
          return this.#stopped(
            failureOf(error, [this.#source.topic]),
            work.sources.length + work.dead.length,
          );
        }
        trial.mayBeDone = true;
        attempt++;
        origin.log.debug('a transaction is tried again', { ...this.#source, error });
        await sleep(backoff);
      }
    }
  }

  /** How to write all records together; undefined where it is known that one of them is in the way. */
  async #writingAll(sources: readonly Source[]): Promise<Trial['writeAll']> {
    try {
      return (
        (await this.#writer.writingAll?.(sources)) ?? ((session) => this.#writer.write(session, sources))
      );
    } catch (error) {
      if (blameOf(error) === 'record') return undefined;
      throw error;
    }
  }

  /** False where another pull has moved the offset. */
  async #write(session: Session, { sources, dead, to }: Work, trial: Trial): Promise<boolean> {
    const { group } = this.#pull;
    const isOurs = await moveOffset(session, group.groupId, { ...this.#source, from: this.#stored, to });
    // An earlier attempt may have been committed without an answer.
    if (!isOurs) return trial.mayBeDone && (await lockedOffset(session, group.groupId, this.#source)) === to;
    if (trial.writeAll) {
      await trial.writeAll(session);
      await this.#bury(dead);
      return true;
    }
    // What a deferred constraint refuses would show at the COMMIT alone.
    await session.query('SET CONSTRAINTS ALL IMMEDIATE', []);
    // A letter that was written stands, also where the database would take its record by now.
    const isBuried = ({ record }: Source) => this.#buried.has(record.offset);
    const known = trial.refused.filter(({ source }) => isBuried(source));
    const open = sources.filter((source) => !isBuried(source));
    const refused = await writeIsolating(session, open, (part) => this.#writer.write(session, part));
    trial.refused = [...known, ...refused];
    const letters = trial.refused.map(({ source, error }): DeadLetter => {
      const failureClass = error instanceof PoisonError ? 'poison' : 'permanent';
      return { record: source.record, failureClass, error };
    });
    await this.#bury([...dead, ...letters].sort((a, b) => (a.record.offset ?? 0) - (b.record.offset ?? 0)));
    return true;
  }

  /** Before the COMMIT: a crash in between leaves a second dead letter, and never none. */
  async #bury(dead: readonly DeadLetter[]): Promise<void> {
    const { deadLetters, times, origin } = this.#pull;
    const left = dead.filter(({ record }) => !this.#buried.has(record.offset));
    if (left.length === 0) return;
    const deadline = Math.min(times.deadline, Date.now() + DEAD_LETTER_MS);
    const failures = await deadLetters.write(left, { ...origin, deadline });
    for (const [at, { record }] of left.entries()) if (!failures[at]) this.#buried.add(record.offset);
    const first = failures.findIndex(Boolean);
    const record = left[first]?.record;
    if (record) throw new NotBuried(record, failures[first]);
  }

  /** What stands before a record that can't be dead-lettered. */
  async #commitBefore({ record, cause }: NotBuried, work: Work): Promise<BatchResult> {
    const stop = cause instanceof Failure ? cause : undefined;
    const to = record.offset ?? 0;
    const isBefore = (one: { record: ConsumerRecord }) => (one.record.offset ?? 0) < to;
    const before = { sources: work.sources.filter(isBefore), dead: work.dead.filter(isBefore), to, stop };
    return before.sources.length + before.dead.length === 0 ? this.#stopped(stop, 1) : this.#commit(before);
  }

  #stopped(stop: BatchResult['stop'], failed: number): BatchResult {
    return { ...nothingDone(stop, this.#stored), failed };
  }

  #takenOver(): BatchResult {
    this.#pull.origin.log.warn(
      'another pull of this group is at work on the partition: it is left to that one',
      { ...this.#source, offset: this.#stored },
    );
    return nothingDone('taken over');
  }
}

function bytesOf(sources: readonly Source[]): number {
  let bytes = 0;
  for (const { outputs } of sources)
    for (const { key, value } of outputs) bytes += (key?.length ?? 0) + (value?.length ?? 0);
  return bytes;
}

/** Its dead letter was not acknowledged, for the reason in `cause`. */
class NotBuried extends Error {
  readonly record: ConsumerRecord;

  constructor(record: ConsumerRecord, cause: Failure | undefined) {
    super('a record could not be dead-lettered', { cause });
    this.record = record;
  }
}
