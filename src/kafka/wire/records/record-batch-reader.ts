import type { Budget, Lease } from '../../../budget.ts';
import { Failure, messageOf } from '../../../errors.ts';
import type { Log } from '../../../log.ts';
import type { ConsumerRecord } from '../../../record.ts';
import type { FetchedPartition, IsolationLevel } from '../fetch.ts';
import {
  ATTRIBUTES_AT,
  BATCH_OVERHEAD,
  type BatchHeader,
  batchAt,
  CURRENT_MAGIC,
  headers,
} from './batch-header.ts';
import { checkRecords } from './check-records.ts';
import { crc32c } from './crc32c.ts';
import { type Codec, compressionType, loadCodec } from './decompression.ts';
import { VarintCursor } from './varint-cursor.ts';

const ABORT_MARKER = 0;

/** Records in the order of their offsets, and where to read on after them. */
export interface FetchedRecords {
  records: ConsumerRecord[];
  /** Behind the last record, and behind markers, aborted records and gaps. */
  nextOffset: number;
  /** The leader epoch of the batch before `nextOffset`; -1 where it is not known. */
  leaderEpoch: number;
  /** Of the decompressed records. */
  bytes: number;
}

/** From `offset` up to, but without, `end`. */
export interface OffsetRange {
  offset: number;
  end: number;
}

export interface ReaderOptions {
  isolationLevel: IsolationLevel;
  checkCrcs: boolean;
  /** Whether a batch that can't be read stops its partition, or is logged and skipped. */
  unreadable: 'stop' | 'skip';
  /** The largest size of one decompressed batch. */
  maxBatchBytes: number;
  /** Memory for the decompressed batches of all readers together. */
  memory: Budget;
  log: Log;
}

/**
 * Decodes one partition of a Fetch response, from `offset` on, as its records are taken. Keys and values are slices
 * of the response or of the decompressed batch: no byte is copied.
 */
export class FetchedRecordsReader {
  readonly #bytes: Buffer;
  readonly #topic: string;
  readonly #partition: number;
  readonly #options: ReaderOptions;
  readonly #codecs: ReadonlyMap<number, Codec | Error>;
  readonly #aborted: FetchedPartition['abortedTransactions'];
  readonly #abortedProducers = new Set<bigint>();
  readonly #end: number;
  #offset: number;
  #leaderEpoch = -1;
  #position = 0;
  /** The batch whose records are being taken. */
  #batch: OpenBatch | undefined;
  /** For decompressed batches whose records were handed out; the last is the open batch's. */
  #leases: Lease[] = [];
  /** Memory that was waited for, for the next batch. */
  #granted: Lease | undefined;
  /** Why the next batch can't be read. The records before it are taken first. */
  #failure: Failure | undefined;

