import type { Failure } from '../../../src/errors.ts';
import type { BatchResult } from './partition-handler.ts';

/** A stopped partition and why. Without a partition, the whole topic has stopped. */
export interface StoppedPartition {
  topic: string;
  partition?: number;
  failure: Failure;
}

/** Shared by all partitions of a pull: the budget, the counts, and the failure to report. */
export class PullProgress {
  processed = 0;
  deadLettered = 0;
  failed = 0;
  recordsLeft: number;
  bytesLeft: number;
  /** The first failure; that of a live group replaces it. */
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

  /** A live group stops every partition. Another failure stops its own. */
  fail({ topic, partition }: Omit<StoppedPartition, 'failure'>, failure: Failure): void {
    this.stopped.push({ topic, failure, ...(partition !== undefined && { partition }) });
    this.failure ??= failure;
    if (failure.code !== 'GROUP_ACTIVE') return;
    this.failure = failure;
    this.#isStopped = true;
  }
}
