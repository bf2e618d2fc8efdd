import { remaining } from '../../deadline.ts';
import { Failure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { ProducerRecord } from '../../record.ts';
import { unknownTopic } from '../connection/client-errors.ts';
import type { Connection, TopicMetadata } from '../connection/connection.ts';
import { partitionSize, produceSize } from '../wire/produce.ts';
import { recordBodySize, singleBatchSize } from '../wire/records/record-batch.ts';
import type { ProducerConfig } from './config.ts';
import { LeaderLoops } from './leader-loop.ts';
import { Entry, type Outcome, PartitionQueue } from './partition-queue.ts';
import { partitionOfKey, StickyPartitions } from './partitioner.ts';
import { IdentityKeeper } from './producer-identity.ts';

/** Measured memory of a waiting record and of each header, beside their bytes. */
const RECORD_OVERHEAD = 256;
const HEADER_OVERHEAD = 64;

/** Where the time of one `send` went, in milliseconds, and how many retries it took. */
export interface SendTrace {
  /** It was the first call of this instance and opened its connection. */
  cold: boolean;
  /** Until the topics were known; on a cold start this includes connecting and authenticating. */
  connectMs: number;
  queueMs: number;
  ackMs: number;
  retries: number;
}

/** Counts since the producer began, and the bytes that wait now. */
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

/** Records above this leave a part of the queue free: large requests alone would keep everybody else out. */
const SMALL_BYTES = 64 * 1024;
const LARGE_SHARE = 7 / 8;

/** Never returned: an entry resolves only with its outcome. */
const UNSETTLED = new Failure('INTERNAL', 'a record has no outcome');

/**
 * Publishes records and tells the outcome of each one.
 *
 * A record is admitted, placed in the queue of its partition, and sent by the loop of its leader (`leader-loop.ts`).
 * The leader's response decides on its outcome (`outcomes.ts`).
 */
export class Producer {
  readonly #connection: Connection;
  readonly #config: ProducerConfig;
  readonly #queues = new Map<string, PartitionQueue>();
  readonly #loops: LeaderLoops;
  readonly #sticky = new StickyPartitions();
  #queuedBytes = 0;
  #acknowledged = 0;
  #failed = 0;
  readonly #identity: IdentityKeeper;
  readonly #requestOverhead: number;

  constructor(connection: Connection, config: ProducerConfig, log: Log) {
    this.#connection = connection;
    this.#config = config;
    this.#requestOverhead = produceSize(connection.clientId);
    this.#identity = new IdentityKeeper(config.idempotence, log);
    const parts = { connection, identity: this.#identity, sticky: this.#sticky, log };
    this.#loops = new LeaderLoops(parts, config);
  }

  /** The connection to the same cluster, for other questions. */
  get connection(): Connection {
    return this.#connection;
  }

  /** The codec, for whoever publishes beside it. */
  get compression(): ProducerConfig['compression'] {
    return this.#config.compression;
  }

  get figures(): ProducerFigures {
    return { acknowledged: this.#acknowledged, failed: this.#failed, queuedBytes: this.#queuedBytes };
  }

  /** Opens the connection and requests a producer id, so that the first record doesn't wait for them. */
  async open(deadline: number): Promise<void> {
    await this.#connection.open(deadline);
    await this.#identity.obtain(await this.#connection.anyBroker(deadline), deadline);
  }

  /**
   * Publishes records. Resolves by the deadline (epoch milliseconds) with an outcome for each, in their order. Throws
   * a Failure, and publishes nothing, where a record can't be published at all: unknown topic or partition, record
   * too large, queue full, cluster unreachable.
   */
  async send(
    records: readonly ProducerRecord[],
    deadline: number,
    trace: Partial<SendTrace> = {},
  ): Promise<Outcome[]> {
    if (records.length === 0) return [];
    const started = Date.now();
    const sizes = records.map((record, index) => this.#sizeOf(record, index));
    const heldBytes = this.#admit(records, sizes);
    let placed: Placed[];
    try {
      const topics = await this.#topicsOf(records, deadline);
      placed = records.map((record, index) => this.#place(record, index, sizes[index] ?? 0, topics));
    } catch (error) {
      this.#queuedBytes -= heldBytes;
      throw error;
    }
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

  /** The metadata of the records' topics. It is read again where a record names an unknown partition. */
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

  /** The size of a record's body. Throws RECORD_TOO_LARGE where no produce request can hold it. */
  #sizeOf(record: ProducerRecord, index: number): number {
    const bodySize = recordBodySize(record);
    const { maxRequestSize } = this.#config;
    const requestSize = this.#requestOverhead + partitionSize(record.topic) + singleBatchSize(bodySize);
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

  /** Takes room in the queue, in bytes, before any wait. Throws QUEUE_FULL. */
  #admit(records: readonly ProducerRecord[], sizes: readonly number[]): number {
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
    return bytes;
  }

  /** Resolves with the entries, in order, once each has its outcome. */
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
      const timer = setTimeout(() => this.#loops.expire(entries, left), left);
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
    this.#loops.add(touched);
  }

  #queue(topic: string, partition: number): PartitionQueue {
    const key = `${topic}/${partition}`;
    const known = this.#queues.get(key);
    if (known) return known;
    const queue = new PartitionQueue(topic, partition);
    this.#queues.set(key, queue);
    return queue;
  }
}

/** The memory that a record takes until it has its outcome. */
function heldBytes({ headers }: Pick<ProducerRecord, 'headers'>, bodySize: number): number {
  return bodySize + RECORD_OVERHEAD + headers.length * HEADER_OVERHEAD;
}
