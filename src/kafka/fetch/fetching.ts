import { backoffMs } from '../../backoff.ts';
import { Budget } from '../../budget.ts';
import { remaining } from '../../deadline.ts';
import { Failure, toFailure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Broker } from '../connection/broker.ts';
import { connectionFailure, mayNotRead } from '../connection/client-errors.ts';
import type { Connection } from '../connection/connection.ts';
import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import { byPartition, partitionKey, type TopicPartition } from '../wire/by-topic.ts';
import { type FetchedPartition, type FetchResponse, fetchRequest } from '../wire/fetch.ts';
import { offsetBehind } from '../wire/records/batch-header.ts';
import { FetchedRecordsReader, type ReaderOptions } from '../wire/records/record-batch-reader.ts';
import {
  type Answer,
  answersOf,
  type FetchPosition,
  forgive,
  isSilentForLong,
  nameOf,
  newPartition,
  type Partition,
} from './partition.ts';

/** The records are known to exist, so the broker hardly ever waits for one. */
const MAX_WAIT_MS = 500;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Responses of one partition that may wait, or be on their way, while another is being handled. */
const READ_AHEAD = 2;
const FIRST_BACKOFF_MS = 20;
const MAX_BACKOFF_MS = 500;

interface FetcherOptions extends Omit<ReaderOptions, 'memory' | 'log'> {
  /**
   * Bytes of responses that are held at once, including those being handled, and again as many of decompressed
   * batches. A larger single batch comes all the same.
   */
  maxBytes: number;
  /** How many records may still be taken; no more than these are read ahead. */
  recordsLeft: () => number;
  /** Epoch milliseconds. */
  deadline: number;
}

/**
 * Reads partitions side by side and ahead. Each leader has one Fetch at a time, over its own connection, for all its
 * partitions that may be read further. A partition whose leader is gone is asked for again later.
 */
export class Fetcher {
  readonly #connection: Connection;
  readonly #options: FetcherOptions;
  readonly #log: Log;
  readonly #memory: Budget;
  readonly #partitions = new Map<string, Partition>();
  /** The leaders that work on a Fetch, and how many bytes it asked for. */
  readonly #asked = new Map<Broker, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isPumping = false;
  #isClosed = false;

  constructor(connection: Connection, options: FetcherOptions, log: Log) {
    this.#connection = connection;
    this.#options = options;
    this.#log = log;
    this.#memory = new Budget(options.maxBytes);
  }

  /** Starts to read another partition. */
  add(position: FetchPosition): void {
    this.#partitions.set(partitionKey(position), newPartition(position));
    this.#pump();
  }

  /**
   * The next records of a partition; undefined at its end. Call it again once they are handled, which frees their
   * memory. Throws a Failure; after OFFSET_OUT_OF_RANGE, `seek` goes on elsewhere.
   */
  async next(wanted: TopicPartition): Promise<FetchedRecordsReader | undefined> {
    const partition = this.#partitions.get(partitionKey(wanted));
    if (!partition) throw new RangeError(`partition ${wanted.partition} of ${wanted.topic} is not fetched`);
    partition.handling = 0;
    // A failure from before the caller came may be over.
    if (partition.waiting.length === 0 && partition.failure?.retriable) forgive(partition);
    this.#pump();
    while (!this.#isClosed) {
      const answer = partition.waiting.shift();
      if (answer) return this.#open(partition, answer);
      if (partition.failure) throw partition.failure;
      if (partition.offset >= partition.end) return undefined;
      await new Promise<void>((resolve) => {
        partition.waiter = resolve;
      });
    }
    return undefined;
  }

