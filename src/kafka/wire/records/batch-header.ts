/** The layout of a RecordBatch v2 (kafka.apache.org/documentation/#recordbatch); older ones begin alike. */
export const LENGTH_AT = 8;
const LENGTH_END = 12;
const LEADER_EPOCH_AT = 12;
export const MAGIC_AT = 16;
export const CRC_AT = 17;
export const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const COUNT_AT = 57;
/** Bytes of a batch before its first record. */
export const BATCH_OVERHEAD = 61;

const CODEC = 0x07;
const LOG_APPEND_TIME = 0x08;
export const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
export const CURRENT_MAGIC = 2;

/** The fields before a batch's records. */
export interface BatchHeader {
  /** Where the batch begins in its bytes, and where the next one does. */
  start: number;
  end: number;
  /** The message format; below 2 only the offsets are known. */
  magic: number;
  /** The epoch of the leader that appended it; -1 in older formats. */
  leaderEpoch: number;
  baseOffset: number;
  lastOffset: number;
  /** The number of its records; undefined in older formats. */
  count: number | undefined;
  crc: number;
  codec: number;
  isTransactional: boolean;
  isControl: boolean;
  producerId: bigint;
  baseTimestamp: number;
  /** Epoch milliseconds, on topics with LogAppendTime. */
  appendTime: number | undefined;
}

/** The header of the batch that begins at `start`; undefined where `bytes` don't hold the whole batch. */
export function batchAt(bytes: Buffer, start: number): BatchHeader | undefined {
  if (start + MAGIC_AT >= bytes.length) return undefined;
  const end = start + LENGTH_END + bytes.readInt32BE(start + LENGTH_AT);
  const magic = bytes.readInt8(start + MAGIC_AT);
  const smallest = magic < CURRENT_MAGIC ? MAGIC_AT + 1 : BATCH_OVERHEAD;
  if (end > bytes.length || end < start + smallest) return undefined;
  const baseOffset = Number(bytes.readBigInt64BE(start));
  // An older compressed message has the offset of its last inner message.
  if (magic < CURRENT_MAGIC) return { ...ofOldFormat, start, end, magic, baseOffset, lastOffset: baseOffset };
  const attributes = bytes.readInt16BE(start + ATTRIBUTES_AT);
  const hasAppendTime = (attributes & LOG_APPEND_TIME) !== 0;
  return {
    start,
    end,
    magic,
    leaderEpoch: bytes.readInt32BE(start + LEADER_EPOCH_AT),
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(start + LAST_OFFSET_DELTA_AT),
    count: bytes.readInt32BE(start + COUNT_AT),
    crc: bytes.readUInt32BE(start + CRC_AT),
    codec: attributes & CODEC,
    isTransactional: (attributes & TRANSACTIONAL) !== 0,
    isControl: (attributes & CONTROL) !== 0,
    producerId: bytes.readBigInt64BE(start + PRODUCER_ID_AT),
    baseTimestamp: Number(bytes.readBigInt64BE(start + BASE_TIMESTAMP_AT)),
    appendTime: hasAppendTime ? Number(bytes.readBigInt64BE(start + MAX_TIMESTAMP_AT)) : undefined,
  };
}

const ofOldFormat = {
  ...{ count: undefined, crc: 0, codec: 0, isTransactional: false, isControl: false },
  ...{ leaderEpoch: -1, producerId: -1n, baseTimestamp: 0, appendTime: undefined },
};

/** The offset to read on at, behind these batches; undefined where none is whole. */
export function offsetBehind(batches: Buffer): number | undefined {
  let last: BatchHeader | undefined;
  for (const header of headers(batches)) last = header;
  return last && last.lastOffset + 1;
}

export function* headers(bytes: Buffer): Generator<BatchHeader> {
  let header = batchAt(bytes, 0);
  while (header) {
    yield header;
    header = batchAt(bytes, header.end);
  }
}
