import type { Header } from '../../../record.ts';
import {
  ATTRIBUTES_AT,
  BATCH_OVERHEAD,
  CRC_AT,
  CURRENT_MAGIC,
  LENGTH_AT,
  MAGIC_AT,
  TRANSACTIONAL,
} from './batch-header.ts';
import { crc32c } from './crc32c.ts';
import { sizeOfVarint, writeVarint } from './varint.ts';

/** A record as it is written: it always has a timestamp (epoch milliseconds). */
export interface TimedRecord {
  key: Buffer | null;
  value: Buffer | null;
  headers: readonly Header[];
  timestamp: number;
}

/** The producer of a batch, and the sequence of its first record; absent without idempotence. */
export interface BatchIdentity {
  producerId: bigint;
  producerEpoch: number;
  baseSequence: number;
  transactional?: boolean;
}

/** The size of the parts that don't depend on the record's place in a batch: attributes, key, value and headers. */
export function recordBodySize({ key, value, headers }: Omit<TimedRecord, 'timestamp'>): number {
  let size = 1 + sizeOfBytes(key) + sizeOfBytes(value) + sizeOfVarint(headers.length);
  for (const header of headers) {
    const keyLength = Buffer.byteLength(header.key);
    size += sizeOfVarint(keyLength) + keyLength + sizeOfBytes(header.value);
  }
  return size;
}

/** The size of a batch that holds this record alone. */
export function singleBatchSize(bodySize: number): number {
  // Both deltas are zero, one byte each.
  return BATCH_OVERHEAD + sizeOfVarint(bodySize + 2) + bodySize + 2;
}

/** The most bytes that a record adds to a batch: a length of five, deltas of ten and five. */
export function recordSizeBound(bodySize: number): number {
  return bodySize + 20;
}

/** Encodes records as one RecordBatch v2. The broker sets its offset and leader epoch. */
export function encodeRecordBatch(records: readonly TimedRecord[], identity?: BatchIdentity): Buffer {
  const baseTimestamp = records[0]?.timestamp ?? 0;
  let maxTimestamp = baseTimestamp;
  let size = BATCH_OVERHEAD;
  const lengths = records.map((record, index) => {
    if (record.timestamp > maxTimestamp) maxTimestamp = record.timestamp;
    const length =
      recordBodySize(record) + sizeOfVarint(record.timestamp - baseTimestamp) + sizeOfVarint(index);
    size += sizeOfVarint(length) + length;
    return length;
  });

  const batch = Buffer.allocUnsafe(size);
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(size - LENGTH_AT - 4, LENGTH_AT);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(CURRENT_MAGIC, MAGIC_AT);
  batch.writeInt16BE(identity?.transactional ? TRANSACTIONAL : 0, ATTRIBUTES_AT);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(baseTimestamp), 27);
  batch.writeBigInt64BE(BigInt(maxTimestamp), 35);
  batch.writeBigInt64BE(identity?.producerId ?? -1n, 43);
  batch.writeInt16BE(identity?.producerEpoch ?? -1, 51);
  batch.writeInt32BE(identity?.baseSequence ?? -1, 53);
  batch.writeInt32BE(records.length, 57);

  let offset = BATCH_OVERHEAD;
  records.forEach((record, index) => {
    offset = writeVarint(batch, lengths[index] ?? 0, offset);
    batch[offset++] = 0;
    offset = writeVarint(batch, record.timestamp - baseTimestamp, offset);
    offset = writeVarint(batch, index, offset);
    offset = writeBytes(batch, record.key, offset);
    offset = writeBytes(batch, record.value, offset);
    offset = writeVarint(batch, record.headers.length, offset);
    for (const header of record.headers) {
      offset = writeVarint(batch, Buffer.byteLength(header.key), offset);
      offset += batch.write(header.key, offset);
      offset = writeBytes(batch, header.value, offset);
    }
  });
  batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT);
  return batch;
}

function sizeOfBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length;
}

function writeBytes(buffer: Buffer, bytes: Buffer | null, offset: number): number {
  if (bytes === null) return writeVarint(buffer, -1, offset);
  const start = writeVarint(buffer, bytes.length, offset);
  bytes.copy(buffer, start);
  return start + bytes.length;
}
