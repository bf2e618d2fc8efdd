import { BLOCK_BYTES, type Blocks, loadBlocks } from './crc32c-simd.ts';

/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4), sixteen bytes a step ("slicing by 16"), read as four words. One byte a
 * step, as in kafkajs, would take a quarter of a core at 60 MB/s.
 */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 16;
/** The steps below need words that are read with the least significant byte first. */
const READS_WORDS = new Uint8Array(new Int32Array([1]).buffer)[0] === 1;

const table = new Int32Array(SLICES * 256);
for (let n = 0; n < 256; n++) {
  let crc = n;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  table[n] = crc;
}
for (let i = 256; i < table.length; i++) {
  const previous = table[i - 256] ?? 0;
  table[i] = (previous >>> 8) ^ (table[previous & 0xff] ?? 0);
}

/** For less input in whole blocks, loading crc32c-simd.ts takes longer than it saves. */
const WORTH_LOADING = 32 * 1024 * 1024;
let blockBytes = 0;
let blocks: Blocks | undefined;

/** The checksum of `bytes` from `start` to `end`, as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const behindBlocks = end - ((end - start) % BLOCK_BYTES);
  if (READS_WORDS && blockBytes < WORTH_LOADING) {
    blockBytes += behindBlocks - start;
    if (blockBytes >= WORTH_LOADING) blocks = loadBlocks(step);
  }
  if (!blocks || behindBlocks === start) return (sliced(-1, bytes, start, end) ^ -1) >>> 0;
  const crc = blocks(-1, bytes, start, behindBlocks);
  return (sliced(crc, bytes, behindBlocks, end) ^ -1) >>> 0;
}

function sliced(initial: number, bytes: Uint8Array, start: number, end: number): number {
  // Words have to be aligned, so the bytes before the first word and after the last go one by one.
  const aligned = Math.min(end, start + (-(bytes.byteOffset + start) & 3));
  const steps = READS_WORDS ? Math.floor((end - aligned) / SLICES) : 0;
  let crc = byteByByte(initial, bytes, start, aligned);
  if (steps > 0) {
    crc = wordByWord(crc, new Int32Array(bytes.buffer, bytes.byteOffset + aligned, steps * 4));
  }
  return byteByByte(crc, bytes, aligned + steps * SLICES, end);
}

function byteByByte(initial: number, bytes: Uint8Array, start: number, end: number): number {
  let crc = initial;
  for (let i = start; i < end; i++) {
    crc = step(crc, bytes[i] as number);
  }
  return crc;
}

function step(crc: number, byte: number): number {
  return slot(table, (crc ^ byte) & 0xff) ^ (crc >>> 8);
}

function wordByWord(initial: number, words: Int32Array): number {
  const t = table;
  let crc = initial;
  for (let i = 0; i < words.length; i += 4) {
    const a = crc ^ slot(words, i);
    const b = slot(words, i + 1);
    const c = slot(words, i + 2);
    const d = slot(words, i + 3);
    crc =
      slot(t, 3840 + (a & 0xff)) ^
      slot(t, 3584 + ((a >>> 8) & 0xff)) ^
      slot(t, 3328 + ((a >>> 16) & 0xff)) ^
      slot(t, 3072 + (a >>> 24)) ^
      slot(t, 2816 + (b & 0xff)) ^
      slot(t, 2560 + ((b >>> 8) & 0xff)) ^
      slot(t, 2304 + ((b >>> 16) & 0xff)) ^
      slot(t, 2048 + (b >>> 24)) ^
      slot(t, 1792 + (c & 0xff)) ^
      slot(t, 1536 + ((c >>> 8) & 0xff)) ^
      slot(t, 1280 + ((c >>> 16) & 0xff)) ^
      slot(t, 1024 + (c >>> 24)) ^
      slot(t, 768 + (d & 0xff)) ^
      slot(t, 512 + ((d >>> 8) & 0xff)) ^
      slot(t, 256 + ((d >>> 16) & 0xff)) ^
      slot(t, d >>> 24);
  }
  return crc;
}

function slot(array: Int32Array, index: number): number {
  return array[index] as number;
}
