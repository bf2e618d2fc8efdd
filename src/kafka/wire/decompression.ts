import { gunzipSync } from 'node:zlib';
import { compressionTypes } from './compression.ts';
import { decompressLz4 } from './lz4.ts';

/** No batch grows beyond this: a cluster takes batches of 10 MB, and some of them could hold gigabytes. */
const MAX_DECOMPRESSED_BYTES = 256 * 1024 * 1024;

export type Decompress = (bytes: Buffer) => Buffer;

/** The codec of a batch; an unknown one is named by its number. */
export function compressionType(attributes: number): string {
  return compressionTypes[attributes & 0x07] ?? `codec ${attributes & 0x07}`;
}

/** Decompression of one codec, loaded when a batch first needs it. Throws where there is none, naming the codec. */
export async function loadCodec(type: string): Promise<Decompress> {
  switch (type) {
    case 'none':
      return (bytes) => bytes;
    case 'gzip':
      return (bytes) => gunzipSync(bytes, { maxOutputLength: MAX_DECOMPRESSED_BYTES });
    case 'snappy': {
      const { uncompress } = await import('snappyjs');
      return (bytes) => snappy(bytes, uncompress);
    }
    case 'lz4':
      return (bytes) => decompressLz4(bytes, MAX_DECOMPRESSED_BYTES);
    case 'zstd': {
      const { Decompress } = await import('fzstd');
      return (bytes) => {
        const chunks: Uint8Array[] = [];
        let size = 0;
        const stream = new Decompress((chunk) => {
          size += chunk.length;
          if (size > MAX_DECOMPRESSED_BYTES) throw tooLarge();
          chunks.push(chunk);
        });
        stream.push(bytes, true);
        return Buffer.concat(chunks, size);
      };
    }
    default:
      throw new Error(`the compression ${type} is not known here`);
  }
}

function tooLarge(): Error {
  return new Error(`a batch would grow beyond ${MAX_DECOMPRESSED_BYTES} bytes when decompressed`);
}

/** What Java's client and others put around blocks (xerial's SnappyOutputStream); a bare block has none. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER = 16;

function snappy(bytes: Buffer, uncompress: (block: Uint8Array, max?: number) => Uint8Array): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    return asBuffer(uncompress(asArray(bytes), MAX_DECOMPRESSED_BYTES));
  }
  const blocks: Buffer[] = [];
  let size = 0;
  for (let at = XERIAL_HEADER; at < bytes.length; ) {
    const length = bytes.readInt32BE(at);
    const block = bytes.subarray(at + 4, at + 4 + length);
    if (length < 0 || block.length < length) throw new Error('a snappy block is cut short');
    const plain = asBuffer(uncompress(asArray(block), MAX_DECOMPRESSED_BYTES - size));
    size += plain.length;
    blocks.push(plain);
    at += 4 + length;
  }
  return Buffer.concat(blocks, size);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asArray(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
