/**
 * Reads LZ4 frames (lz4_Frame_format.md and lz4_Block_format.md of lz4/lz4) with every option that Kafka's brokers
 * accept, and with blocks that depend on each other. The libraries on npm misread block checksums or are native.
 */
const MAGIC = 0x184d2204;
const VERSION_MASK = 0xc0;
const VERSION = 0x40;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const DICTIONARY = 0x01;
const CHECKSUM_BYTES = 4;
const STORED = 0x80000000;
const MIN_MATCH = 4;
/** A byte of a compressed block lengthens a match by at most 255. */
const MAX_RATIO = 255;
/** By the number in the frame's block descriptor. */
const blockSizes: Record<number, number> = { 4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 1 << 22 };

interface Block {
  start: number;
  end: number;
  isStored: boolean;
  /** The most bytes that the block can give. */
  bound: number;
}

/** The most bytes that the first frame in `bytes` can give. Throws where it can't be read. */
export function lz4Bound(bytes: Buffer): number {
  const { blocks, contentSize } = readFrame(bytes);
  const bound = blocks.reduce((sum, block) => sum + block.bound, 0);
  if (contentSize === undefined) return bound;
  if (contentSize <= bound) return contentSize;
  throw new Error(`an LZ4 frame gives ${bound} bytes at the most and announces ${contentSize}`);
}

/**
 * Decompresses the first frame in `bytes`, of at most `bound` bytes, and ignores what follows. Checksums are skipped,
 * because a batch has its own. Throws where the frame can't be read.
 */
export function decompressLz4(bytes: Buffer, bound: number): Buffer {
  const { blocks, contentSize } = readFrame(bytes);
  const content = Buffer.allocUnsafeSlow(bound);
  let size = 0;
  for (const block of blocks) size = readBlock(bytes, block, content, size);
  if (contentSize !== undefined && size !== contentSize) {
    throw new Error(`an LZ4 frame gives ${size} bytes and announces ${contentSize}`);
  }
  return content.subarray(0, size);
}

function readFrame(bytes: Buffer): { blocks: Block[]; contentSize: number | undefined } {
  if (bytes.readUInt32LE(0) !== MAGIC) throw new Error('this is no LZ4 frame');
  const flags = bytes.readUInt8(4);
  if ((flags & VERSION_MASK) !== VERSION) throw new Error('the version of the LZ4 frame is not known');
  if (flags & DICTIONARY) throw new Error('the LZ4 frame wants a dictionary');
  const blockSize = blockSizes[(bytes.readUInt8(5) >> 4) & 7];
  if (blockSize === undefined) throw new Error('the block size of the LZ4 frame is not known');
  const hasSize = (flags & CONTENT_SIZE) !== 0;
  const contentSize = hasSize ? Number(bytes.readBigUInt64LE(6)) : undefined;
  const blocks: Block[] = [];
  // The descriptor ends with its checksum, of one byte.
  for (let at = 6 + (hasSize ? 8 : 0) + 1; ; ) {
    const header = bytes.readUInt32LE(at);
    if (header === 0) return { blocks, contentSize };
    const start = at + 4;
    const isStored = (header & STORED) !== 0;
    const length = header & ~STORED;
    const end = start + length;
    if (length > blockSize || end > bytes.length) throw new Error('a block of the LZ4 frame is cut short');
    blocks.push({ start, end, isStored, bound: isStored ? length : Math.min(blockSize, length * MAX_RATIO) });
    at = end + (flags & BLOCK_CHECKSUM ? CHECKSUM_BYTES : 0);
  }
}

/** Writes a block behind the first `size` bytes of `content`, which its matches refer to. Returns the new size. */
function readBlock(
  bytes: Buffer,
  { start, end, isStored, bound }: Block,
  content: Buffer,
  size: number,
): number {
  const limit = Math.min(content.length, size + bound);
  if (isStored) {
    if (size + end - start > limit) throw tooLong();
    return size + bytes.copy(content, size, start, end);
  }
  let at = start;
  let to = size;
  const length = (first: number): number => {
    let sum = first;
    if (first < 15) return sum;
    for (;;) {
      if (at >= end) throw new Error('a length of the LZ4 frame is cut short');
      const more = bytes[at++] as number;
      sum += more;
      if (more < 255) return sum;
    }
  };
  while (at < end) {
    const token = bytes[at++] as number;
    const literals = length(token >> 4);
    if (at + literals > end || to + literals > limit) throw tooLong();
    if (literals > 0) to += copyLiterals(bytes, at, literals, content, to);
    at += literals;
    // The last sequence has no match.
    if (at === end) break;
    if (at + 2 > end) throw new Error('an offset of the LZ4 frame is cut short');
    const offset = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    at += 2;
    const match = length(token & 15) + MIN_MATCH;
    if (offset === 0 || offset > to) throw new Error('a match of the LZ4 frame begins before its content');
    if (to + match > limit) throw tooLong();
    to += copyMatch(content, to, offset, match);
  }
  return to;
}

function copyLiterals(bytes: Buffer, at: number, length: number, content: Buffer, to: number): number {
  // For a few bytes, a loop is cheaper than a call.
  if (length > 16) return bytes.copy(content, to, at, at + length);
  for (let index = 0; index < length; index++) content[to + index] = bytes[at + index] as number;
  return length;
}

/** A match may overlap what it writes: then it repeats the bytes before it. */
function copyMatch(content: Buffer, to: number, offset: number, length: number): number {
  if (length > 16 && offset >= length) {
    content.copyWithin(to, to - offset, to - offset + length);
  } else {
    for (let index = to; index < to + length; index++) content[index] = content[index - offset] as number;
  }
  return length;
}

function tooLong(): Error {
  return new Error('a block of the LZ4 frame gives more than it may');
}
