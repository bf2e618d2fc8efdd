/**
 * Reads an answer of the Kafka protocol from its start to its end (kafka.apache.org/protocol#protocol_types).
 * Whatever sizes and counts a peer writes, nothing beyond the answer is read, and no more is allotted than the
 * answer has bytes: each of these throws a RangeError. kafkajs's own decoder allots as much as it is told.
 */
export class Decoder {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  readBoolean(): boolean {
    return this.readInt8() !== 0;
  }

  readInt8(): number {
    return this.#bytes.readInt8(this.#advance(1));
  }

  readInt16(): number {
    return this.#bytes.readInt16BE(this.#advance(2));
  }

  readInt32(): number {
    return this.#bytes.readInt32BE(this.#advance(4));
  }

  readInt64(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8));
  }

  /** An offset, a time or a duration: a 64-bit number that JavaScript's own numbers hold. */
  readLong(): number {
    return Number(this.readInt64());
  }

  readString(): string | null {
    return this.#text(this.readInt16());
  }

  /** A slice of the answer. */
  readBytes(): Buffer | null {
    const length = this.readInt32();
    if (length < 0) return null;
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Empty where the answer has null; a RangeError where it has more than `max` elements. */
  readArray<T>(read: () => T, max = Number.POSITIVE_INFINITY): T[] {
    return this.#elements(this.readInt32(), read, max);
  }

  /** The compact string of flexible versions (KIP-482). */
  readUVarIntString(): string | null {
    return this.#text(this.readUVarInt() - 1);
  }

  readUVarIntArray<T>(read: () => T): T[] {
    return this.#elements(this.readUVarInt() - 1, read);
  }

  /** Steps over the fields that a flexible version may carry. */
  readTaggedFields(): void {
    for (let left = this.readUVarInt(); left > 0; left--) {
      this.readUVarInt();
      this.#advance(this.readUVarInt());
    }
  }

  readUVarInt(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#advance(1));
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number of an answer has more than 5 bytes');
  }

  #text(length: number): string | null {
    if (length < 0) return null;
    const start = this.#advance(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  #elements<T>(count: number, read: () => T, max = Number.POSITIVE_INFINITY): T[] {
    // Every element takes a byte at least; -1 stands for null.
    if (count < -1 || count > Math.min(max, this.#bytes.length - this.#position)) {
      throw new RangeError(`an answer of ${this.#bytes.length} bytes holds an array of ${count} elements`);
    }
    const elements: T[] = [];
    for (let index = 0; index < count; index++) elements.push(read());
    return elements;
  }

  /** Returns where the bytes begin. */
  #advance(length: number): number {
    const start = this.#position;
    if (start + length > this.#bytes.length) throw new RangeError('an answer ends early');
    this.#position = start + length;
    return start;
  }
}
