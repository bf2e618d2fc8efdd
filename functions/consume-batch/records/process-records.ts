import { backoffMs } from '../../../src/backoff.ts';
import type { Budget } from '../../../src/budget.ts';
import { sleep } from '../../../src/deadline.ts';
import { Failure } from '../../../src/errors.ts';
import { groupBy } from '../../../src/group-by.ts';
import type { ConsumerRecord } from '../../../src/record.ts';
import type { ConsumeConfig } from '../config.ts';
import { placeOf } from './dead-letter.ts';
import type { DeadLetters } from './dead-letters.ts';
import { type FailureClass, type RecordFailure, TransientError } from './record-failure.ts';
import type { Sink, SinkCall, SinkResult } from './sink.ts';

/** The outcome of a record. A Failure: neither handled nor a dead letter. Undefined: not begun. */
export type Outcome = 'handled' | 'dead-lettered' | Failure | undefined;

export interface ProcessOptions extends SinkCall {
  sink: Sink;
  config: Pick<ConsumeConfig, 'order' | 'retries' | 'retryBackoffMs'>;
  /** Turns at the sink, shared by everything that runs at the same time. */
  turns: Budget;
  deadLetters: DeadLetters;
  /** Whether a failed record will be delivered again; if not, it becomes a dead letter. */
  isRedelivered: boolean;
  /** Epoch milliseconds: dead letters are acknowledged by then. */
  deadLetterDeadline: number;
}

/**
 * Hands records to the sink in lanes, which run side by side and keep their order. A record that fails for now is
 * tried again, within the remaining time; one that fails for good becomes a dead letter. Resolves with an outcome for
 * each record, in their order.
 */
export async function processRecords(
  records: readonly ConsumerRecord[],
  options: ProcessOptions,
): Promise<Outcome[]> {
  const processing = new Processing(records, options);
  await Promise.all(lanes(records, options).map((lane) => processing.lane(lane)));
  if (!options.isRedelivered) await processing.buryTheRest();
  return processing.outcomes;
}

/** Whether the record is neither handled nor a dead letter. */
export function isOpen(outcome: Outcome): outcome is Failure | undefined {
  return outcome !== 'handled' && outcome !== 'dead-lettered';
}

interface Tally {
  processed: number;
  deadLettered: number;
  failures: Failure[];
}

export function tally(outcomes: readonly Outcome[]): Tally {
  const sum: Tally = { processed: 0, deadLettered: 0, failures: [] };
  for (const outcome of outcomes) {
    if (outcome === 'handled') sum.processed++;
    else if (outcome === 'dead-lettered') sum.deadLettered++;
    else if (outcome) sum.failures.push(outcome);
  }
  return sum;
}

interface Failed extends RecordFailure {
  record: ConsumerRecord;
}

class Processing {
  readonly outcomes: Outcome[];
  readonly #records: readonly ConsumerRecord[];
  readonly #options: ProcessOptions;
  /** A fault of the sink itself stops all lanes. */
  #sinkFault: Error | undefined;

  constructor(records: readonly ConsumerRecord[], options: ProcessOptions) {
    this.#records = records;
    this.#options = options;
    this.outcomes = new Array(records.length).fill(undefined);
  }

