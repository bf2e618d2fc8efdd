/**
 * Kafka's signed variable-length integers: zig-zag, then seven bits a byte, least significant first
 * (org.apache.kafka.common.utils.ByteUtils). Numbers up to 2^52 either side, which holds every
 * timestamp; above 31 bits the arithmetic is on doubles, because JavaScript's shifts stop there.
 */
const MAX_INT31 = 0x7fffffff;

export function sizeOfVarint(value: number): number {
  let rest = zigZag(value);
  let size = 1;
  for (; rest > MAX_INT31; size++) rest = Math.floor(rest / 128);
  for (; rest > 127; size++) rest >>>= 7;
  return size;
}

/** Writes `value` at `offset` and returns the offset after it. */
export function writeVarint(buffer: Buffer, value: number, offset: number): number {
  let rest = zigZag(value);
  let position = offset;
  for (; rest > MAX_INT31; rest = Math.floor(rest / 128)) buffer[position++] = (rest % 128) | 128;
  for (; rest > 127; rest >>>= 7) buffer[position++] = (rest & 127) | 128;
  buffer[position++] = rest;
  return position;
}

function zigZag(value: number): number {
  return value >= 0 ? value * 2 : value * -2 - 1;
}
