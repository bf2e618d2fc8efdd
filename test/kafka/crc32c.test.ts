import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../../src/kafka/wire/records/crc32c.ts';
import { BLOCK_BYTES, loadBlocks } from '../../src/kafka/wire/records/crc32c-simd.ts';

const MIB = 1024 * 1024;

function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 131 + (at >>> 8) * 7) % 251;
  return bytes;
}

/** One bit after the other, as the polynomial says. */
function step(crc: number, byte: number): number {
  let next = crc ^ byte;
  for (let bit = 0; bit < 8; bit++) next = next & 1 ? (next >>> 1) ^ 0x82f63b78 : next >>> 1;
  return next;
}

function bitByBit(bytes: Buffer, initial = -1): number {
  return bytes.reduce(step, initial);
}

test('the check value of RFC 3720, and the same for every alignment and length', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  const bytes = pattern(200);
  const padded = Buffer.alloc(220);
  for (let length = 0; length < 80; length++) {
    const wanted = (bitByBit(bytes.subarray(0, length)) ^ -1) >>> 0;
    for (let shift = 0; shift < 5; shift++) {
      bytes.copy(padded, shift);
      assert.equal(crc32c(padded, shift, shift + length), wanted);
    }
  }
});

test('sixteen streams at once: the same for any number of blocks, anywhere, from any beginning', () => {
  const blocks = loadBlocks(step);
  assert.ok(blocks, 'this engine has the instructions');
  const bytes = pattern(20 * BLOCK_BYTES);
  for (const count of [0, 1, 2, 7, 8, 9, 17]) {
    for (const start of [0, 1, 5]) {
      const end = start + count * BLOCK_BYTES;
      for (const crc of [-1, 0, 0x12345678]) {
        assert.equal(blocks(crc, bytes, start, end), bitByBit(bytes.subarray(start, end), crc));
      }
    }
  }
});

test('much input: the same before the streams are loaded and after', () => {
  const bytes = pattern(3 * BLOCK_BYTES + 77);
  const ranges = [
    0,
    1,
    60,
    BLOCK_BYTES - 1,
    BLOCK_BYTES,
    BLOCK_BYTES + 1,
    2 * BLOCK_BYTES + 30,
    bytes.length,
  ];
  const all = () => ranges.flatMap((end) => [0, 3].map((start) => crc32c(bytes, Math.min(start, end), end)));
  const before = all();
  const much = Buffer.alloc(MIB);
  for (let taken = 0; taken <= 64; taken++) crc32c(much);
  assert.deepEqual(all(), before);
});
