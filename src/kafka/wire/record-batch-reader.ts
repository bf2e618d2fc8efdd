import { Failure } from '../../errors.ts';
import type { ConsumerRecord } from '../../record.ts';
import { checkRecords } from './check-records.ts';
import { crc32c } from './crc32c.ts';
import { compressionType, type Decompress, loadCodec } from './decompression.ts';
import type { FetchedPartition, IsolationLevel } from './fetch.ts';
import { BATCH_OVERHEAD } from './record-batch.ts';
import { VarintCursor } from './varint-cursor.ts';

// Where the parts of a RecordBatch v2 stand (kafka.apache.org/documentation/#recordbatch).
const LENGTH_AT = 8;
const LENGTH_END = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const COUNT_AT = 57;
const CODEC = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const ABORT_MARKER = 0;

/** Records in the order of their offsets, and where to read on after them. */
export interface FetchedRecords {
  records: ConsumerRecord[];
  /** Behind the last record, and behind what is no record: markers, aborted records, gaps. */
  nextOffset: number;
  /** Of the records, decompressed. */
  bytes: number;
}

/** From `offset` up to, without, `end`. */
export interface OffsetRange {
  offset: number;
  end: number;
}

export interface ReaderOptions {
  isolationLevel: IsolationLevel;
  checkCrcs: boolean;
}

/**
 * What one Fetch answer holds of one partition, from `offset` on, decoded as it is taken. Keys and values
 * are slices of the answer (of the decompressed batch, where it is compressed): no byte is copied.
 */
export class FetchedRecordsReader {
  readonly #bytes: Buffer;
  readonly #topic: string;
  readonly #partition: number;
  readonly #options: ReaderOptions;
  readonly #codecs: ReadonlyMap<number, Decompress | Error>;
  readonly #aborted: FetchedPartition['abortedTransactions'];
  readonly #abortedProducers = new Set<bigint>();
  readonly #end: number;
  #offset: number;
  #position = 0;
  /** The batch whose records are being taken. */
  #batch: OpenBatch | undefined;
  /** Why the next batch can't be read; what stood before it was taken first. */
  #failure: Failure | undefined;

  private constructor(
    fetched: FetchedPartition,
    { offset, end }: OffsetRange,
    options: ReaderOptions,
    codecs: ReadonlyMap<number, Decompress | Error>,
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
    const codecs = new Map<number, Decompress | Error>();
    for (const at of batchStarts(fetched.records)) {
      const attributes = fetched.records.readInt16BE(at + ATTRIBUTES_AT);
      const codec = attributes & CODEC;
      if (fetched.records[at + MAGIC_AT] !== 2 || codecs.has(codec)) continue;
      codecs.set(codec, await codecOf(attributes));
    }
    return new FetchedRecordsReader(fetched, range, options, codecs);
  }

