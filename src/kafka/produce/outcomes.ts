import { backoffMs } from '../../backoff.ts';
import { Failure, toFailure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Broker } from '../connection/broker.ts';
import { connectionFailure } from '../connection/client-errors.ts';
import type { Connection } from '../connection/connection.ts';
import { RequestFailed } from '../connection/request-failed.ts';
import { kafkaErrors } from '../error-codes.ts';
import type { PartitionResult } from '../wire/produce.ts';
import type { Acks } from './config.ts';
import { type Batch, type Entry, halve, latestDeadline, type PartitionQueue } from './partition-queue.ts';
import type { StickyPartitions } from './partitioner.ts';
import { judge } from './produce-verdict.ts';
import type { IdentityKeeper } from './producer-identity.ts';

const FIRST_BACKOFF_MS = 20;
const MAX_BACKOFF_MS = 250;

/** The parts that all of a producer share. */
export interface ProducerParts {
  connection: Connection;
  identity: IdentityKeeper;
  sticky: StickyPartitions;
  log: Log;
}

/**
 * Decides what becomes of a batch's records after a leader's response, or after none: an outcome, or another attempt.
 * A batch that was certainly not appended goes back to its queue. A batch that may have been appended is sent again
 * unchanged, with its own producer id and sequence, so that the broker recognises the repetition. After a record has
 * finally failed, the producer id is discarded: with a sequence that was rolled back or left open, the broker would take
 * the next record for a repetition of this one.
 */
export class Outcomes {
  readonly #connection: Connection;
  readonly #identity: IdentityKeeper;
  readonly #sticky: StickyPartitions;
  readonly #log: Log;
  readonly #acks: Acks;
  readonly #resume: (queue: PartitionQueue) => void;

  /** `resume` sends a queue again after a back-off. */
  constructor(
    { connection, identity, sticky, log }: ProducerParts,
    acks: Acks,
    resume: (queue: PartitionQueue) => void,
  ) {
    this.#connection = connection;
    this.#identity = identity;
    this.#sticky = sticky;
    this.#log = log;
    this.#acks = acks;
    this.#resume = resume;
  }

