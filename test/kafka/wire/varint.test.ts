import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sizeOfVarint, writeVarint } from '../../../src/kafka/wire/records/varint.ts';

/** Kafka's own definition, in the arithmetic that can't be wrong. */
function expected(value: number): Buffer {
  const n = BigInt(value);
  let rest = BigInt.asUintN(64, (n << 1n) ^ (n >> 63n));
  const bytes = [];
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

it('writes every number as Kafka does, and knows its size before', () => {
  const edges = Array.from({ length: 63 }, (_, bit) => [2 ** bit - 1, 2 ** bit, 2 ** bit + 1]).flat();
  const values = [0, ...edges.flatMap((value) => [value, -value]), -8_638_300_000_000_000];
  for (const value of values) {
    const buffer = Buffer.alloc(12);
    const end = writeVarint(buffer, value, 1);
    assert.deepEqual(buffer.subarray(1, end), expected(value), `${value}`);
    assert.equal(sizeOfVarint(value), end - 1, `${value}`);
  }
});
