import { backoffMs } from '../../../src/backoff.ts';
import { remaining, sleep } from '../../../src/deadline.ts';
import { Failure, toFailure } from '../../../src/errors.ts';
import type { Connection } from '../../../src/kafka/connection/connection.ts';
import type { GroupOffsets } from '../../../src/kafka/fetch/group-offsets.ts';
import type { ProducerConfig } from '../../../src/kafka/produce/config.ts';
import {
  Fenced,
  RecordsRefused,
  TransactionalProducer,
} from '../../../src/kafka/produce/transactional-producer.ts';
import { partitionKey, type TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import type { CommittedOffset } from '../../../src/kafka/wire/offset-fetch.ts';
import type { Log } from '../../../src/log.ts';
import type { ConsumerRecord, ProducerRecord } from '../../../src/record.ts';
import { type DeadLetter, deadLetterFailure, logDeadLetter, placeOf } from '../records/dead-letter.ts';
import { afterRefusal, refusedFailure } from '../records/dead-letter-fit.ts';
import type { Transformation } from '../records/transform.ts';
import type { OffsetNotes } from './keep-offsets.ts';
import { oldTransactionalIds } from './old-transactional-ids.ts';
import {
  type BatchResult,
  nothingDone,
  type PartitionHandler,
  type PulledBatch,
  type PullTimes,
} from './partition-handler.ts';
import { type Position, UNKNOWN_EPOCH } from './positions.ts';

const RETRY_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 1_600;
const NOT_SEEN = 'the group coordinator does not show what was committed';
/** How long a broker before Kafka 2.5 may take to show the offsets of an ended transaction. */
const SETTLE_MS = 500;

interface TransactionalOptions {
  connection: Connection;
  group: GroupOffsets;
  /** Returns the records to send in each record's place; without it the record itself. Never rejects. */
  transform?: (records: readonly ConsumerRecord[]) => Promise<readonly Transformation[]>;
  /** The record to publish, or a Failure where there is no topic for it. */
  target: (record: ConsumerRecord) => ProducerRecord | Failure;
  /** The dead letter for a record that the cluster refuses. */
  deadLetter: (dead: DeadLetter) => ProducerRecord | Failure;
  /** The codec for records and dead letters; by default `none`. */
  compression?: ProducerConfig['compression'];
  times: PullTimes;
  notes: OffsetNotes;
  log: Log;
}

/**
 * Publishes records to another topic in one transaction with their dead letters and offsets: exactly once. Every
 * source partition has its own transactional id, so that a pull shuts out its predecessor, partition by partition.
 */
export function transactionalHandler(given: TransactionalOptions): PartitionHandler {
  const options = { ...given, oldIds: oldTransactionalIds(given) };
  const partitions = new Map<string, TransactionalPartition>();
  return {
    renew: (committed) => new TransactionalPartition(committed, options).renew(committed),
    async begin(position) {
      // Without anything to read, leave whoever works there alone.
      const { from, end, committed } = position;
      if (from >= end && from === committed) return position;
      const partition = new TransactionalPartition(position, options);
      partitions.set(partitionKey(position), partition);
      return partition.begin(position);
    },
    async handle(position, batch) {
      const begun = partitions.get(partitionKey(position));
      if (begun) return begun.handle(batch);
      // Records came while the pull waited behind the end.
      const partition = new TransactionalPartition(position, options);
      partitions.set(partitionKey(position), partition);
      return (await partition.beginLate(position)) ?? partition.handle(batch);
    },
  };
}

/** No topic's name holds a slash, so no other group and topic have the same id. */
export function transactionalIdOf(groupId: string, { topic, partition }: TopicPartition): string {
  return `${groupId}-/${topic}/${partition}`;
}

interface PartitionOptions extends TransactionalOptions {
  oldIds: ReturnType<typeof oldTransactionalIds>;
}

class TransactionalPartition {
  readonly #options: PartitionOptions;
  readonly #producer: TransactionalProducer;
  readonly #source: TopicPartition;
  /** For the batch that is being handled: the records to send in a record's place. */
  readonly #outputsOf = new Map<ConsumerRecord, readonly ConsumerRecord[]>();
  #committed: number | undefined;
  #needsBegin = false;
  /** Another pull took over before this one could begin. */
  #isTakenOver = false;

  constructor({ topic, partition }: TopicPartition, options: PartitionOptions) {
    const { connection, group, log, compression } = options;
    const transactionalId = transactionalIdOf(group.groupId, { topic, partition });
    this.#options = options;
    this.#source = { topic, partition };
    this.#producer = new TransactionalProducer(connection, transactionalId, group, log, compression);
  }

  /** Reads the committed offset again: the predecessor may have committed before it was shut out. */
  async begin(position: Position): Promise<Position> {
    try {
      this.#committed = await this.#takeOver(position.from);
    } catch (error) {
      if (!(error instanceof Fenced)) throw error;
      this.#isTakenOver = true;
      return position;
    }
    if (this.#committed === position.committed || this.#committed === undefined) return position;
    return { ...position, committed: this.#committed, from: this.#committed };
  }

  /** Why the batch behind this position must not be handled; undefined where it may. */
  async beginLate(position: Position): Promise<BatchResult | undefined> {
    const { committed } = await this.begin(position);
    if (committed === position.committed) return undefined;
    return nothingDone(this.#takenOver(committed));
  }

  async renew({ offset, leaderEpoch, metadata }: CommittedOffset): Promise<void> {
    // Whoever has moved the offset has also renewed it.
    if ((await this.#takeOver()) !== offset) return;
    const { notes, times } = this.#options;
    const renewed = { ...this.#source, from: offset, offset, leaderEpoch, metadata: notes.renewed(metadata) };
    await this.#producer.transact([], [renewed], times.deadline);
  }

  async handle(batch: PulledBatch): Promise<BatchResult> {
    if (this.#isTakenOver) return nothingDone(this.#takenOver(undefined));
    const made = (await this.#options.transform?.(batch.records)) ?? [];
    this.#outputsOf.clear();
    const sum = nothingDone(undefined, this.#to);
    let start = 0;
    for (const [at, record] of batch.records.entries()) {
      const transformation = made[at];
      if (transformation === undefined) continue;
      if (!('failureClass' in transformation)) {
        this.#outputsOf.set(record, transformation);
        continue;
      }
      if (at > start) add(sum, await this.#handlePart(partOf(batch, start, at)));
      if (sum.stop) return sum;
      add(sum, await this.#fail({ ...transformation, record }, partOf(batch, at, at + 1)));
      if (sum.stop) return sum;
      start = at + 1;
    }
    if (start < batch.records.length || start === 0) {
      add(sum, await this.#handlePart(partOf(batch, start, batch.records.length)));
    }
    return sum;
  }

  async #handlePart(batch: PulledBatch): Promise<BatchResult> {
    const whole = await this.#commit(batch, []);
    return whole instanceof RecordsRefused ? this.#commitOneByOne(batch) : whole;
  }

  /** Fails or buries a record that could not be transformed. */
  async #fail(dead: DeadLetter, { nextOffset, leaderEpoch }: PulledBatch): Promise<BatchResult> {
    if (dead.failureClass !== 'transient' && dead.failureClass !== 'sink') {
      return this.#bury(dead, { nextOffset, leaderEpoch });
    }
    const stop = new Failure('SINK_FAILED', `${placeOf(dead.record)}: ${dead.error.message}`, {
      cause: dead.error,
    });
    return { ...nothingDone(stop, this.#to), failed: 1 };
  }

  /** Finds the record that the cluster refuses, which it doesn't always name, and buries it. */
  async #commitOneByOne({ records, nextOffset, leaderEpoch }: PulledBatch): Promise<BatchResult> {
    const sum = nothingDone(undefined, this.#to);
    for (const [index, record] of records.entries()) {
      const next = records[index + 1]?.offset ?? nextOffset;
      const single: PulledBatch = { records: [record], nextOffset: next, leaderEpoch };
      const committed = await this.#commit(single, []);
      const result =
        committed instanceof RecordsRefused
          ? await this.#bury(
              { record, failureClass: 'permanent', error: committed.failure },
              { nextOffset: next, leaderEpoch },
            )
          : committed;
      add(sum, result);
      if (sum.stop) return sum;
    }
    return sum;
  }

  /** Writes a dead letter with less and less beside its record, each time in a new transaction. */
  async #bury(dead: DeadLetter, behind: Omit<PulledBatch, 'records'>): Promise<BatchResult> {
    const { deadLetter, connection, times, log } = this.#options;
    const letter = deadLetter(dead);
    const failed = (stop: Failure) => ({ ...nothingDone(stop, this.#to), failed: 1 });
    if (letter instanceof Failure) return failed(letter);
    const result = await this.#commit({ records: [], ...behind }, [dead]);
    if (!(result instanceof RecordsRefused)) {
      if (result.deadLettered > 0) logDeadLetter(log, dead, letter.topic);
      return result;
    }
    const less = afterRefusal(dead, result.failure);
    if (less) return this.#bury(less, behind);
    const { deadline } = times;
    return failed(await refusedFailure(letter, dead, result.failure, { connection, deadline }));
  }

  get #to(): number {
    return this.#committed ?? 0;
  }

  /** Runs one transaction, again after a failure, as long as there is time and nobody else has taken over. */
  async #commit(
    { records, nextOffset, leaderEpoch }: PulledBatch,
    dead: readonly DeadLetter[],
  ): Promise<BatchResult | RecordsRefused> {
    const outputs = this.#outputs(records, dead);
    if (outputs instanceof Failure) return { ...nothingDone(outputs, this.#to), failed: 1 };
    const counts = { processed: records.length, deadLettered: dead.length };
    const done = { ...nothingDone(undefined, nextOffset), ...counts };
    const { times, notes, log } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        if (this.#needsBegin) {
          const committed = await this.#takeOver();
          // Nobody said whether the transaction was committed. Now it is known that it was.
          if (committed === nextOffset && attempt > 1) return this.#advance(done);
          if (committed !== this.#committed) return nothingDone(this.#takenOver(committed), this.#to);
        }
        const from = this.#committed;
        const offset = { ...this.#source, from, offset: nextOffset, leaderEpoch, metadata: notes.text() };
        await this.#producer.transact(outputs, [offset], times.deadline);
        return this.#advance(done);
      } catch (error) {
        this.#needsBegin = true;
        if (error instanceof Fenced) return nothingDone(this.#takenOver(undefined), this.#to);
        if (error instanceof RecordsRefused) return error;
        const failure = toFailure(error);
        const backoff = backoffMs(attempt, RETRY_BACKOFF_MS, MAX_BACKOFF_MS);
        if (
          !failure.retriable ||
          failure.code === 'GROUP_ACTIVE' ||
          Date.now() + backoff > times.handleBefore
        ) {
          const stop = this.#final(failure, dead, outputs);
          return { ...nothingDone(stop, this.#to), failed: records.length + dead.length };
        }
        log.debug('a transaction is tried again', { error: failure });
        await sleep(backoff);
      }
    }
  }

  #advance(result: BatchResult): BatchResult {
    this.#committed = result.to;
    return result;
  }

  #outputs(records: readonly ConsumerRecord[], dead: readonly DeadLetter[]): ProducerRecord[] | Failure {
    const { target, deadLetter } = this.#options;
    const outputs: ProducerRecord[] = [];
    const outgoing = records.flatMap((record) => this.#outputsOf.get(record) ?? [record]);
    for (const output of [...outgoing.map(target), ...dead.map(deadLetter)]) {
      if (output instanceof Failure) return output;
      outputs.push(output);
    }
    return outputs;
  }

  /** `from` is where the partition begins if nothing is committed. Throws Fenced or a Failure. */
  async #takeOver(from = this.#to): Promise<number | undefined> {
    const { group, times, oldIds } = this.#options;
    await Promise.all([this.#producer.begin(times.deadline), oldIds.shutOut(this.#source, times.deadline)]);
    if (!group.knowsStable) await sleep(Math.min(SETTLE_MS, remaining(times.deadline)));
    const [committed] = await group.committed([this.#source], times.deadline, { waitForTransactions: true });
    if (committed instanceof Failure) throw committed;
    const isFlushed = group.knowsStable && !group.isNewCoordinator;
    if (isFlushed) await this.#flush(committed, from);
    this.#needsBegin = false;
    return committed?.offset ?? (isFlushed ? from : undefined);
  }

  /**
   * Commits the same offset once more and waits until it is visible. The group coordinator before Kafka 4 handles an
   * aborted predecessor late. It then drops all offsets that the same producer id has sent meanwhile, even of a
   * transaction that was committed (GroupMetadata.completePendingTxnOffsetCommit). Once this commit is visible, the
   * predecessor is done with.
   */
  async #flush(committed: CommittedOffset | undefined, from: number): Promise<void> {
    const { group, times, notes } = this.#options;
    const { offset = from, leaderEpoch = UNKNOWN_EPOCH } = committed ?? {};
    for (let attempt = 1; ; attempt++) {
      const metadata = notes.text();
      const moved = { ...this.#source, from: committed?.offset, offset, leaderEpoch, metadata };
      await this.#producer.transact([], [moved], times.deadline);
      const [seen] = await group.committed([this.#source], times.deadline, { waitForTransactions: true });
      if (seen instanceof Failure) throw seen;
      if (seen?.metadata === metadata) return;
      if (remaining(times.deadline) === 0) throw new Failure('BROKER_UNREACHABLE', NOT_SEEN);
      await sleep(backoffMs(attempt, RETRY_BACKOFF_MS, MAX_BACKOFF_MS));
    }
  }

  #takenOver(committed: number | undefined): 'taken over' {
    this.#options.log.warn(
      'another pull of this group has taken the partition over: it is left to that one',
      { ...this.#source, committed },
    );
    return 'taken over';
  }

  /** A failure of the target topic is the sink's. A failure of the cluster or the group keeps its code. */
  #final(failure: Failure, dead: readonly DeadLetter[], outputs: readonly ProducerRecord[]): Failure {
    const isTargets = ['UNKNOWN_TOPIC', 'TOPIC_NOT_AUTHORIZED'].includes(failure.code);
    const letter = outputs[0];
    if (isTargets && dead.length > 0 && letter) return deadLetterFailure(letter, dead[0], failure);
    if (!isTargets) return failure;
    return new Failure('SINK_FAILED', `the sink topic takes no records: ${failure.message}`, {
      cause: failure,
    });
  }
}

function add(sum: BatchResult, { processed, deadLettered, failed, to, stop }: BatchResult): void {
  sum.processed += processed;
  sum.deadLettered += deadLettered;
  sum.failed += failed;
  sum.to = to;
  sum.stop = stop;
}

function partOf({ records, nextOffset, leaderEpoch }: PulledBatch, start: number, end: number): PulledBatch {
  return { records: records.slice(start, end), nextOffset: records[end]?.offset ?? nextOffset, leaderEpoch };
}
