import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { ProducerConfig } from '../../produce/config.ts';
import { ATTRIBUTES_AT, BATCH_OVERHEAD, CRC_AT, LENGTH_AT } from './batch-header.ts';
import { crc32c } from './crc32c.ts';

/** Bits 0 to 2 of a batch's attributes (kafka.apache.org/documentation/#recordbatch). */
export const compressionTypes = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

const deflate = promisify(gzip);

/** Compresses a batch's records, unless that would not make it smaller. */
export async function compressBatch(batch: Buffer, type: ProducerConfig['compression']): Promise<Buffer> {
  if (type === 'none') return batch;
  const records = await compressors[type](batch.subarray(BATCH_OVERHEAD));
  if (BATCH_OVERHEAD + records.length >= batch.length) return batch;
  const compressed = Buffer.concat([batch.subarray(0, BATCH_OVERHEAD), records]);
  compressed.writeInt32BE(compressed.length - LENGTH_AT - 4, LENGTH_AT);
  compressed.writeInt16BE(batch.readInt16BE(ATTRIBUTES_AT) | compressionTypes.indexOf(type), ATTRIBUTES_AT);
  compressed.writeUInt32BE(crc32c(compressed, ATTRIBUTES_AT), CRC_AT);
  return compressed;
}

/**
 * The start of an LZ4 frame with independent blocks, which Java's client insists on: magic, flags, block size 4 MiB,
 * and their checksum. lz4js doesn't set that flag, so each block is compressed as its own frame.
 */
const LZ4_BLOCK_BYTES = 4 * 1024 * 1024;
const LZ4_FRAME_START = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73]);
/** An empty block ends the frame. */
const LZ4_FRAME_END = Buffer.alloc(4);

const compressors = {
  gzip: (bytes: Buffer): Promise<Buffer> => deflate(bytes),
  lz4: async (bytes: Buffer): Promise<Buffer> => {
    const { compress } = await import('lz4js');
    const parts: Buffer[] = [LZ4_FRAME_START];
    for (let at = 0; at < bytes.length; at += LZ4_BLOCK_BYTES) {
      const frame = asBuffer(compress(bytes.subarray(at, at + LZ4_BLOCK_BYTES)));
      parts.push(frame.subarray(LZ4_FRAME_START.length, -LZ4_FRAME_END.length));
    }
    return Buffer.concat([...parts, LZ4_FRAME_END]);
  },
};

/** A view of the same bytes. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