  /**
   * Up to `maxRecords` records of at most about `maxBytes` (one at the least). No record and the same
   * `nextOffset` as before: there is nothing more. Throws a Failure, once everything before it has been taken,
   * where a batch can't be read.
   */
  take(maxRecords: number, maxBytes = Number.POSITIVE_INFINITY): FetchedRecords {
    const records: ConsumerRecord[] = [];
    let bytes = 0;
    if (this.#failure) throw this.#failure;
    try {
      while (records.length < maxRecords && bytes < maxBytes) {
        const batch = this.#batch ?? this.#openBatch();
        if (!batch) break;
        this.#batch = batch;
        bytes += this.#readRecords(batch, records, maxRecords, maxBytes - bytes);
        if (batch.remaining > 0) break;
        this.#offset = Math.max(this.#offset, batch.lastOffset + 1);
        this.#batch = undefined;
      }
    } catch (error) {
      this.#failure = this.#unreadable(error);
      if (records.length === 0) throw this.#failure;
    }
    return { records, nextOffset: this.#offset, bytes };
  }

  #unreadable(cause: unknown): Failure {
    const where = `partition ${this.#partition} of topic ${this.#topic} cannot be read from offset ${this.#offset} on`;
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new Failure('INTERNAL', `${where}: ${reason}`, { cause });
  }

  /** Opens the next batch that holds records to be read; steps over the others. */
  #openBatch(): OpenBatch | undefined {
    const bytes = this.#bytes;
    for (;;) {
      const at = this.#position;
      const end = batchEnd(bytes, at);
      if (end === undefined) return undefined;
      const baseOffset = Number(bytes.readBigInt64BE(at));
      if (baseOffset >= this.#end) {
        this.#offset = Math.max(this.#offset, this.#end);
        return undefined;
      }
      this.#checkFormat(at, end, baseOffset);
      const attributes = bytes.readInt16BE(at + ATTRIBUTES_AT);
      const lastOffset = baseOffset + bytes.readInt32BE(at + LAST_OFFSET_DELTA_AT);
      this.#position = end;
      if (lastOffset < this.#offset) continue;
      const readable = this.#isReadable(attributes, at, end, lastOffset);
      if (readable) return this.#decompressed(attributes, at, end, baseOffset, lastOffset);
      this.#offset = lastOffset + 1;
    }
  }

  #checkFormat(at: number, end: number, baseOffset: number): void {
    const bytes = this.#bytes;
    const magic = bytes[at + MAGIC_AT];
    if (magic !== 2) {
      throw new Error(
        `the records at offset ${baseOffset} have message format v${magic}; only v2 (Kafka 0.11 and newer) is read`,
      );
    }
    if (!this.#options.checkCrcs) return;
    if (crc32c(bytes, at + ATTRIBUTES_AT, end) !== bytes.readUInt32BE(at + CRC_AT)) {
      throw new Error(`the record batch at offset ${baseOffset} does not match its CRC-32C`);
    }
  }

  /** Keeps account of aborted transactions as Kafka's own consumer does (CompletedFetch.nextFetchedRecord). */
  #isReadable(attributes: number, at: number, end: number, lastOffset: number): boolean {
    const isControl = (attributes & CONTROL) !== 0;
    if (this.#options.isolationLevel === 'read_uncommitted') return !isControl;
    const producerId = this.#bytes.readBigInt64BE(at + PRODUCER_ID_AT);
    while (this.#aborted[0] !== undefined && this.#aborted[0].firstOffset <= lastOffset) {
      const transaction = this.#aborted.shift();
      if (transaction) this.#abortedProducers.add(transaction.producerId);
    }
    if (isControl) {
      if (this.#isAbortMarker(at, end)) this.#abortedProducers.delete(producerId);
      return false;
    }
    return (attributes & TRANSACTIONAL) === 0 || !this.#abortedProducers.has(producerId);
  }

  /** A control record's key is its version and its type, two bytes each. */
  #isAbortMarker(at: number, end: number): boolean {
    if (this.#bytes.readInt32BE(at + COUNT_AT) < 1) return false;
    const record = new VarintCursor(this.#bytes, at + BATCH_OVERHEAD, end);
    record.varint(); // length
    record.position += 1; // attributes
    record.varlong(); // timestamp delta
    record.varint(); // offset delta
    record.varint(); // key length
    return this.#bytes.readInt16BE(record.position + 2) === ABORT_MARKER;
  }

  #decompressed(
    attributes: number,
    at: number,
    end: number,
    baseOffset: number,
    lastOffset: number,
  ): OpenBatch {
    const codec = attributes & CODEC;
    const decompress = this.#codecs.get(codec);
    if (decompress instanceof Error) throw decompress;
    const compressed = this.#bytes.subarray(at + BATCH_OVERHEAD, end);
    const appendTime =
      (attributes & LOG_APPEND_TIME) !== 0
        ? Number(this.#bytes.readBigInt64BE(at + MAX_TIMESTAMP_AT))
        : undefined;
    let bytes = this.#bytes;
    if (codec !== 0) {
      try {
        bytes = decompress?.(compressed) ?? compressed;
      } catch (cause) {
        const type = compressionType(attributes);
        throw new Error(`the ${type} batch at offset ${baseOffset} cannot be decompressed`, { cause });
      }
    }
    const position = codec === 0 ? at + BATCH_OVERHEAD : 0;
    const recordsEnd = codec === 0 ? end : bytes.length;
    const remaining = this.#bytes.readInt32BE(at + COUNT_AT);
    checkRecords(
      bytes,
      { position, end: recordsEnd },
      { count: remaining, lastDelta: lastOffset - baseOffset },
    );
    return {
      bytes,
      position,
      end: recordsEnd,
      remaining,
      baseOffset,
      lastOffset,
      baseTimestamp: Number(this.#bytes.readBigInt64BE(at + BASE_TIMESTAMP_AT)),
      appendTime,
    };
  }

  /** Adds to `records` and tells how many bytes they take. */
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

/** The Error that names the codec, where there is none: it matters once its batch is reached. */
async function codecOf(attributes: number): Promise<Decompress | Error> {
  try {
    return await loadCodec(compressionType(attributes));
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
  readonly baseTimestamp: number;
  /** Epoch milliseconds on topics with LogAppendTime. */
  readonly appendTime: number | undefined;
}

/** Where the batch that begins at `at` ends; undefined where it does not lie in `bytes` as a whole. */
function batchEnd(bytes: Buffer, at: number): number | undefined {
  if (at + BATCH_OVERHEAD > bytes.length) return undefined;
  const end = at + LENGTH_END + bytes.readInt32BE(at + LENGTH_AT);
  return end <= bytes.length && end > at + LENGTH_END ? end : undefined;
}

/** Where to read on after these record batches; undefined where not one of them is whole. */
export function offsetBehind(batches: Buffer): number | undefined {
  let last: number | undefined;
  for (const at of batchStarts(batches)) last = at;
  if (last === undefined) return undefined;
  return Number(batches.readBigInt64BE(last)) + batches.readInt32BE(last + LAST_OFFSET_DELTA_AT) + 1;
}

function* batchStarts(bytes: Buffer): Generator<number> {
  let at = 0;
  for (let end = batchEnd(bytes, at); end !== undefined; end = batchEnd(bytes, at)) {
    yield at;
    at = end;
  }
}
