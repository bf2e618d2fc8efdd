import { remaining, sleep } from '../../deadline.ts';
import { Failure, toFailure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { ProducerRecord } from '../../record.ts';
import type { Broker } from '../connection/broker.ts';
import { connectionFailure, unknownTopic } from '../connection/client-errors.ts';
import type { Connection, TopicMetadata } from '../connection/connection.ts';
import { RequestFailed } from '../connection/request-failed.ts';
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
import { encodeRecordBatch, recordBodySize, singleBatchSize } from '../wire/records/record-batch.ts';
import type { ProducerConfig } from './config.ts';
import { namingOldFormat } from './message-format.ts';
import { type Batch, Entry, halve, type Outcome, PartitionQueue } from './partition-queue.ts';
import { partitionOfKey, StickyPartitions } from './partitioner.ts';
import { judge } from './produce-verdict.ts';
import { IdentityKeeper } from './producer-identity.ts';

const FIRST_BACKOFF_MS = 20;
const MAX_BACKOFF_MS = 250;
/** As many requests may be under way to one leader. */
const MAX_LOOPS = 2;
/** What waits for one leader is worth a request of its own. */
const MUCH_BYTES = 128 * 1024;
/** What a waiting record and each of its headers take beside their bytes, as measured: nothing is free in memory. */
const RECORD_OVERHEAD = 256;
const HEADER_OVERHEAD = 64;
const ACKS = { all: -1, '1': 1, '0': 0 } as const;

/** Where the time of one `send` went, in milliseconds, and how many attempts after the first one it took. */
export interface SendTrace {
  /** The first one of this instance, which opened its connection. */
  cold: boolean;
  /** Until the topics were known: for a cold start, connecting and authenticating. */
  connectMs: number;
  queueMs: number;
  ackMs: number;
  retries: number;
}

/** What a producer has done since it began, and what waits in it now. */
export interface ProducerFigures {
  acknowledged: number;
  failed: number;
  queuedBytes: number;
}

interface Placed {
  record: ProducerRecord;
  queue: PartitionQueue;
  bodySize: number;
}

/** What is larger leaves a part of the queue to what is not: large requests alone would keep everybody else out. */
const SMALL_BYTES = 64 * 1024;
const LARGE_SHARE = 7 / 8;

/** Never seen: an entry resolves only with its outcome. */
const UNSETTLED = new Failure('INTERNAL', 'a record has no outcome');

/**
 * Publishes records and tells what became of each one.
 *
 * Records wait in one queue a partition. One loop a leader takes what waits for it, sends it as one
 * Produce request and reads every partition's result; meanwhile the next records gather. A batch the
 * leader certainly did not append goes back to its queue. A batch that may have been appended is sent
 * again as it is, with its own producer id and sequence, so that the broker can tell a repetition; after
 * a record's final failure the producer id is discarded, because a sequence that is rolled back or left
 * open would make the broker take the next record for a repetition of this one.
 */
export class Producer {
  readonly #connection: Connection;
  readonly #config: ProducerConfig;
  readonly #log: Log;
  readonly #queues = new Map<string, PartitionQueue>();
  /** Queues that hold records, the one served last at the end. */
  readonly #active = new Set<PartitionQueue>();
  /** How many loops serve a leader: one request under way each. */
  readonly #loops = new Map<Broker, number>();
  readonly #sticky = new StickyPartitions();
  #queuedBytes = 0;
  #acknowledged = 0;
  #failed = 0;
  readonly #identity: IdentityKeeper;

  constructor(connection: Connection, config: ProducerConfig, log: Log) {
    this.#connection = connection;
    this.#config = config;
    this.#log = log;
    this.#identity = new IdentityKeeper(config.idempotence, log);
  }

  /** What it publishes over, for whoever has a question for the same cluster. */
  get connection(): Connection {
    return this.#connection;
  }

  /** What it publishes compressed with, for whoever publishes beside it. */
  get compression(): ProducerConfig['compression'] {
    return this.#config.compression;
  }

  get figures(): ProducerFigures {
    return { acknowledged: this.#acknowledged, failed: this.#failed, queuedBytes: this.#queuedBytes };
  }

  /** Opens the connection and takes a producer id, so that the first record doesn't wait for them. */
  async warm(deadline: number): Promise<void> {
    await this.#connection.open(deadline);
    await this.#identity.obtain(await this.#connection.anyBroker(deadline), deadline);
  }

  /**
   * Publishes records and resolves, by the deadline (epoch milliseconds), with one outcome each, in
   * their order. Throws a Failure, and publishes nothing, where a record can't be published at all:
   * an unknown topic or partition, a record too large, no room in the queue, no cluster.
   */
  async send(
    records: readonly ProducerRecord[],
    deadline: number,
    trace: Partial<SendTrace> = {},
  ): Promise<Outcome[]> {
    if (records.length === 0) return [];
    const started = Date.now();
    const sizes = records.map((record, index) => this.#sizeOf(record, index));
    const placed = await this.#admitted(records, sizes, async () => {
      const topics = await this.#topicsOf(records, deadline);
      return records.map((record, index) => this.#place(record, index, sizes[index] ?? 0, topics));
    });
    const queuedAt = Date.now();
    const entries = await this.#enqueue(placed, deadline);
    const sentAt = Math.min(...entries.map((entry) => entry.sentAt ?? queuedAt));
    trace.cold = this.#acknowledged + this.#failed === entries.length;
    trace.connectMs = queuedAt - started;
    trace.queueMs = sentAt - queuedAt;
    trace.ackMs = Date.now() - sentAt;
    trace.retries = Math.max(0, ...entries.map(({ attempts }) => attempts - 1));
    return entries.map(({ outcome }) => outcome ?? UNSETTLED);
  }

  /** What is known of the records' topics; asked anew where a record names a partition that is not known. */
  async #topicsOf(records: readonly ProducerRecord[], deadline: number): Promise<Map<string, TopicMetadata>> {
    const highest = new Map<string, number>();
    for (const { topic, partition = 0 } of records) {
      highest.set(topic, Math.max(partition, highest.get(topic) ?? 0));
    }
    const topics = new Map<string, TopicMetadata>();
    for (const [name, partition] of highest) {
      let topic = await this.#connection.topic(name, deadline);
      if (partition >= topic.partitions.length) {
        topic = await this.#connection.topic(name, deadline, { maxAgeMs: 0 });
      }
      topics.set(name, topic);
    }
    return topics;
  }

  /** The bytes of a record's body; throws RECORD_TOO_LARGE where no produce request could hold it. */
  #sizeOf(record: ProducerRecord, index: number): number {
    const bodySize = recordBodySize(record);
    const { maxRequestSize } = this.#config;
    const requestSize =
      produceSize(this.#connection.clientId) + partitionSize(record.topic) + singleBatchSize(bodySize);
    if (requestSize <= maxRequestSize) return bodySize;
    const sizes = `${requestSize} bytes in a produce request, KAFKA_MAX_REQUEST_SIZE is ${maxRequestSize}`;
    throw new Failure('RECORD_TOO_LARGE', `records[${index}] would take ${sizes}`);
  }

  #place(
    record: ProducerRecord,
    index: number,
    bodySize: number,
    topics: Map<string, TopicMetadata>,
  ): Placed {
    const topic = topics.get(record.topic);
    if (!topic) throw unknownTopic(record.topic);
    const partitions = topic.partitions.length;
    const { key, partition = key ? partitionOfKey(key, partitions) : this.#sticky.choose(topic) } = record;
    if (partition >= partitions) {
      const known = `topic ${record.topic} has partitions 0 to ${partitions - 1}`;
      throw new Failure(
        'UNKNOWN_PARTITION',
        `records[${index}]: there is no partition ${partition}, ${known}`,
      );
    }
    return { record, queue: this.#queue(record.topic, partition), bodySize };
  }

  /** Takes room in the queue, before anything is waited for, and gives it back where `place` fails. */
  async #admitted(
    records: readonly ProducerRecord[],
    sizes: readonly number[],
    place: () => Promise<Placed[]>,
  ): Promise<Placed[]> {
    const bytes = records.reduce((sum, record, index) => sum + heldBytes(record, sizes[index] ?? 0), 0);
    const { maxQueueBytes } = this.#config;
    const room = bytes > SMALL_BYTES ? maxQueueBytes * LARGE_SHARE : maxQueueBytes;
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes > room) {
      throw new Failure(
        'QUEUE_FULL',
        `${this.#queuedBytes} bytes of records wait already, PRODUCE_MAX_QUEUE_BYTES is ${maxQueueBytes}`,
      );
    }
    this.#queuedBytes += bytes;
    try {
      return await place();
    } catch (error) {
      this.#queuedBytes -= bytes;
      throw error;
    }
  }

  /** Resolves with the entries, in order, once each has its outcome: by the deadline. */
  #enqueue(placed: readonly Placed[], deadline: number): Promise<Entry[]> {
    const now = Date.now();
    return new Promise((resolve) => {
      let pending = placed.length;
      const settled = ({ record, bodySize, outcome }: Entry) => {
        this.#queuedBytes -= heldBytes(record, bodySize);
        if (outcome instanceof Failure) this.#failed++;
        else this.#acknowledged++;
        if (--pending > 0) return;
        clearTimeout(timer);
        resolve(entries);
      };
      const entries = placed.map(({ queue, record: { key, value, headers, timestamp = now }, bodySize }) => {
        const record = { key, value, headers, timestamp };
        return new Entry({ queue, record, bodySize, deadline }, settled);
      });
      const left = remaining(deadline);
      const timer = setTimeout(() => this.#expire(entries, left), left);
      this.#distribute(entries, now);
    });
  }

  #distribute(entries: readonly Entry[], now: number): void {
    const touched = new Set<PartitionQueue>();
    for (const entry of entries) {
      const { queue } = entry;
      if (queue.isEmpty) queue.ripeAt = now + this.#config.lingerMs;
      queue.add(entry);
      touched.add(queue);
    }
    for (const queue of touched) {
      this.#active.add(queue);
      this.#wake(queue);
    }
  }

  /** The deadline has come: what was sent may be in the log, what was not is certainly not. */
  #expire(entries: readonly Entry[], afterMs: number): void {
    for (const entry of entries) {
      if (entry.outcome) continue;
      const { batch } = entry;
      if (batch) {
        const waited = `no acknowledgement within ${afterMs} ms (acks=${this.#config.acks})`;
        entry.settle(batch.doubt ?? new Failure('ACK_TIMEOUT', waited));
        this.#identity.discard();
      } else {
        entry.settle(this.#failureOfUnsent(entry.queue, afterMs));
      }
    }
  }

  #failureOfUnsent({ topic, partition, lastFailure }: PartitionQueue, afterMs: number): Failure {
    const leader = this.#connection.leader(topic, partition);
    if (leader && leader.throttledUntil > Date.now()) return throttled(leader);
    if (lastFailure?.delivery === 'none') return lastFailure;
    return new Failure('BROKER_UNREACHABLE', `the record could not be sent within ${afterMs} ms`);
  }

  #queue(topic: string, partition: number): PartitionQueue {
    const key = `${topic}/${partition}`;
    const known = this.#queues.get(key);
    if (known) return known;
    const queue = new PartitionQueue(topic, partition);
    this.#queues.set(key, queue);
    return queue;
  }

  /** Sees to it that somebody works on this queue: its leader's loop, or a look for the leader. */
  #wake(queue: PartitionQueue): void {
    if (queue.isParked || queue.isSending) return;
    const leader = this.#connection.leader(queue.topic, queue.partition);
    if (leader) {
      this.#serve(leader);
    } else {
      this.#park(queue, noLeader(queue));
    }
  }

  /**
   * One loop a leader lets small requests gather. Where much waits a second one is started, so that the
   * leader has the next request at hand when it has answered one; the two never have a partition in common.
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
      for (const queue of this.#queuesOf(leader)) this.#refuse(queue.entries, failure);
    } finally {
      const loops = (this.#loops.get(leader) ?? 1) - 1;
      if (loops === 0) this.#loops.delete(leader);
      else this.#loops.set(leader, loops);
    }
  }

  /** A queue whose leader changed while it waited for the old one's loop: the new one may have no loop yet. */
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
      for (const queue of queues) this.#unreachable(queue, failure);
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

  /** Records whose deadline comes before the end of the throttle learn it now. */
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

  /** One Produce request: a batch of each queue, as long as they fit. */
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
      // The others come first next time.
      this.#active.delete(queue);
      this.#active.add(queue);
    }
    return batches;
  }

  async #exchange(leader: Broker, batches: readonly Batch[]): Promise<void> {
    // Only where the producer id was discarded a moment ago; a loop without a wait would stop all timers.
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
      for (const batch of batches) this.#conclude(batch, results);
    } catch (error) {
      this.#unanswered(batches, error);
    } finally {
      for (const { queue } of batches) queue.isSending = false;
    }
  }

  /** A request got no answer: its batches are in doubt if it was sent, else free to be sent again. */
  #unanswered(batches: readonly Batch[], error: unknown): void {
    const failure = connectionFailure(error);
    const sent = error instanceof RequestFailed && error.sent;
    this.#log.debug('a produce request failed', { sent, error });
    for (const batch of batches) {
      if (sent) this.#doubt(batch, doubtOf(error, this.#config.acks));
      else if (failure.retriable) this.#sendAgain(batch, failure);
      else this.#refuse(batch.entries, failure);
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

  #conclude(batch: Batch, results: readonly PartitionResult[] | undefined): void {
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
        this.#refuse(batch.entries, failure);
    }
  }

  /** The batch was refused for some of its records: those fail, the others are sent again. */
  #separate(batch: Batch, { recordErrors }: PartitionResult, failure: Failure): void {
    const guilty = recordErrors
      .map(({ index }) => batch.entries[index])
      .filter((entry) => entry !== undefined);
    if (guilty.length > 0) {
      this.#refuse(guilty, failure);
      this.#sendAgain(batch, failure, { atOnce: true });
    } else if (batch.entries.length === 1) {
      this.#refuse(batch.entries, failure);
    } else {
      halve(batch.entries);
      this.#sendAgain(batch, failure, { atOnce: true });
    }
  }

  /** Sent again without an identity, once; a batch in doubt can't be, because it is sent as it was or not at all. */
  #withoutIdempotence(batch: Batch, failure: Failure, giveUp: () => void): void {
    try {
      giveUp();
      if (batch.identity && !batch.doubt) this.#sendAgain(batch, failure, { atOnce: true });
      else this.#refuse(batch.entries, failure);
    } catch (refusal) {
      this.#refuse(batch.entries, toFailure(refusal));
    }
  }

  /** The batch may be in the log. With idempotence it is sent again as it is, else nobody can help it. */
  #doubt(batch: Batch, doubt: Failure): void {
    if (batch.identity) {
      batch.queue.keepInDoubt(batch, doubt);
      this.#park(batch.queue, doubt);
    } else {
      this.#refuse(batch.entries, doubt);
    }
  }

  /** The batch was not appended by this attempt; unless an earlier one is in doubt, its records are free again. */
  #sendAgain(batch: Batch, failure: Failure, { atOnce = false } = {}): void {
    if (batch.doubt) batch.queue.keepInDoubt(batch, batch.doubt);
    else batch.queue.putBack(batch);
    // What goes out again as it is may be refused again as it was: not without a pause.
    if (!atOnce || batch.doubt) this.#park(batch.queue, failure);
  }

  #unreachable(queue: PartitionQueue, failure: Failure): void {
    if (failure.retriable) this.#park(queue, failure);
    else this.#refuse(queue.entries, failure);
  }

  /** The records fail for good. The producer id goes with them. */
  #refuse(entries: readonly Entry[], failure: Failure): void {
    for (const entry of entries) entry.settle(entry.batch?.doubt ?? failure);
    this.#identity.discard();
  }

  /** After a back-off the topic is looked at again, and the queue goes on with whoever leads it then. */
  #park(queue: PartitionQueue, failure: Failure): void {
    // What a leader said tells more than that nobody answered, for which the time may just have been too short.
    if (failure.code !== 'BROKER_UNREACHABLE') queue.lastFailure = failure;
    queue.lastFailure ??= failure;
    queue.isParked = true;
    this.#connection.distrust(queue.topic);
    this.#sticky.taken(queue.topic, queue.partition);
    const backoff = backoffMs(queue.attempts++);
    setTimeout(() => this.#unpark(queue), backoff);
  }

  async #unpark(queue: PartitionQueue): Promise<void> {
    queue.prune();
    try {
      if (!queue.isEmpty) {
        await this.#connection.topic(queue.topic, latestDeadline(queue.entries), { maxAgeMs: 0 });
      }
    } catch (error) {
      const failure = connectionFailure(error);
      if (!failure.retriable) this.#refuse(queue.entries, failure);
    }
    queue.isParked = false;
    queue.prune();
    if (!queue.isEmpty) this.#wake(queue);
    else if (!queue.isSending) this.#active.delete(queue);
  }
}

