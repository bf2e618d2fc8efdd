import { remaining } from '../deadline.ts';
import { Failure, toFailure } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Broker } from './broker.ts';
import { connectionFailure, kafkaErrorName, kafkaErrors } from './client-errors.ts';
import type { Connection } from './connection.ts';
import type { TopicPartition } from './wire/by-topic.ts';
import { type FetchedPartition, fetchRequest, type IsolationLevel } from './wire/fetch.ts';
import { FetchedRecordsReader } from './wire/record-batch-reader.ts';

/** Records are known to be there, so the broker hardly ever waits for one. */
const MAX_WAIT_MS = 500;
/** Of one partition in one answer: `max.partition.fetch.bytes` of Kafka's own consumer. */
const PARTITION_BYTES = 1024 * 1024;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** How long a partition may give nothing, while its leader changes or is gone, before it is given up. */
const PATIENCE_MS = 15_000;
const FIRST_BACKOFF_MS = 20;
const MAX_BACKOFF_MS = 500;

export interface FetcherOptions {
  isolationLevel: IsolationLevel;
  checkCrcs: boolean;
  /** Bytes of answers that are held at once, those being handled included (a larger batch comes all the same). */
  maxBytes: number;
  /** Epoch milliseconds. */
  deadline: number;
}

export interface FetchPosition extends TopicPartition {
  /** The next offset to be read. */
  offset: number;
  /** Behind the last offset to be read. */
  end: number;
}

/** Where a partition's log stands, from its latest answer; what a position out of range is compared with. */
export interface LogBounds {
  logStartOffset: number;
  highWatermark: number;
}

interface Partition extends FetchPosition {
  /** Read ahead, while what came before it is being handled. */
  fetched: FetchedPartition | undefined;
  /** Bytes of the answer that is being handled. */
  handling: number;
  isAsked: boolean;
  isParked: boolean;
  maxBytes: number;
  attempts: number;
  /** When the partition last gave something (epoch milliseconds). */
  progressAt: number;
  failure: Failure | undefined;
  waiter: (() => void) | undefined;
}

/**
 * Reads partitions side by side: one Fetch a leader at a time, over a connection of its own, for all of
 * its partitions that have nothing read ahead. A partition whose leader has gone is asked for again.
 */
export class Fetcher {
  readonly #connection: Connection;
  readonly #options: FetcherOptions;
  readonly #log: Log;
  readonly #partitions = new Map<string, Partition>();
  readonly #busy = new Set<Broker>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isPumping = false;
  #isClosed = false;