  private constructor(
    fetched: FetchedPartition,
    { offset, end }: OffsetRange,
    options: ReaderOptions,
    codecs: ReadonlyMap<number, Codec | Error>,
  ) {
    this.#bytes = fetched.records;
    this.#topic = fetched.topic;
    this.#partition = fetched.partition;
    this.#offset = offset;
    this.#end = end;
    this.#options = options;
    this.#codecs = codecs;
    this.#aborted = [...fetched.abortedTransactions].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Loads the codecs that the batches need. */
  static async open(
    fetched: FetchedPartition,
    range: OffsetRange,
    options: ReaderOptions,
  ): Promise<FetchedRecordsReader> {
    const codecs = new Map<number, Codec | Error>();
    for (const { codec } of headers(fetched.records)) {
      if (codec !== 0 && !codecs.has(codec)) codecs.set(codec, await codecOf(codec));
    }
    return new FetchedRecordsReader(fetched, range, options, codecs);
  }

  /**
   * Frees the memory of what was taken before. Resolves once there is something to take, or nothing more:
   * decompressing may have to wait until others free theirs.
   */
  async ready(): Promise<void> {
    for (const lease of this.#leases.splice(0, this.#leases.length - (this.#batch?.isCompressed ? 1 : 0))) {
      lease.release();
    }
    while (!this.#batch && !this.#failure) {
      const lacking = this.#openBatch();
      if (lacking === 0) return;
      this.#granted = await this.#options.memory.take(lacking);
      if (!this.#granted) return;
    }
  }

  /**
   * Takes up to `maxRecords` records of about `maxBytes` (at least one) and one leader epoch, after `ready`. None,
   * with the same `nextOffset`, means the end. Throws a Failure where the next batch can't be read.
   */
  take(maxRecords: number, maxBytes = Number.POSITIVE_INFINITY): FetchedRecords {
    const records: ConsumerRecord[] = [];
    let bytes = 0;
    let epoch: number | undefined;
    while (records.length < maxRecords && bytes < maxBytes) {
      if (!this.#batch && !this.#failure) this.#openBatch();
      const batch = this.#batch;
      if (!batch || (records.length > 0 && batch.leaderEpoch !== epoch)) break;
      epoch = batch.leaderEpoch;
      this.#leaderEpoch = epoch;
      bytes += this.#readRecords(batch, records, maxRecords, maxBytes - bytes);
      if (batch.remaining > 0) break;
      this.#offset = Math.max(this.#offset, batch.lastOffset + 1);
      this.#batch = undefined;
    }
    if (records.length === 0 && this.#failure) throw this.#failure;
    return { records, nextOffset: this.#offset, leaderEpoch: this.#leaderEpoch, bytes };
  }

  /** Frees all memory; nothing more is taken. */
  close(): void {
    for (const lease of this.#leases.splice(0)) lease.release();
    this.#granted?.release();
  }

  /** Opens the next batch with records to be read. Returns the bytes missing to decompress it, else 0. */
  #openBatch(): number {
    for (;;) {
      const header = batchAt(this.#bytes, this.#position);
      if (!header) return 0;
      const { baseOffset, lastOffset, leaderEpoch, end } = header;
      if (baseOffset >= this.#end) {
        this.#offset = Math.max(this.#offset, this.#end);
        return 0;
      }
      try {
        this.#check(header);
        if (lastOffset >= this.#offset && this.#isReadable(header)) {
          const opened = this.#open(header);
          if (typeof opened === 'number') return opened;
          this.#batch = opened;
          this.#position = end;
          return 0;
        }
      } catch (error) {
        const failure = this.#unreadable(header, error);
        if (this.#options.unreadable === 'stop') {
          this.#failure = failure;
          return 0;
        }
        this.#options.log.error('a batch that cannot be read was skipped', {
          ...{ topic: this.#topic, partition: this.#partition, from: this.#from(header), to: lastOffset },
          ...{ records: header.count, error: failure },
        });
      }
      this.#position = end;
      this.#offset = Math.max(this.#offset, baseOffset + 1, lastOffset + 1);
      this.#leaderEpoch = leaderEpoch;
    }
  }

  /** A compressed message of an older format has only its last record's offset; the others come before it. */
  #from({ magic, baseOffset }: BatchHeader): number {
    return magic < CURRENT_MAGIC ? this.#offset : Math.max(baseOffset, this.#offset);
  }

  #unreadable(header: BatchHeader, cause: unknown): Failure {
    const { lastOffset, count } = header;
    const where = `partition ${this.#partition} of topic ${this.#topic}`;
    const which = `offsets ${this.#from(header)} to ${lastOffset}${count === undefined ? '' : ` (${count} records)`}`;
    const sentence = `${where}: ${which} cannot be read: ${messageOf(cause)}`;
    return new Failure('BATCH_UNREADABLE', sentence, { cause });
  }

  #check({ magic, start, end, crc }: BatchHeader): void {
    if (magic !== CURRENT_MAGIC) {
      throw new Error(
        `the topic's message format is older than Kafka 0.11 (magic ${magic}): raise its message.format.version, and set the group's offset behind them, or CONSUME_UNREADABLE=skip`,
      );
    }
    if (this.#options.checkCrcs && crc32c(this.#bytes, start + ATTRIBUTES_AT, end) !== crc) {
      throw new Error('they do not match their CRC-32C');
    }
  }

  /** Tracks aborted transactions as Kafka's own consumer does (CompletedFetch.nextFetchedRecord). */
  #isReadable(header: BatchHeader): boolean {
    const { isControl, isTransactional, producerId, lastOffset } = header;
    if (this.#options.isolationLevel === 'read_uncommitted') return !isControl;
    while (this.#aborted[0] !== undefined && this.#aborted[0].firstOffset <= lastOffset) {
      const transaction = this.#aborted.shift();
      if (transaction) this.#abortedProducers.add(transaction.producerId);
    }
    if (isControl) {
      if (this.#isAbortMarker(header)) this.#abortedProducers.delete(producerId);
      return false;
    }
    return !isTransactional || !this.#abortedProducers.has(producerId);
  }

  /** A control record's key is its version and its type, two bytes each. */
  #isAbortMarker({ start, end, count = 0 }: BatchHeader): boolean {
    if (count < 1) return false;
    const record = new VarintCursor(this.#bytes, start + BATCH_OVERHEAD, end);
    record.varint(); // length
    record.position += 1; // attributes
    record.varlong(); // timestamp delta
    record.varint(); // offset delta
    record.varint(); // key length
    return this.#bytes.readInt16BE(record.position + 2) === ABORT_MARKER;
  }

  /** Returns the missing bytes where there is too little memory. */
  #open(header: BatchHeader): OpenBatch | number {
    const { baseOffset, lastOffset, leaderEpoch, count = 0, baseTimestamp, appendTime } = header;
    const isCompressed = header.codec !== 0;
    const bytes = isCompressed ? this.#decompressed(header) : this.#bytes;
    if (typeof bytes === 'number') return bytes;
    const position = isCompressed ? 0 : header.start + BATCH_OVERHEAD;
    const end = isCompressed ? bytes.length : header.end;
    checkRecords(bytes, { position, end }, { count, lastDelta: lastOffset - baseOffset });
    return {
      ...{ bytes, position, end, remaining: count, baseOffset, lastOffset },
      ...{ leaderEpoch, baseTimestamp, appendTime, isCompressed },
    };
  }

  #decompressed({ codec: number, start, end }: BatchHeader): Buffer | number {
    const codec = this.#codecs.get(number);
    if (!codec || codec instanceof Error) throw codec ?? new Error(`codec ${number} is not known here`);
    const { memory, maxBatchBytes } = this.#options;
    const compressed = this.#bytes.subarray(start + BATCH_OVERHEAD, end);
    const bound = codec.bound(compressed);
    if (bound > maxBatchBytes) {
      throw new Error(
        `they would take ${bound} bytes when decompressed, and ${maxBatchBytes} are taken (the larger of CONSUME_MAX_BYTES and 64 MiB)`,
      );
    }
    const lease = this.#granted ?? memory.tryTake(bound);
    if (!lease) return bound;
    this.#granted = undefined;
    try {
      const bytes = codec.decompress(compressed, bound);
      this.#leases.push(lease);
      return bytes;
    } catch (cause) {
      lease.release();
      const type = compressionType(number);
      throw new Error(`their ${type} cannot be decompressed: ${messageOf(cause)}`, { cause });
    }
  }

  /** Appends to `records` and returns how many bytes they take. */
  #readRecords(batch: OpenBatch, records: ConsumerRecord[], maxRecords: number, maxBytes: number): number {
    const { bytes, end, baseOffset, baseTimestamp, appendTime } = batch;
    const cursor = new VarintCursor(bytes, batch.position, end);
    const topic = this.#topic;
    const partition = this.#partition;
    const from = this.#offset;
    let taken = 0;
    while (batch.remaining > 0 && records.length < maxRecords && taken < maxBytes) {
      const length = cursor.varint();
      const next = cursor.position + length;
      cursor.position += 1; // attributes
      const timestampDelta = cursor.varlong();
      const offset = baseOffset + cursor.varint();
      if (offset >= from) {
        const key = cursor.bytes();
        const value = cursor.bytes();
        const headers = cursor.headers();
        records.push({
          topic,
          partition,
          offset,
          timestamp: appendTime ?? baseTimestamp + timestampDelta,
          key,
          value,
          headers,
        });
        this.#offset = offset + 1;
        taken += length;
      }
      cursor.position = next;
      batch.remaining--;
    }
    batch.position = cursor.position;
    return taken;
  }
}

/** Loads a codec, or returns the Error, which matters once its batch is reached. */
async function codecOf(codec: number): Promise<Codec | Error> {
  try {
    return await loadCodec(compressionType(codec));
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

interface OpenBatch {
  readonly bytes: Buffer;
  position: number;
  readonly end: number;
  remaining: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  readonly baseTimestamp: number;
  readonly appendTime: number | undefined;
  readonly isCompressed: boolean;
}
