import { remaining, sleep } from '../../deadline.ts';
import { toFailure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Broker } from '../connection/broker.ts';
import { connectionFailure } from '../connection/client-errors.ts';
import type { Connection } from '../connection/connection.ts';
import { kafkaErrors } from '../error-codes.ts';
import { noLeader } from '../fetch/by-leader.ts';
import {
  type PartitionBatch,
  type PartitionResult,
  partitionSize,
  produceRequest,
  produceSize,
} from '../wire/produce.ts';
import { compressBatch } from '../wire/records/compression.ts';
import { encodeRecordBatch } from '../wire/records/record-batch.ts';
import type { ProducerConfig } from './config.ts';
import { namingOldFormat } from './message-format.ts';
import { Outcomes, type ProducerParts, throttled } from './outcomes.ts';
import { type Batch, type Entry, latestDeadline, type PartitionQueue } from './partition-queue.ts';
import type { StickyPartitions } from './partitioner.ts';
import type { IdentityKeeper } from './producer-identity.ts';

/** How many requests may be under way to one leader. */
const MAX_LOOPS = 2;
/** From this many waiting bytes on, a leader gets a second request. */
const MUCH_BYTES = 128 * 1024;
const ACKS = { all: -1, '1': 1, '0': 0 } as const;

/**
 * Sends what waits. A loop for each leader takes records from its queues, sends them as one Produce request and reads
 * every partition's result. Meanwhile the next records gather.
 */
export class LeaderLoops {
  readonly #connection: Connection;
  readonly #identity: IdentityKeeper;
  readonly #sticky: StickyPartitions;
  readonly #config: ProducerConfig;
  readonly #log: Log;
  readonly #outcomes: Outcomes;
  /** Queues that hold records, the last served at the end. */
  readonly #active = new Set<PartitionQueue>();
  /** How many loops serve a leader, each with one request under way. */
  readonly #loops = new Map<Broker, number>();

  constructor(parts: ProducerParts, config: ProducerConfig) {
    this.#connection = parts.connection;
    this.#identity = parts.identity;
    this.#sticky = parts.sticky;
    this.#log = parts.log;
    this.#config = config;
    this.#outcomes = new Outcomes(parts, config.acks, (queue) => this.#resume(queue));
  }

  /** Starts on queues that have got new records. */
  add(queues: Iterable<PartitionQueue>): void {
    for (const queue of queues) {
      this.#active.add(queue);
      this.#wake(queue);
    }
  }

  /** Settles entries whose deadline has come. */
  expire(entries: readonly Entry[], afterMs: number): void {
    this.#outcomes.expire(entries, afterMs);
  }