  conclude(batch: Batch, results: readonly PartitionResult[] | undefined): void {
    const { topic, partition } = batch.queue;
    if (!results) {
      batch.queue.acknowledged(batch);
      for (const entry of batch.entries) entry.settle({ partition, offset: null });
      return;
    }
    const result = results.find((r) => r.topic === topic && r.partition === partition);
    if (!result) {
      this.#doubt(
        batch,
        new Failure('CONNECTION_LOST', `the answer lacks partition ${partition} of ${topic}`),
      );
    } else if (result.errorCode === kafkaErrors.NONE) {
      batch.queue.acknowledged(batch);
      batch.entries.forEach((entry, index) => {
        entry.settle({ partition, offset: result.baseOffset + index });
      });
    } else {
      this.#refused(batch, result);
    }
  }

  /** Handles a request without a response: its batches are in doubt if it was sent, else free to be sent again. */
  unanswered(batches: readonly Batch[], error: unknown): void {
    const failure = connectionFailure(error);
    const sent = error instanceof RequestFailed && error.sent;
    this.#log.debug('a produce request failed', { sent, error });
    for (const batch of batches) {
      if (sent) this.#doubt(batch, doubtOf(error, this.#acks));
      else if (failure.retriable) this.#sendAgain(batch, failure);
      else this.refuse(batch.entries, failure);
    }
  }

  /** Settles entries at their deadline. Those that were sent may be in the log; the others certainly are not. */
  expire(entries: readonly Entry[], afterMs: number): void {
    for (const entry of entries) {
      if (entry.outcome) continue;
      const { batch } = entry;
      if (batch) {
        const waited = `no acknowledgement within ${afterMs} ms (acks=${this.#acks})`;
        entry.settle(batch.doubt ?? new Failure('ACK_TIMEOUT', waited));
        this.#identity.discard();
      } else {
        entry.settle(this.#failureOfUnsent(entry.queue, afterMs));
      }
    }
  }

  unreachable(queue: PartitionQueue, failure: Failure): void {
    if (failure.retriable) this.park(queue, failure);
    else this.refuse(queue.entries, failure);
  }

  /** Fails the records for good. The producer id goes with them. */
  refuse(entries: readonly Entry[], failure: Failure): void {
    for (const entry of entries) entry.settle(entry.batch?.doubt ?? failure);
    this.#identity.discard();
  }

  /** After a back-off, looks up the topic again, and the queue goes on with its leader of that time. */
  park(queue: PartitionQueue, failure: Failure): void {
    // A leader's error says more than that nobody responded, which may only mean that the time was too short.
    if (failure.code !== 'BROKER_UNREACHABLE') queue.lastFailure = failure;
    queue.lastFailure ??= failure;
    queue.isParked = true;
    this.#connection.distrust(queue.topic);
    this.#sticky.taken(queue.topic, queue.partition);
    // The first look-up is immediate: most often another broker leads already.
    const attempt = queue.attempts++;
    const backoff = attempt === 0 ? 0 : backoffMs(attempt, FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
    setTimeout(() => this.#unpark(queue), backoff);
  }

  #failureOfUnsent({ topic, partition, lastFailure }: PartitionQueue, afterMs: number): Failure {
    const leader = this.#connection.leader(topic, partition);
    if (leader && leader.throttledUntil > Date.now()) return throttled(leader);
    if (lastFailure?.delivery === 'none') return lastFailure;
    return new Failure('BROKER_UNREACHABLE', `the record could not be sent within ${afterMs} ms`);
  }

  #refused(batch: Batch, result: PartitionResult): void {
    const { verdict, failure } = judge(result);
    this.#log.debug('a batch was refused', {
      verdict,
      reason: failure.message,
      records: batch.entries.length,
    });
    switch (verdict) {
      case 'doubt':
        this.#doubt(batch, failure);
        break;
      case 'retry':
        this.#sendAgain(batch, failure);
        break;
      case 'split':
        this.#separate(batch, result, failure);
        break;
      case 'new-identity':
        this.#identity.discard();
        this.#sendAgain(batch, failure);
        break;
      case 'no-idempotence':
        this.#withoutIdempotence(batch, failure, () => this.#identity.giveUp(failure.message));
        break;
      case 'old-format':
        if (batch.identity) {
          this.#withoutIdempotence(batch, failure, () =>
            this.#identity.giveUpFor(batch.queue.topic, failure.message),
          );
        } else {
          this.#separate(batch, ...blamingHeaders(batch, result));
        }
        break;
      case 'refuse':
        this.refuse(batch.entries, failure);
    }
  }

  /** Fails those records that the batch was refused for, and sends the others again. */
  #separate(batch: Batch, { recordErrors }: PartitionResult, failure: Failure): void {
    const guilty = recordErrors
      .map(({ index }) => batch.entries[index])
      .filter((entry) => entry !== undefined);
    if (guilty.length > 0) {
      this.refuse(guilty, failure);
      this.#sendAgain(batch, failure, { atOnce: true });
    } else if (batch.entries.length === 1) {
      this.refuse(batch.entries, failure);
    } else {
      halve(batch.entries);
      this.#sendAgain(batch, failure, { atOnce: true });
    }
  }

  /** Sends the batch again once, without an identity. A batch in doubt can only be sent unchanged, so it fails. */
  #withoutIdempotence(batch: Batch, failure: Failure, giveUp: () => void): void {
    try {
      giveUp();
      if (batch.identity && !batch.doubt) this.#sendAgain(batch, failure, { atOnce: true });
      else this.refuse(batch.entries, failure);
    } catch (refusal) {
      this.refuse(batch.entries, toFailure(refusal));
    }
  }

  /** The batch may be in the log. With idempotence it is sent again unchanged, otherwise it fails. */
  #doubt(batch: Batch, doubt: Failure): void {
    if (batch.identity) {
      batch.queue.keepInDoubt(batch, doubt);
      this.park(batch.queue, doubt);
    } else {
      this.refuse(batch.entries, doubt);
    }
  }

  /** This attempt did not append the batch. Unless an earlier one is in doubt, its records are free again. */
  #sendAgain(batch: Batch, failure: Failure, { atOnce = false } = {}): void {
    if (batch.doubt) batch.queue.keepInDoubt(batch, batch.doubt);
    else batch.queue.putBack(batch);
    // A batch that is sent unchanged may be refused again, so wait first.
    if (!atOnce || batch.doubt) this.park(batch.queue, failure);
  }

  async #unpark(queue: PartitionQueue): Promise<void> {
    queue.prune();
    try {
      if (!queue.isEmpty) {
        await this.#connection.topic(queue.topic, latestDeadline(queue.entries), { maxAgeMs: 0 });
      }
    } catch (error) {
      const failure = connectionFailure(error);
      if (!failure.retriable) this.refuse(queue.entries, failure);
    }
    queue.isParked = false;
    this.#resume(queue);
  }
}

export function throttled(leader: Broker): Failure {
  const retryAfterMs = leader.throttledUntil - Date.now();
  const message = `the broker asks this client to wait another ${retryAfterMs} ms (quota)`;
  return new Failure('THROTTLED', message, { retryAfterMs });
}

/** Blames the headers, where a batch without a producer id doesn't fit the topic's message format. */
function blamingHeaders({ entries }: Batch, result: PartitionResult): [PartitionResult, Failure] {
  const { topic, partition } = result;
  const message = "the topic's message format is older than Kafka 0.11, and has no headers";
  const recordErrors = entries.flatMap(({ record }, index) =>
    record.headers.length > 0 ? [{ index, message }] : [],
  );
  const failure = new Failure('INVALID_RECORD', `partition ${partition} of topic ${topic}: ${message}`);
  return [{ ...result, recordErrors }, failure];
}

function doubtOf(error: RequestFailed, acks: string): Failure {
  return error.timedOut
    ? new Failure('ACK_TIMEOUT', `no acknowledgement in time (acks=${acks})`, { cause: error })
    : new Failure('CONNECTION_LOST', 'the connection was lost before the acknowledgement', { cause: error });
}
