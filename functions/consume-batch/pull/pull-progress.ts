import type { Failure } from '../../../src/errors.ts';
import type { BatchResult } from './partition-handler.ts';

/** A partition that does not go on, and why; without a partition, no part of the topic does. */
export interface StoppedPartition {
  topic: string;
  partition?: number;
  failure: Failure;
}

/** What all partitions of one pull share: its budget, its counts, and the failure that it is to tell. */
export class PullProgress {
  processed = 0;
  deadLettered = 0;
  failed = 0;
  recordsLeft: number;
  bytesLeft: number;
  /** The first one; a live group goes before all others. */
  failure: Failure | undefined;
  readonly stopped: StoppedPartition[] = [];
  readonly #startBefore: number;
  #isStopped = false;

  constructor(budget: { maxRecords: number; maxBytes: number; startBefore: number }) {
    this.recordsLeft = budget.maxRecords;
    this.bytesLeft = budget.maxBytes;
    this.#startBefore = budget.startBefore;
  }

  get mayGoOn(): boolean {
    const hasBudget = this.recordsLeft > 0 && this.bytesLeft > 0;
    return hasBudget && !this.#isStopped && Date.now() < this.#startBefore;
  }

  count({ processed, deadLettered, failed }: BatchResult): void {
    this.processed += processed;
    this.deadLettered += deadLettered;
    this.failed += failed;
  }

  /** A live group stops every partition, another failure the one that it concerns. */
  fail({ topic, partition }: Omit<StoppedPartition, 'failure'>, failure: Failure): void {
    this.stopped.push({ topic, failure, ...(partition !== undefined && { partition }) });
    this.failure ??= failure;
    if (failure.code !== 'GROUP_ACTIVE') return;
    this.failure = failure;
    this.#isStopped = true;
  }
}