  #resume(queue: PartitionQueue): void {
    queue.prune();
    if (!queue.isEmpty) this.#wake(queue);
    else if (!queue.isSending) this.#active.delete(queue);
  }

  /** Makes sure that this queue is worked on, by its leader's loop or by a search for the leader. */
  #wake(queue: PartitionQueue): void {
    if (queue.isParked || queue.isSending) return;
    const leader = this.#connection.leader(queue.topic, queue.partition);
    if (leader) {
      this.#serve(leader);
    } else {
      this.#outcomes.park(queue, noLeader(queue));
    }
  }

  /**
   * With one loop a leader, small requests gather. Where much waits, a second loop keeps the leader busy between two
   * requests. The two never share a partition.
   */
  #serve(leader: Broker): void {
    const loops = this.#loops.get(leader) ?? 0;
    if (loops > 0 && (loops === MAX_LOOPS || waitingBytes(this.#queuesOf(leader)) < MUCH_BYTES)) return;
    this.#loops.set(leader, loops + 1);
    void this.#serveLoop(leader);
  }

  async #serveLoop(leader: Broker): Promise<void> {
    try {
      for (;;) {
        this.#wakeStrays();
        const queues = this.#queuesOf(leader);
        if (queues.length === 0) return;
        await this.#round(leader, queues);
      }
    } catch (error) {
      const failure = toFailure(error);
      this.#log.error('the producer failed', { error: failure });
      for (const queue of this.#queuesOf(leader)) this.#outcomes.refuse(queue.entries, failure);
    } finally {
      const loops = (this.#loops.get(leader) ?? 1) - 1;
      if (loops === 0) this.#loops.delete(leader);
      else this.#loops.set(leader, loops);
    }
  }

  /** Wakes queues whose leader has changed: the new leader may have no loop yet. */
  #wakeStrays(): void {
    for (const queue of this.#active) {
      const leader = this.#connection.leader(queue.topic, queue.partition);
      if (!leader || !this.#loops.has(leader)) this.#wake(queue);
    }
  }

  async #round(leader: Broker, queues: readonly PartitionQueue[]): Promise<void> {
    const deadline = latestDeadline(queues.flatMap(({ entries }) => entries));
    try {
      await leader.ready(deadline);
      await this.#identity.obtain(leader, deadline);
    } catch (error) {
      const failure = connectionFailure(error);
      for (const queue of queues) this.#outcomes.unreachable(queue, failure);
      return;
    }
    const unripe = this.#timeUntilRipe(queues);
    if (leader.throttledUntil > Date.now()) await this.#waitOutThrottle(leader, queues);
    else if (unripe > 0) await sleep(unripe);
    else await this.#exchange(leader, this.#compose(leader));
  }

  #queuesOf(leader: Broker): PartitionQueue[] {
    const queues = [];
    for (const queue of this.#active) {
      if (queue.isParked || queue.isSending) continue;
      queue.prune();
      if (queue.isEmpty) this.#active.delete(queue);
      else if (this.#connection.leader(queue.topic, queue.partition) === leader) queues.push(queue);
    }
    return queues;
  }

  #timeUntilRipe(queues: readonly PartitionQueue[]): number {
    const full = queues.some(({ waitingBytes }) => waitingBytes >= this.#config.batchSize);
    return full ? 0 : Math.min(...queues.map(({ ripeAt }) => ripeAt)) - Date.now();
  }

  /** Fails the records whose deadline comes before the end of the throttle. */
  async #waitOutThrottle(leader: Broker, queues: readonly PartitionQueue[]): Promise<void> {
    const failure = throttled(leader);
    const entries = queues.flatMap((queue) => queue.entries);
    const late = entries.filter(({ batch, deadline }) => !batch && deadline <= leader.throttledUntil);
    for (const entry of late) entry.settle(failure);
    if (late.length < entries.length) {
      const left = entries.filter(({ outcome }) => !outcome);
      const nextDeadline = left.reduce(
        (next, { deadline }) => Math.min(next, deadline),
        leader.throttledUntil,
      );
      await sleep(remaining(nextDeadline));
    }
  }

  /** Fills one Produce request with a batch from each queue, as long as they fit. */
  #compose(leader: Broker): Batch[] {
    const batches: Batch[] = [];
    // Another leader's loop may have discarded the producer id a moment ago.
    if (this.#identity.isMissing) return batches;
    const { maxRequestSize, batchSize } = this.#config;
    let room = maxRequestSize - produceSize(this.#connection.clientId);
    const queues = this.#queuesOf(leader);
    const share =
      waitingBytes(queues) < 2 * MUCH_BYTES ? queues.length : Math.ceil(queues.length / MAX_LOOPS);
    for (const queue of queues.slice(0, share)) {
      const overhead = partitionSize(queue.topic);
      const batch = queue.take(
        this.#identity.of(queue.topic),
        Math.min(room - overhead, batchSize),
        batches.length === 0,
      );
      if (!batch) continue;
      batches.push(batch);
      room -= overhead + batch.size;
      this.#sticky.taken(queue.topic, queue.partition);
      // The other queues come first next time.
      this.#active.delete(queue);
      this.#active.add(queue);
    }
    return batches;
  }

  async #exchange(leader: Broker, batches: readonly Batch[]): Promise<void> {
    // The producer id was discarded a moment ago. A loop without a wait would stop all timers.
    if (batches.length === 0) {
      await sleep(1);
      return;
    }
    for (const { queue } of batches) queue.isSending = true;
    this.#serve(leader);
    const deadline = latestDeadline(
      batches.flatMap(({ entries }) => entries.filter(({ outcome }) => !outcome)),
    );
    try {
      const results = await this.#produce(leader, batches, deadline);
      for (const batch of batches) this.#outcomes.conclude(batch, results);
    } catch (error) {
      this.#outcomes.unanswered(batches, error);
    } finally {
      for (const { queue } of batches) queue.isSending = false;
    }
  }

  async #produce(
    leader: Broker,
    batches: readonly Batch[],
    deadline: number,
  ): Promise<readonly PartitionResult[] | undefined> {
    const request = produceRequest(await Promise.all(batches.map((batch) => this.#encode(batch))), {
      acks: ACKS[this.#config.acks],
      timeout: Math.max(1, remaining(deadline)),
    });
    const { partitions, throttleTimeMs } = await leader.send(request, deadline);
    leader.throttle(throttleTimeMs);
    if (this.#config.acks === '0') return undefined;
    const isPlain = partitions.every(({ errorCode }) => errorCode !== kafkaErrors.UNKNOWN_SERVER_ERROR);
    if (isPlain) return partitions;
    return Promise.all(
      partitions.map((result) =>
        hasHeaders(batches, result) ? namingOldFormat(result, leader, deadline) : result,
      ),
    );
  }

  async #encode({ queue, entries, identity, baseSequence }: Batch): Promise<PartitionBatch> {
    const batch = encodeRecordBatch(
      entries.map(({ record }) => record),
      identity && { ...identity, baseSequence },
    );
    const records = await compressBatch(batch, this.#config.compression);
    return { topic: queue.topic, partition: queue.partition, records };
  }
}

function waitingBytes(queues: readonly PartitionQueue[]): number {
  return queues.reduce((sum, queue) => sum + queue.waitingBytes, 0);
}

function hasHeaders(batches: readonly Batch[], { topic, partition }: PartitionResult): boolean {
  const batch = batches.find(({ queue }) => queue.topic === topic && queue.partition === partition);
  return batch?.entries.some(({ record }) => record.headers.length > 0) ?? false;
}
