/**
 * Kafka's signed variable-length integers: zig-zag, then seven bits a byte, least significant first
 * (org.apache.kafka.common.utils.ByteUtils). JavaScript's shifts stop at 31 bits, so larger numbers are doubles, and
 * beyond 2^52, where doubling would round, bigints.
 */
const MAX_INT31 = 0x7fffffff;
const MAX_EXACT = 2 ** 52;

export function sizeOfVarint(value: number): number {
  if (Math.abs(value) > MAX_EXACT) return Math.ceil(bigZigZag(value).toString(2).length / 7);
  let rest = zigZag(value);
  let size = 1;
  for (; rest > MAX_INT31; size++) rest = Math.floor(rest / 128);
  for (; rest > 127; size++) rest >>>= 7;
  return size;
}

/** Writes `value` at `offset` and returns the offset after it. */
export function writeVarint(buffer: Buffer, value: number, offset: number): number {
  let position = offset;
  if (Math.abs(value) > MAX_EXACT) {
    let big = bigZigZag(value);
    for (; big > 127n; big >>= 7n) buffer[position++] = Number(big & 127n) | 128;
    buffer[position++] = Number(big);
    return position;
  }
  let rest = zigZag(value);
  for (; rest > MAX_INT31; rest = Math.floor(rest / 128)) buffer[position++] = (rest % 128) | 128;
  for (; rest > 127; rest >>>= 7) buffer[position++] = (rest & 127) | 128;
  buffer[position++] = rest;
  return position;
}

function zigZag(value: number): number {
  return value >= 0 ? value * 2 : value * -2 - 1;
}

function bigZigZag(value: number): bigint {
  const n = BigInt(value);
  return BigInt.asUintN(64, (n << 1n) ^ (n >> 63n));
}