  constructor(
    connection: Connection,
    positions: readonly FetchPosition[],
    options: FetcherOptions,
    log: Log,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#log = log;
    for (const position of positions) {
      this.#partitions.set(key(position), {
        ...position,
        fetched: undefined,
        handling: 0,
        isAsked: false,
        isParked: false,
        maxBytes: PARTITION_BYTES,
        attempts: 0,
        progressAt: Date.now(),
        failure: undefined,
        waiter: undefined,
      });
    }
    this.#pump();
  }

  /**
   * The records of one partition that come next; undefined at its end. Call it again once they are
   * handled: that is when their memory counts as free. Throws a Failure; OFFSET_OUT_OF_RANGE can be
   * answered with `seek`.
   */
  async next(wanted: TopicPartition): Promise<FetchedRecordsReader | undefined> {
    const partition = this.#partitions.get(key(wanted));
    if (!partition) throw new RangeError(`partition ${wanted.partition} of ${wanted.topic} is not fetched`);
    partition.handling = 0;
    this.#pump();
    while (!this.#isClosed) {
      if (partition.failure) throw partition.failure;
      if (partition.fetched) return this.#open(partition, partition.fetched);
      if (partition.offset >= partition.end) return undefined;
      await new Promise<void>((resolve) => {
        partition.waiter = resolve;
      });
    }
    return undefined;
  }

  /** Reads one partition on from elsewhere, after OFFSET_OUT_OF_RANGE. */
  seek(position: FetchPosition): void {
    const partition = this.#partitions.get(key(position));
    if (!partition) return;
    Object.assign(partition, { offset: position.offset, end: position.end, failure: undefined });
    partition.progressAt = Date.now();
  }

  /** No more is asked for. A Fetch that is under way ends with its connection. */
  close(): void {
    this.#isClosed = true;
    for (const leader of this.#busy) this.#connection.forFetching(leader).close();
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { waiter } of this.#partitions.values()) waiter?.();
  }

  async #open(partition: Partition, fetched: FetchedPartition): Promise<FetchedRecordsReader> {
    const { isolationLevel, checkCrcs } = this.#options;
    try {
      const from = partition.offset;
      const reader = await FetchedRecordsReader.open(fetched, partition, { isolationLevel, checkCrcs });
      // All at once: in between, the partition would be asked for what it has.
      partition.fetched = undefined;
      partition.handling = fetched.records.length;
      partition.offset = reader.endOffset;
      if (partition.offset === from) this.#nothingWhole(partition, fetched);
      this.#pump();
      return reader;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Failure('INTERNAL', `${name(partition)} cannot be read: ${reason}`, { cause });
    }
  }

  /** The answer moved nothing: a batch larger than was asked for (old brokers), or nothing at all. */
  #nothingWhole(partition: Partition, fetched: FetchedPartition): void {
    if (fetched.records.length > 0) partition.maxBytes *= 2;
    this.#park(partition, new Failure('BROKER_UNREACHABLE', `${name(partition)}: the leader sends nothing`));
  }

  /** Soon, so that what several partitions lack in one turn of the loop makes one request. */
  #pump(): void {
    if (this.#isPumping || this.#isClosed) return;
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      this.#ask();
    });
  }

  /** Asks every leader that is free for what its partitions lack. */
  #ask(): void {
    if (this.#isClosed) return;
    const wanted = new Map<Broker, Partition[]>();
    for (const partition of this.#partitions.values()) {
      const { fetched, isAsked, isParked, failure, offset, end } = partition;
      if (fetched || isAsked || isParked || failure || offset >= end) continue;
      const leader = this.#connection.leader(partition.topic, partition.partition);
      if (!leader) this.#park(partition, new Failure('NO_LEADER', `${name(partition)} has no leader`));
      else if (!this.#busy.has(leader)) wanted.set(leader, [...(wanted.get(leader) ?? []), partition]);
    }
    for (const [leader, partitions] of wanted) {
      const room = Math.min(MAX_ANSWER_BYTES, this.#options.maxBytes - this.#heldBytes);
      if (room > 0) void this.#fetch(leader, partitions, room);
    }
  }

  get #heldBytes(): number {
    let bytes = 0;
    for (const { fetched, handling, isAsked, maxBytes } of this.#partitions.values()) {
      bytes += (fetched?.records.length ?? 0) + handling + (isAsked ? maxBytes : 0);
    }
    return bytes;
  }

  async #fetch(leader: Broker, partitions: readonly Partition[], maxBytes: number): Promise<void> {
    this.#busy.add(leader);
    for (const partition of partitions) partition.isAsked = true;
    // The broker fills its answer in this order, so whoever got something goes to the end of the line.
    for (const partition of partitions) {
      this.#partitions.delete(key(partition));
      this.#partitions.set(key(partition), partition);
    }
    try {
      const targets = partitions.map(({ topic, partition, offset, maxBytes: partitionBytes }) => ({
        topic,
        partition,
        offset,
        maxBytes: Math.min(partitionBytes, maxBytes),
      }));
      const { isolationLevel, deadline } = this.#options;
      const maxWait = Math.min(MAX_WAIT_MS, Math.ceil(remaining(deadline) / 2));
      const request = fetchRequest(targets, { maxWait, maxBytes, isolationLevel });
      const answer = await this.#connection.forFetching(leader).send(request, deadline);
      if (!this.#isClosed) this.#deliver(partitions, answer.partitions);
    } catch (error) {
      this.#log.debug('a fetch failed', { broker: `${leader}`, error });
      const failure = connectionFailure(error);
      for (const partition of partitions) this.#park(partition, failure);
    } finally {
      this.#busy.delete(leader);
      for (const partition of partitions) partition.isAsked = false;
      for (const { waiter } of partitions) waiter?.();
      this.#pump();
    }
  }

  #deliver(asked: readonly Partition[], fetched: readonly FetchedPartition[]): void {
    const answers = new Map(fetched.map((answer) => [key(answer), answer]));
    for (const partition of asked) {
      const answer = answers.get(key(partition));
      if (!answer || answer.errorCode !== kafkaErrors.NONE) {
        this.#refused(partition, answer);
      } else if (answer.records.length > 0) {
        partition.attempts = 0;
        partition.progressAt = Date.now();
        partition.fetched = answer;
      } else if (Date.now() - partition.progressAt > PATIENCE_MS) {
        partition.failure = new Failure(
          'BROKER_UNREACHABLE',
          `${name(partition)}: its leader sends nothing between ${partition.offset} and ${partition.end}`,
        );
      }
    }
  }

  #refused(partition: Partition, answer: FetchedPartition | undefined): void {
    const errorCode = answer?.errorCode ?? kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION;
    switch (errorCode) {
      case kafkaErrors.OFFSET_OUT_OF_RANGE:
        partition.failure = new Failure(
          'OFFSET_OUT_OF_RANGE',
          `${name(partition)}: there is no offset ${partition.offset} any more`,
        );
        break;
      case kafkaErrors.TOPIC_AUTHORIZATION_FAILED:
        partition.failure = new Failure(
          'TOPIC_NOT_AUTHORIZED',
          `the cluster does not let this function read topic ${partition.topic}: it needs Read on it`,
        );
        break;
      default: {
        const reason = `${name(partition)}: ${kafkaErrorName(errorCode)}`;
        this.#park(partition, new Failure('NO_LEADER', reason));
      }
    }
  }

  /** After a back-off the topic is looked at again and the partition asked for where it is led then. */
  #park(partition: Partition, failure: Failure): void {
    if (this.#isClosed) return;
    if (!failure.retriable || Date.now() - partition.progressAt > PATIENCE_MS) {
      partition.failure = failure;
      partition.waiter?.();
      return;
    }
    partition.isParked = true;
    const backoff = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(10, partition.attempts++));
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        void this.#unpark(partition);
      },
      backoff * (0.75 + Math.random() / 2),
    );
    this.#timers.add(timer);
  }

  async #unpark(partition: Partition): Promise<void> {
    try {
      await this.#connection.topic(partition.topic, this.#options.deadline, { maxAgeMs: 0 });
    } catch (error) {
      const failure = toFailure(error);
      if (!failure.retriable || remaining(this.#options.deadline) === 0) partition.failure = failure;
    }
    partition.isParked = false;
    partition.waiter?.();
    this.#pump();
  }
}

function key({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function name({ topic, partition }: TopicPartition): string {
  return `partition ${partition} of topic ${topic}`;
}
