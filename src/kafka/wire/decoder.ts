/**
 * Reads a response of the Kafka protocol from start to end (kafka.apache.org/protocol#protocol_types). Sizes and
 * counts of the peer are not trusted: it throws a RangeError instead of reading beyond the response or allocating
 * more than the response has bytes. kafkajs's own decoder allocates as much as it is told.
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

  /** An offset, a time or a duration: a 64-bit number that fits JavaScript's own numbers. */
  readLong(): number {
    return Number(this.readInt64());
  }

  readString(): string | null {
    return this.#text(this.readInt16());
  }

  /** A slice of the response, not a copy. */
  readBytes(): Buffer | null {
    const length = this.readInt32();
    if (length < 0) return null;
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Empty where the response has null. Throws a RangeError above `max` elements. */
  readArray<T>(read: () => T, max = Number.POSITIVE_INFINITY): T[] {
    return this.#elements(this.readInt32(), read, max);
  }

  /** A compact string of flexible versions (KIP-482). */
  readUVarIntString(): string | null {
    return this.#text(this.readUVarInt() - 1);
  }

  readUVarIntArray<T>(read: () => T): T[] {
    return this.#elements(this.readUVarInt() - 1, read);
  }

  /** Skips the tagged fields of a flexible version. */
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
    // Every element takes at least a byte; -1 stands for null.
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
