import { Failure } from '../../../src/errors.ts';
import { RecordsRefused } from '../../../src/kafka/produce/transactional-producer.ts';
import type { TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import type { ConsumerRecord, ProducerRecord } from '../../../src/record.ts';
import { type DeadLetter, deadLetterFailure, logDeadLetter, placeOf } from '../records/dead-letter.ts';
import { afterRefusal, refusedFailure } from '../records/dead-letter-fit.ts';
import type { Transformation } from '../records/transform.ts';
import { type FencedPartition, fencedHandler } from './fenced-handler.ts';
import { FencedOffset, type FencedOffsetOptions } from './fenced-offset.ts';
import { oldTransactionalIds } from './old-transactional-ids.ts';
import {
  addResult,
  type BatchResult,
  nothingDone,
  type PartitionHandler,
  type PulledBatch,
} from './partition-handler.ts';
import type { Position } from './positions.ts';

interface TransactionalOptions extends Omit<FencedOffsetOptions, 'oldIds'> {
  /** Returns the records to send in each record's place; without it the record itself. Never rejects. */
  transform?: (records: readonly ConsumerRecord[]) => Promise<readonly Transformation[]>;
  /** The record to publish, or a Failure where there is no topic for it. */
  target: (record: ConsumerRecord) => ProducerRecord | Failure;
  /** The dead letter for a record that the cluster refuses. */
  deadLetter: (dead: DeadLetter) => ProducerRecord | Failure;
}

/**
 * Publishes records to another topic in one transaction with their dead letters and offsets: exactly once. Every
 * source partition has its own transactional id, so that a pull shuts out its predecessor, partition by partition.
 */
export function transactionalHandler(given: TransactionalOptions): PartitionHandler {
  const options = { ...given, oldIds: oldTransactionalIds(given) };
  return fencedHandler((at) => new TransactionalPartition(at, options));
}

class TransactionalPartition implements FencedPartition {
  readonly offset: FencedOffset;
  readonly #options: TransactionalOptions;
  /** For the batch that is being handled: the records to send in a record's place. */
  readonly #outputsOf = new Map<ConsumerRecord, readonly ConsumerRecord[]>();

  constructor(at: TopicPartition, options: TransactionalOptions & FencedOffsetOptions) {
    this.#options = options;
    this.offset = new FencedOffset(at, options);
  }

  begin(position: Position): Promise<Position> {
    return this.offset.begin(position);
  }

  async handle(batch: PulledBatch): Promise<BatchResult> {
    if (this.offset.isTakenOver) return nothingDone(this.offset.takenOver(undefined));
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
      if (at > start) addResult(sum, await this.#handlePart(partOf(batch, start, at)));
      if (sum.stop) return sum;
      addResult(sum, await this.#fail({ ...transformation, record }, partOf(batch, at, at + 1)));
      if (sum.stop) return sum;
      start = at + 1;
    }
    if (start < batch.records.length || start === 0) {
      addResult(sum, await this.#handlePart(partOf(batch, start, batch.records.length)));
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
      addResult(sum, result);
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
    return this.offset.offset ?? 0;
  }

  /** Commits a batch and dead letters in one transaction. */
  async #commit(
    { records, nextOffset, leaderEpoch }: PulledBatch,
    dead: readonly DeadLetter[],
  ): Promise<BatchResult | RecordsRefused> {
    const outputs = this.#outputs(records, dead);
    if (outputs instanceof Failure) return { ...nothingDone(outputs, this.#to), failed: 1 };
    const counts = { processed: records.length, deadLettered: dead.length };
    const done = { ...nothingDone(undefined, nextOffset), ...counts };
    const outcome = await this.offset.move(outputs, { offset: nextOffset, leaderEpoch });
    if (outcome === 'moved') return done;
    if (outcome === 'taken over') return nothingDone(outcome, this.#to);
    if (outcome instanceof RecordsRefused) return outcome;
    const failed = records.length + dead.length;
    return { ...nothingDone(this.#final(outcome, dead, outputs), this.#to), failed };
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

function partOf({ records, nextOffset, leaderEpoch }: PulledBatch, start: number, end: number): PulledBatch {
  return { records: records.slice(start, end), nextOffset: records[end]?.offset ?? nextOffset, leaderEpoch };
}