function waitingBytes(queues: readonly PartitionQueue[]): number {
  return queues.reduce((sum, queue) => sum + queue.waitingBytes, 0);
}

/** What a record takes in memory until it has its outcome. */
function heldBytes({ headers }: Pick<ProducerRecord, 'headers'>, bodySize: number): number {
  return bodySize + RECORD_OVERHEAD + headers.length * HEADER_OVERHEAD;
}

function hasHeaders(batches: readonly Batch[], { topic, partition }: PartitionResult): boolean {
  const batch = batches.find(({ queue }) => queue.topic === topic && queue.partition === partition);
  return batch?.entries.some(({ record }) => record.headers.length > 0) ?? false;
}

/** Of a batch that the topic's message format has no place for, although it has no producer's id: its headers. */
function blamingHeaders({ entries }: Batch, result: PartitionResult): [PartitionResult, Failure] {
  const { topic, partition } = result;
  const message = "the topic's message format is older than Kafka 0.11, and has no headers";
  const recordErrors = entries.flatMap(({ record }, index) =>
    record.headers.length > 0 ? [{ index, message }] : [],
  );
  const failure = new Failure('INVALID_RECORD', `partition ${partition} of topic ${topic}: ${message}`);
  return [{ ...result, recordErrors }, failure];
}

function throttled(leader: Broker): Failure {
  const retryAfterMs = leader.throttledUntil - Date.now();
  const message = `the broker asks this client to wait another ${retryAfterMs} ms (quota)`;
  return new Failure('THROTTLED', message, { retryAfterMs });
}

function latestDeadline(entries: readonly Entry[]): number {
  return entries.reduce((latest, { deadline }) => Math.max(latest, deadline), 0);
}

function backoffMs(attempts: number): number {
  if (attempts === 0) return 0;
  const backoff = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (attempts - 1));
  return backoff * (0.75 + Math.random() / 2);
}

function doubtOf(error: RequestFailed, acks: string): Failure {
  return error.timedOut
    ? new Failure('ACK_TIMEOUT', `no acknowledgement in time (acks=${acks})`, { cause: error })
    : new Failure('CONNECTION_LOST', 'the connection was lost before the acknowledgement', { cause: error });
}