  /** Reads on behind the end for so many milliseconds. The broker responds as soon as there is a record. */
  follow(wanted: TopicPartition, ms: number): void {
    const partition = this.#partitions.get(partitionKey(wanted));
    if (!partition) return;
    partition.isFollowed = true;
    // A response may have held records behind the end: they are fetched again.
    partition.offset = Math.min(partition.offset, partition.end);
    partition.end = Number.MAX_SAFE_INTEGER;
    this.#later(ms, () => {
      partition.isFollowed = false;
      partition.end = partition.offset;
      partition.waiter?.();
    });
  }

  /** The end of the partition's log, as far as it is known. */
  endOf(wanted: TopicPartition): number | undefined {
    return this.#partitions.get(partitionKey(wanted))?.lastEnd;
  }

  /** Goes on at another offset, after OFFSET_OUT_OF_RANGE. */
  seek(position: FetchPosition): void {
    const partition = this.#partitions.get(partitionKey(position));
    if (!partition) return;
    Object.assign(partition, { offset: position.offset, end: position.end });
    forgive(partition);
  }

  /** Stops reading a partition and drops what was read ahead of it. */
  leave(partition: TopicPartition): void {
    this.#partitions.delete(partitionKey(partition));
    this.#pump();
  }

  /** Stops asking. A Fetch that is under way ends with its connection. */
  close(): void {
    this.#isClosed = true;
    this.#memory.close();
    for (const leader of this.#asked.keys()) this.#connection.forFetching(leader).close();
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { waiter } of this.#partitions.values()) waiter?.();
  }

  #open(partition: Partition, { fetched, range }: Answer): Promise<FetchedRecordsReader> {
    partition.handling = fetched.records.length;
    this.#pump();
    return FetchedRecordsReader.open(fetched, range, {
      ...this.#options,
      memory: this.#memory,
      log: this.#log,
    });
  }

  /** Asks soon, so that one request serves all partitions that lack something in this turn of the loop. */
  #pump(): void {
    if (this.#isPumping || this.#isClosed) return;
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      this.#ask();
    });
  }

  /** Asks every idle leader for what its partitions lack. */
  #ask(): void {
    if (this.#isClosed) return;
    const wanted = new Map<Broker, Partition[]>();
    const ahead = this.#waitingRecords < this.#options.recordsLeft() ? READ_AHEAD : 0;
    for (const partition of this.#partitions.values()) {
      const { waiting, handling, isAsked, isParked, failure, offset, end } = partition;
      const limit = handling === 0 ? Math.max(1, ahead) : ahead;
      if (waiting.length >= limit || isAsked || isParked || failure || offset >= end) continue;
      const leader = this.#connection.leader(partition.topic, partition.partition);
      if (!leader) this.#park(partition, new Failure('NO_LEADER', `${nameOf(partition)} has no leader`));
      else if (!this.#asked.has(leader)) wanted.set(leader, [...(wanted.get(leader) ?? []), partition]);
    }
    let leaders = wanted.size;
    for (const [leader, partitions] of wanted) {
      // The broker fills its response in this order: partitions that have nothing yet come first.
      partitions.sort((a, b) => answersOf(a) - answersOf(b));
      // A leader that doesn't respond must not hold more than its share.
      const share = Math.floor((this.#options.maxBytes - this.#heldBytes) / leaders--);
      if (share > 0) void this.#fetch(leader, partitions, Math.min(MAX_ANSWER_BYTES, share));
    }
  }

  /** Counted by offsets; where the log has gaps, there are fewer records. */
  get #waitingRecords(): number {
    let records = 0;
    for (const { waiting, offset } of this.#partitions.values()) {
      records += offset - (waiting[0]?.range.offset ?? offset);
    }
    return records;
  }

  get #heldBytes(): number {
    let bytes = 0;
    for (const asked of this.#asked.values()) bytes += asked;
    for (const { waiting, handling } of this.#partitions.values()) {
      bytes += handling;
      for (const { fetched } of waiting) bytes += fetched.records.length;
    }
    return bytes;
  }

  async #fetch(leader: Broker, partitions: readonly Partition[], maxBytes: number): Promise<void> {
    this.#asked.set(leader, maxBytes);
    for (const partition of partitions) partition.isAsked = true;
    let throttleMs = 0;
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
      throttleMs = answer.throttleTimeMs;
      if (!this.#isClosed) this.#deliver(partitions, answer);
    } catch (error) {
      this.#log.debug('a fetch failed', { broker: `${leader}`, error });
      const failure = connectionFailure(error);
      for (const partition of partitions) this.#park(partition, failure);
    } finally {
      for (const partition of partitions) partition.isAsked = false;
      if (throttleMs > 0) this.#later(throttleMs, () => this.#released(leader));
      // Before anybody handles this response, so that the broker works meanwhile.
      else this.#released(leader);
      for (const { waiter } of partitions) waiter?.();
    }
  }

  #released(leader: Broker): void {
    this.#asked.delete(leader);
    this.#ask();
  }

  #deliver(asked: readonly Partition[], { partitions: fetched, throttleTimeMs }: FetchResponse): void {
    const answerOf = byPartition(fetched);
    // A response that others filled, or a quota cut short, says nothing about missing partitions.
    const isSilence = throttleTimeMs === 0 && fetched.every(({ records }) => records.length === 0);
    for (const partition of asked) {
      const answer = answerOf(partition);
      if (!answer && throttleTimeMs > 0) continue;
      if (!answer || answer.errorCode !== kafkaErrors.NONE) {
        this.#refused(partition, answer);
        continue;
      }
      const { isolationLevel } = this.#options;
      const end = isolationLevel === 'read_committed' ? answer.lastStableOffset : answer.highWatermark;
      partition.lastEnd = Math.max(partition.lastEnd, end);
      if (answer.records.length > 0) {
        this.#advance(partition, answer);
      } else if (!isSilence || partition.isFollowed) {
        partition.silentSince = undefined;
      } else if (isSilentForLong(partition)) {
        partition.failure = new Failure(
          'BROKER_UNREACHABLE',
          `${nameOf(partition)}: its leader sends nothing between ${partition.offset} and ${partition.end}`,
        );
      }
    }
  }

  #advance(partition: Partition, fetched: FetchedPartition): void {
    const { offset, end } = partition;
    if (offset >= end) return;
    const next = offsetBehind(fetched.records) ?? offset;
    if (next > offset) {
      partition.waiting.push({ fetched, range: { offset, end } });
      partition.offset = next;
      partition.attempts = 0;
      partition.silentSince = undefined;
      // A partition that got something goes to the end of the line.
      if (this.#partitions.delete(partitionKey(partition)))
        this.#partitions.set(partitionKey(partition), partition);
    } else {
      // Brokers before KIP-74 cut a batch short that is larger than asked for.
      partition.maxBytes *= 2;
      this.#park(partition, new Failure('BROKER_UNREACHABLE', `${nameOf(partition)}: no batch comes whole`));
    }
  }

  #refused(partition: Partition, answer: FetchedPartition | undefined): void {
    const errorCode = answer?.errorCode ?? kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION;
    switch (errorCode) {
      case kafkaErrors.OFFSET_OUT_OF_RANGE:
        partition.failure = new Failure(
          'OFFSET_OUT_OF_RANGE',
          `${nameOf(partition)}: there is no offset ${partition.offset} any more`,
        );
        break;
      case kafkaErrors.TOPIC_AUTHORIZATION_FAILED:
        partition.failure = mayNotRead(partition.topic);
        break;
      default: {
        const reason = `${nameOf(partition)}: ${kafkaErrorName(errorCode)}`;
        this.#park(partition, new Failure('NO_LEADER', reason));
      }
    }
  }

  /** After a back-off, looks up the topic again and asks its leader of that time. */
  #park(partition: Partition, failure: Failure): void {
    if (this.#isClosed) return;
    if (!failure.retriable || isSilentForLong(partition)) {
      partition.failure = failure;
      partition.waiter?.();
      return;
    }
    partition.isParked = true;
    const backoff = backoffMs(++partition.attempts, FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
    this.#later(backoff, () => void this.#unpark(partition));
  }

  #later(ms: number, task: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      task();
    }, ms);
    this.#timers.add(timer);
  }

  async #unpark(partition: Partition): Promise<void> {
    try {
      await this.#connection.topic(partition.topic, this.#options.deadline, { maxAgeMs: 0 });
    } catch (error) {
      const failure = toFailure(error);
      // A broker that has just come back may not know every topic yet.
      const mayPass = failure.retriable || failure.code === 'UNKNOWN_TOPIC';
      if (!mayPass || remaining(this.#options.deadline) === 0) partition.failure = failure;
    }
    partition.isParked = false;
    partition.waiter?.();
    this.#pump();
  }
}
