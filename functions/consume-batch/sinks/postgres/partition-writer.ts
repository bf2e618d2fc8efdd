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
import { writeIsolating } from './isolate.ts';
import { claimKeys, cleanKeys } from './once.ts';
import type { DatabasePull } from './open-postgres.ts';
import type { RowWriter, Source, Unwritten } from './row-writer.ts';
import { lockedOffset, moveOffset } from './stored-offsets.ts';
import { settingsKeeper } from './user-transaction.ts';

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
  writeAll: ((session: Session) => Promise<Unwritten[]>) | undefined;
  /** An earlier attempt may have been committed. */
  mayBeDone: boolean;
  /** By the last attempt: refused ones are dead letters, and repeats are done. */
  unwritten: readonly Unwritten[];
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
    const trial: Trial = { writeAll: await this.#writingAll(work.sources), mayBeDone: false, unwritten: [] };
    const startedAt = Date.now();
    const discarding = { discards: this.#writer.isUsers === true };
    for (let attempt = 1; ; ) {
      const wasFast = trial.writeAll !== undefined;
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
        const repeated = new Set(trial.unwritten.flatMap(({ source, error }) => (error ? [] : [source])));
        const repeats = repeated.size;
        const refused = trial.unwritten.length - repeats;
        const deadLettered = work.dead.length + refused;
        const processed = work.sources.length - refused;
        const ms = { transformMs, sinkMs: writtenAt - startedAt, commitMs: Date.now() - writtenAt };
        const bytes = bytesOf(work.sources.filter((source) => !repeated.has(source)));
        const figures = { records: processed - repeats, bytes, ...ms };
        const about = { ...this.#source, from, to: work.to, deadLettered, ...(repeats > 0 && { repeats }) };
        if (processed > 0) tellWritten(origin.log, 'rows were written', figures, about);
        return { processed, deadLettered, failed: work.stop ? 1 : 0, to: work.to, stop: work.stop };
      } catch (error) {
        if (error instanceof NotBuried) return this.#commitBefore(error, work);
        const blame = error instanceof Failure ? 'configuration' : blameOf(error);
        const isExhausted = attempt > config.retries;
        const mayBeOfOne = blame === 'record' || (blame === 'unclassified' && isExhausted);
        // What COPY can't do, as into a view, INSERT may.
        if (wasFast && (mayBeOfOne || blame === 'configuration')) {
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
    const writer = this.#writer;
    const writing = async (some: readonly Source[]) =>
      (await writer.writingAll?.(some)) ?? ((session: Session) => writer.write(session, some));
    try {
      const writeAll = await writing(sources);
      return (session) =>
        this.#writeOnce(session, sources, async (fresh) =>
          fresh === sources ? writeAll(session) : (await writing(fresh))(session),
        );
    } catch (error) {
      if (blameOf(error) === 'record') return undefined;
      throw error;
    }
  }

  /** Without the repeats, where they are looked for. Resolves with what is not written. */
  async #writeOnce(
    session: Session,
    sources: readonly Source[],
    write: (sources: readonly Source[]) => Promise<void>,
  ): Promise<Unwritten[]> {
    const { group, keysKeptH } = this.#pull;
    const unwritten =
      keysKeptH === undefined ? [] : await claimKeys(session, group.groupId, this.#source, sources);
    const left = new Set(unwritten.map(({ source }) => source));
    await write(left.size === 0 ? sources : sources.filter((source) => !left.has(source)));
    return unwritten;
  }

  /** False where another pull has moved the offset. */
  async #write(session: Session, { sources, dead, to }: Work, trial: Trial): Promise<boolean> {
    const { group, keysKeptH } = this.#pull;
    const isOurs = await moveOffset(session, group.groupId, { ...this.#source, from: this.#stored, to });
    // An earlier attempt may have been committed without an answer.
    if (!isOurs) return trial.mayBeDone && (await lockedOffset(session, group.groupId, this.#source)) === to;
    if (keysKeptH !== undefined) await cleanKeys(session, keysKeptH, sources);
    trial.unwritten = trial.writeAll
      ? await trial.writeAll(session)
      : await this.#writeIsolating(session, sources, trial);
    const letters = trial.unwritten.flatMap(({ source, error }): DeadLetter[] => {
      const failureClass = error instanceof PoisonError ? 'poison' : 'permanent';
      return error ? [{ record: source.record, failureClass, error }] : [];
    });
    // Another attempt leaves out what has a letter by then.
    if (letters.length > 0) trial.writeAll = undefined;
    await this.#bury([...dead, ...letters].sort((a, b) => (a.record.offset ?? 0) - (b.record.offset ?? 0)));
    return true;
  }

  async #writeIsolating(
    session: Session,
    sources: readonly Source[],
    { unwritten }: Trial,
  ): Promise<Unwritten[]> {
    // What a deferred constraint refuses would show at the COMMIT alone.
    await session.query('SET CONSTRAINTS ALL IMMEDIATE', []);
    // A letter that was written stands, also where the database would take its record by now.
    const isBuried = ({ record }: Source) => this.#buried.has(record.offset);
    const known = unwritten.filter(({ source, error }) => error && isBuried(source));
    const open = sources.filter((source) => !isBuried(source));
    const isMixed = this.#writer.isUsers && this.#pull.keysKeptH !== undefined;
    const restoreSettings = isMixed ? await settingsKeeper(session) : undefined;
    const write = async (part: readonly Source[]) => {
      await restoreSettings?.();
      return this.#writeOnce(session, part, (fresh) => this.#writer.write(session, fresh));
    };
    return [...known, ...(await writeIsolating(session, open, write))];
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
