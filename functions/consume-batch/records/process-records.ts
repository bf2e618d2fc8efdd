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

/** What became of a record; a Failure: it is neither done nor a dead letter. Undefined: it was not begun. */
export type Outcome = 'handled' | 'dead-lettered' | Failure | undefined;

export interface ProcessOptions extends SinkCall {
  sink: Sink;
  config: Pick<ConsumeConfig, 'order' | 'retries' | 'retryBackoffMs'>;
  /** Turns at the sink, shared by everything that runs at the same time. */
  turns: Budget;
  deadLetters: DeadLetters;
  /** Will somebody deliver the record again? If not, what can't be handled now is a dead letter. */
  isRedelivered: boolean;
  /** Epoch milliseconds: by then dead letters are acknowledged. */
  deadLetterDeadline: number;
}

/**
 * Hands records to the sink: in lanes that run side by side, each lane in order. A record that fails for
 * now is tried again, with a back-off, inside the remaining time; one that fails for good becomes a dead
 * letter. Resolves with one outcome a record, in their order; never rejects for a record.
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

/** Neither handled nor a dead letter. */
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
  /** What is wrong with the sink itself: then no lane goes on. */
  #sinkFault: Error | undefined;

  constructor(records: readonly ConsumerRecord[], options: ProcessOptions) {
    this.#records = records;
    this.#options = options;
    this.outcomes = new Array(records.length).fill(undefined);
  }

  /** Records in order, until one that others must not overtake stays open, or time is up. */
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

  /** Nobody will deliver them again: the dead-letter topic is their last chance. */
  async buryTheRest(): Promise<void> {
    const rest = this.#records.flatMap((record, index): Failed[] => {
      const outcome = this.outcomes[index];
      if (outcome !== undefined) return [];
      const error = this.#sinkFault ?? new TransientError('time ran out before the record was begun');
      return [{ index, record, failureClass: 'transient', error }];
    });
    await this.#bury(rest);
  }

  /** One call of the sink; what it took and did not fail is done. */
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

  /** Tries failed records again as long as that can help, and gives up the others. */
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

  /** Behind a record that stays where it is, another would be a dead letter once more with every delivery. */
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

  /** Each run by itself: a batch with gaps would look like the whole one to a receiver that knows offsets. */
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

  /** Those that are to be tried again with a later delivery stay open; the others are returned. */
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

/** What has to keep its order among itself, as indices; different lanes may run side by side. */
function lanes(records: readonly ConsumerRecord[], { config, sink }: ProcessOptions): number[][] {
  const byPartition = partitionLanes(records);
  if (config.order === 'partition') return byPartition;
  // A sink that takes whole batches gets them in order of their offsets, whatever their keys are.
  if (config.order === 'key') {
    if (!sink.oneByOne) return byPartition;
    return [...groupBy(upTo(records.length), (index) => keyOf(records[index])).values()];
  }
  return sink.oneByOne ? records.map((_record, index) => [index]) : byPartition.flatMap(inChunks);
}

function partitionLanes(records: readonly ConsumerRecord[]): number[][] {
  const { topic, partition } = records[0] ?? {};
  // As in every pull.
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

/** In a pull the run is the whole batch, nearly always. */
function pick(records: readonly ConsumerRecord[], indices: readonly number[]): readonly ConsumerRecord[] {
  return indices.length === records.length ? records : indices.flatMap((index) => records[index] ?? []);
}

/** Records without a key have no order among themselves in Kafka's eyes, but they keep theirs here. */
function keyOf(record: ConsumerRecord | undefined): string {
  const { topic, partition, key } = record ?? {};
  return `${topic}/${partition}/${key ? `=${key.toString('base64')}` : ''}`;
}

/** The longest beginning without a gap; lanes by key are gaps all over, but one record at a time has none. */
function contiguousPrefix(indices: readonly number[]): readonly number[] {
  const gap = indices.findIndex((index, at) => at > 0 && index !== (indices[at - 1] ?? 0) + 1);
  return gap < 0 ? indices : indices.slice(0, gap);
}
