import type { Failure } from '../../errors.ts';
import type { RecordMetadata } from '../../record.ts';
import { BATCH_OVERHEAD } from '../wire/records/batch-header.ts';
import { recordSizeBound, type TimedRecord } from '../wire/records/record-batch.ts';
import type { ProducerIdentity } from '../wire/transactions.ts';

export type Outcome = RecordMetadata | Failure;

/** One record on its way to its outcome, which is set once. */
export class Entry {
  readonly queue: PartitionQueue;
  readonly record: TimedRecord;
  readonly bodySize: number;
  /** Epoch milliseconds: by then the outcome is known, even if it is only that nobody can say. */
  readonly deadline: number;
  outcome: Outcome | undefined;
  /** The batch that holds the record, from when it is sent until the cluster certainly did not append it. */
  batch: Batch | undefined;
  /** Records of a refused batch are sent again in runs of half its size, to find the guilty one. */
  run: symbol | undefined;
  /** When it was first put into a batch, and how often. */
  sentAt: number | undefined;
  attempts = 0;
  readonly #onSettled: (entry: Entry) => void;

  constructor(
    { queue, record, bodySize, deadline }: Pick<Entry, 'queue' | 'record' | 'bodySize' | 'deadline'>,
    onSettled: (entry: Entry) => void,
  ) {
    this.queue = queue;
    this.record = record;
    this.bodySize = bodySize;
    this.deadline = deadline;
    this.#onSettled = onSettled;
  }

  settle(outcome: Outcome): void {
    if (this.outcome) return;
    this.outcome = outcome;
    this.queue.hasSettled = true;
    this.#onSettled(this);
  }
}

/** Records that are or were sent together. */
export interface Batch {
  readonly queue: PartitionQueue;
  readonly entries: readonly Entry[];
  readonly size: number;
  /** Undefined without idempotence. */
  readonly identity: ProducerIdentity | undefined;
  readonly baseSequence: number;
  /** Why the batch may be in the log although nobody acknowledged it. Once set, it can only be sent as it is. */
  doubt: Failure | undefined;
}

/** The records that wait for one partition, in the order of arrival. At most one of its batches is under way. */
export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  /** A batch is being sent. */
  isSending = false;
  /** An entry may have got its outcome while it waited. */
  hasSettled = false;
  /** A back-off or a search for the new leader is under way. */
  isParked = false;
  /** Failed attempts since the last success. */
  attempts = 0;
  /** Why the waiting records could not be sent so far. */
  lastFailure: Failure | undefined;
  /** The queue waits until then (epoch milliseconds), so that more records gather (`KAFKA_LINGER_MS`). */
  ripeAt = 0;
  #waiting: Entry[] = [];
  #waitingBytes = 0;
  /** A batch in doubt: it is sent again, unchanged, before anything else. */
  #inDoubt: Batch | undefined;
  #sequence: { identity: ProducerIdentity | undefined; next: number } = { identity: undefined, next: 0 };

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  get isEmpty(): boolean {
    return !this.#inDoubt && this.#waiting.length === 0;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** All entries that have no outcome yet and are not under way. */
  get entries(): Entry[] {
    return [...(this.#inDoubt?.entries ?? []), ...this.#waiting].filter(({ outcome }) => !outcome);
  }

  add(entry: Entry): void {
    if (this.isEmpty) this.lastFailure = undefined;
    this.#waiting.push(entry);
    this.#waitingBytes += entry.bodySize;
  }

  /** Forgets the entries that got their outcome while they waited. */
  prune(): void {
    if (!this.hasSettled) return;
    this.hasSettled = false;
    if (this.#inDoubt?.entries.every(({ outcome }) => outcome)) this.#inDoubt = undefined;
    if (this.#waiting.some(({ outcome }) => outcome)) {
      this.#setWaiting(this.#waiting.filter(({ outcome }) => !outcome));
    }
  }

  /**
   * The next batch of at most `maxBytes`; with `atLeastOne`, it holds one record in any case. A batch in doubt comes
   * first and keeps its identity. A new batch takes `identity` and the next sequence.
   */
  take(identity: ProducerIdentity | undefined, maxBytes: number, atLeastOne: boolean): Batch | undefined {
    const batch = this.#next(identity, maxBytes, atLeastOne);
    const now = Date.now();
    for (const entry of batch?.entries ?? []) {
      entry.batch = batch;
      entry.sentAt ??= now;
      entry.attempts++;
    }
    return batch;
  }

  #next(identity: ProducerIdentity | undefined, maxBytes: number, atLeastOne: boolean): Batch | undefined {
    this.prune();
    if (this.#inDoubt) {
      const batch = this.#inDoubt;
      if (batch.size > maxBytes && !atLeastOne) return undefined;
      this.#inDoubt = undefined;
      return batch;
    }
    const run = this.#waiting[0]?.run;
    let size = BATCH_OVERHEAD;
    let count = 0;
    for (const entry of this.#waiting) {
      const larger = size + recordSizeBound(entry.bodySize);
      if (entry.run !== run || (larger > maxBytes && !(atLeastOne && count === 0))) break;
      size = larger;
      count++;
    }
    if (count === 0) return undefined;
    if (this.#sequence.identity !== identity) this.#sequence = { identity, next: 0 };
    const entries = this.#waiting.slice(0, count);
    this.#setWaiting(this.#waiting.slice(count));
    return { queue: this, entries, size, identity, baseSequence: this.#sequence.next, doubt: undefined };
  }

  /** The batch is in the log: the next one continues its sequence. */
  acknowledged(batch: Batch): void {
    this.attempts = 0;
    this.lastFailure = undefined;
    if (this.#sequence.identity === batch.identity) {
      // Sequences are 31-bit and wrap to 0 (DefaultRecordBatch.incrementSequence).
      this.#sequence.next = (batch.baseSequence + batch.entries.length) % 2 ** 31;
    }
  }

  /** The batch may be in the log, so it is kept unchanged. */
  keepInDoubt(batch: Batch, doubt: Failure): void {
    batch.doubt = doubt;
    this.#inDoubt = batch;
    this.hasSettled = true;
  }

  /** The batch is certainly not in the log: its records wait again, before all others. */
  putBack(batch: Batch): void {
    for (const entry of batch.entries) entry.batch = undefined;
    this.#setWaiting([...batch.entries.filter(({ outcome }) => !outcome), ...this.#waiting]);
  }

  #setWaiting(waiting: Entry[]): void {
    this.#waiting = waiting;
    this.#waitingBytes = waiting.reduce((sum, { bodySize }) => sum + bodySize, 0);
  }
}

/** Divides a refused batch's records into two runs, each of which is sent by itself. */
export function halve(entries: readonly Entry[]): void {
  const first = Symbol('run');
  const second = Symbol('run');
  entries.forEach((entry, index) => {
    entry.run = index < entries.length / 2 ? first : second;
  });
}

export function latestDeadline(entries: readonly Entry[]): number {
  return entries.reduce((latest, { deadline }) => Math.max(latest, deadline), 0);
}
