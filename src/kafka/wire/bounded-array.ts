import type Decoder from 'kafkajs/src/protocol/decoder.js';

/**
 * Reads an array of which every element takes a byte at least. What isn't Kafka can have any number in a
 * count's place, and kafkajs's own reader allots that many elements before it reads the first.
 */
export function readBoundedArray<T>(decoder: Decoder, payload: Buffer, read: () => T): T[] {
  const count = payload.readInt32BE(decoder.offset);
  if (count > payload.length - decoder.offset) {
    throw new RangeError(`an array of ${count} elements in an answer of ${payload.length} bytes`);
  }
  return decoder.readArray(read);
}
