import { gunzipSync } from 'node:zlib';
import { asBuffer, compressionTypes } from './compression.ts';
import { decompressLz4, lz4Bound } from './lz4.ts';
import { withFittingWindows, zstdBound } from './zstd.ts';

/** Reads one codec. It never takes more memory than `bound` said before, whatever the bytes claim. */
export interface Codec {
  /** The most bytes that these can give. Throws where they can't be read. */
  bound(bytes: Buffer): number;
  /** Throws where they can't be read, or give more than `bound`. */
  decompress(bytes: Buffer, bound: number): Buffer;
}

/** The name of a batch's codec; an unknown codec is named by its number. */
export function compressionType(codec: number): string {
  return compressionTypes[codec] ?? `codec ${codec}`;
}

/** Loads a codec when a batch first needs it. Throws, with its name, where it is unknown. */
export async function loadCodec(type: string): Promise<Codec> {
  switch (type) {
    case 'gzip':
      return { bound: gzipBound, decompress: gunzip };
    case 'snappy': {
      const { uncompress } = await import('snappyjs');
      return {
        bound: (bytes) => snappyBlocks(bytes).reduce((sum, block) => sum + snappyBound(block), 0),
        decompress: (bytes) => Buffer.concat(snappyBlocks(bytes).map((block) => asBuffer(uncompress(block)))),
      };
    }
    case 'lz4':
      return { bound: lz4Bound, decompress: decompressLz4 };
    case 'zstd': {
      const { Decompress } = await import('fzstd');
      return {
        bound: zstdBound,
        decompress: (bytes, bound) => {
          const content = Buffer.allocUnsafeSlow(bound);
          let size = 0;
          const stream = new Decompress((chunk) => {
            if (size + chunk.length > bound) throw new Error('a zstd frame gives more than it announces');
            content.set(chunk, size);
            size += chunk.length;
          });
          stream.push(withFittingWindows(bytes), true);
          return content.subarray(0, size);
        },
      };
    }
    default:
      throw new Error(`the compression ${type} is not known here`);
  }
}

/** A member ends with the length of its content, modulo 2^32 (RFC 1952, section 2.3.1). */
const GZIP_TRAILER = 4;
/** Deflate gives 258 bytes for two bits at the most. */
const MAX_DEFLATE_RATIO = 1_032;

function gzipBound(bytes: Buffer): number {
  const announced = bytes.readUInt32LE(bytes.length - GZIP_TRAILER);
  if (announced <= bytes.length * MAX_DEFLATE_RATIO) return announced;
  throw new Error(`${bytes.length} bytes of gzip can't give the ${announced} that they announce`);
}

function gunzip(bytes: Buffer, bound: number): Buffer {
  // In one piece: several would be joined in as much memory again.
  return gunzipSync(bytes, { maxOutputLength: Math.max(1, bound), chunkSize: Math.max(64, bound + 1) });
}

/** The frame that Java's client and others put around blocks (xerial's SnappyOutputStream). A bare block has none. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER = 16;
/** A copy of three bytes gives 64 (google/snappy, format_description.txt, section 2.2). */
const MAX_SNAPPY_RATIO = 64 / 3;

function snappyBlocks(bytes: Buffer): Uint8Array[] {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return [asArray(bytes)];
  const blocks: Uint8Array[] = [];
  for (let at = XERIAL_HEADER; at < bytes.length; ) {
    const length = bytes.readInt32BE(at);
    const block = bytes.subarray(at + 4, at + 4 + length);
    if (length < 0 || block.length < length) throw new Error('a snappy block is cut short');
    blocks.push(asArray(block));
    at += 4 + length;
  }
  return blocks;
}

/** A block begins with the length of its content, as a varint. */
function snappyBound(block: Uint8Array): number {
  let announced = 0;
  for (let at = 0; at < 5; at++) {
    const byte = block[at] ?? 0;
    announced += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) break;
  }
  if (announced <= block.length * MAX_SNAPPY_RATIO) return announced;
  throw new Error(`${block.length} bytes of snappy can't give the ${announced} that they announce`);
}

/** snappyjs returns the kind of array that it gets, and a plain one is wanted. */
function asArray(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