  /** Handles records in order, until time is up or an open record holds back the others. */
  async lane(lane: readonly number[]): Promise<void> {
    const { order, startBefore } = { ...this.#options, ...this.#options.config };
    let rest = lane;
    while (rest.length > 0 && !this.#sinkFault && Date.now() < startBefore) {
      const run = contiguousPrefix(rest);
      const { taken, failed } = await this.#write(run);
      if (taken === 0) return;
      rest = rest.slice(taken);
      if (failed.length === 0) continue;
      await this.#settle(failed);
      const open = run.slice(0, taken).filter((index) => isOpen(this.outcomes[index]));
      if (open.length === 0) continue;
      if (order === 'partition') return;
      if (order === 'key') {
        const blocked = new Set(open.map((index) => keyOf(this.#records[index])));
        rest = rest.filter((index) => !blocked.has(keyOf(this.#records[index])));
      }
    }
  }

  /** Nobody will deliver these records again, so they go to the dead-letter topic. */
  async buryTheRest(): Promise<void> {
    const rest = this.#records.flatMap((record, index): Failed[] => {
      const outcome = this.outcomes[index];
      if (outcome !== undefined) return [];
      const error = this.#sinkFault ?? new TransientError('time ran out before the record was begun');
      return [{ index, record, failureClass: 'transient', error }];
    });
    await this.#bury(rest);
  }

  /** Calls the sink once. A record that it took and did not fail is done. */
  async #write(run: readonly number[]): Promise<{ taken: number; failed: Failed[] }> {
    const { sink, turns } = this.#options;
    const batch = pick(this.#records, run);
    const turn = await turns.take(1);
    let result: SinkResult;
    try {
      result = await sink.write(batch, this.#options);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      const all = batch.map((_record, index) => ({ index, failureClass: 'unclassified' as const, error }));
      result = { taken: batch.length, failures: all };
    } finally {
      turn?.release();
    }
    const { taken, failures } = result;
    for (const index of run.slice(0, taken)) this.outcomes[index] = 'handled';
    const failed = failures.flatMap((failure): Failed[] => {
      const index = run[failure.index];
      const record = batch[failure.index];
      if (index === undefined || !record) return [];
      this.outcomes[index] = undefined;
      return [{ ...failure, index, record }];
    });
    return { taken, failed };
  }

  /** Retries failed records as long as that can help, and buries the others. */
  async #settle(failures: readonly Failed[]): Promise<void> {
    const { retries, retryBackoffMs } = this.#options.config;
    let failed = failures;
    const final: Failed[] = [];
    for (let attempt = 1; failed.length > 0; attempt++) {
      final.push(...failed.filter(({ failureClass }) => isFinal(failureClass)));
      const again = failed.filter(({ failureClass }) => !isFinal(failureClass));
      if (again.length === 0) break;
      this.#sinkFault ??= again.find(({ failureClass }) => failureClass === 'sink')?.error;
      const backoff = backoffMs(attempt, retryBackoffMs);
      const isOutOfTime = Date.now() + backoff >= this.#options.startBefore;
      if (attempt > retries || isOutOfTime || this.#sinkFault) {
        final.push(...this.#exhausted(again, attempt, isOutOfTime));
        break;
      }
      await sleep(backoff);
      failed = await this.#retry(again);
    }
    await this.#bury(this.#notComingAgain(final).sort((a, b) => a.index - b.index));
  }

  /** Leaves out records behind an open one: they come again, and would become dead letters each time. */
  #notComingAgain(failed: Failed[]): Failed[] {
    if (!this.#options.isRedelivered) return failed;
    const held = this.#records.flatMap((record, index) =>
      this.outcomes[index] instanceof Failure ? [{ ...record, index }] : [],
    );
    return failed.filter(
      ({ index, record: { topic, partition } }) =>
        !held.some((it) => it.topic === topic && it.partition === partition && it.index < index),
    );
  }

  /** Retries each run by itself: with a gap, a receiver that knows offsets takes it for the whole batch. */
  async #retry(again: readonly Failed[]): Promise<Failed[]> {
    const failed: Failed[] = [];
    let rest = again.map(({ index }) => index);
    while (rest.length > 0) {
      const result = await this.#write(contiguousPrefix(rest));
      failed.push(...result.failed);
      if (result.taken === 0) {
        failed.push(...again.filter(({ index }) => rest.includes(index)));
        break;
      }
      rest = rest.slice(result.taken);
    }
    return failed;
  }

  /** Leaves open the records that a later delivery may help, and returns the others. */
  #exhausted(failed: readonly Failed[], attempts: number, isOutOfTime: boolean): Failed[] {
    const { isRedelivered } = this.#options;
    const held: Failed[] = [];
    const dead: Failed[] = [];
    for (const failure of failed) {
      const mayPass = failure.failureClass === 'transient' || failure.failureClass === 'sink';
      const isHeld = isRedelivered && (mayPass || isOutOfTime);
      (isHeld ? held : dead).push(failure);
    }
    for (const { index, record, error } of held) {
      const sentence = `${placeOf(record)} could not be handled in ${attempts} attempts: ${error.message}`;
      this.outcomes[index] = new Failure('SINK_FAILED', sentence, { cause: error });
    }
    return dead;
  }

  async #bury(dead: readonly Failed[]): Promise<void> {
    if (dead.length === 0) return;
    const { deadLetters, deadLetterDeadline, origin } = this.#options;
    const failures = await deadLetters.write(dead, { ...origin, deadline: deadLetterDeadline });
    for (const [at, { index }] of dead.entries()) this.outcomes[index] = failures[at] ?? 'dead-lettered';
  }
}

function isFinal(failureClass: FailureClass): boolean {
  return failureClass === 'permanent' || failureClass === 'poison';
}

/** Records that must keep their order, as indices. Different lanes may run side by side. */
function lanes(records: readonly ConsumerRecord[], { config, sink }: ProcessOptions): number[][] {
  const byPartition = partitionLanes(records);
  if (config.order === 'partition') return byPartition;
  // A sink that takes whole batches gets them in order of offsets, whatever their keys.
  if (config.order === 'key') {
    if (!sink.oneByOne) return byPartition;
    return [...groupBy(upTo(records.length), (index) => keyOf(records[index])).values()];
  }
  return sink.oneByOne ? records.map((_record, index) => [index]) : byPartition.flatMap(inChunks);
}

function partitionLanes(records: readonly ConsumerRecord[]): number[][] {
  const { topic, partition } = records[0] ?? {};
  // This is so in every pull.
  const isOne = records.every((record) => record.topic === topic && record.partition === partition);
  if (isOne) return [upTo(records.length)];
  const nameOf = (index: number) => `${records[index]?.topic}/${records[index]?.partition}`;
  return [...groupBy(upTo(records.length), nameOf).values()];
}

/** A loop, because an iterator takes ten times as long. */
function upTo(length: number): number[] {
  const indices: number[] = [];
  for (let index = 0; index < length; index++) indices.push(index);
  return indices;
}

const CHUNK = 500;

function inChunks(lane: number[]): number[][] {
  const chunks: number[][] = [];
  for (let at = 0; at < lane.length; at += CHUNK) chunks.push(lane.slice(at, at + CHUNK));
  return chunks;
}

/** In a pull, the run is nearly always the whole batch. */
function pick(records: readonly ConsumerRecord[], indices: readonly number[]): readonly ConsumerRecord[] {
  return indices.length === records.length ? records : indices.flatMap((index) => records[index] ?? []);
}

/** Kafka doesn't order records without a key, but they keep their order here. */
function keyOf(record: ConsumerRecord | undefined): string {
  const { topic, partition, key } = record ?? {};
  return `${topic}/${partition}/${key ? `=${key.toString('base64')}` : ''}`;
}

/** The longest beginning without a gap. Lanes by key have gaps, but they go one record at a time. */
function contiguousPrefix(indices: readonly number[]): readonly number[] {
  const gap = indices.findIndex((index, at) => at > 0 && index !== (indices[at - 1] ?? 0) + 1);
  return gap < 0 ? indices : indices.slice(0, gap);
}
