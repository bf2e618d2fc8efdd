import type { Header } from '../../../record.ts';

const NO_HEADERS: readonly Header[] = Object.freeze([]);

/** Reads the parts of a record in order (varints: org.apache.kafka.common.utils.ByteUtils). */
export class VarintCursor {
  position: number;
  readonly #bytes: Buffer;
  readonly #end: number;

  constructor(bytes: Buffer, position: number, end: number) {
    this.#bytes = bytes;
    this.position = position;
    this.#end = end;
  }

  varint(): number {
    const bytes = this.#bytes;
    let position = this.position;
    let byte = bytes[position++] as number;
    let value = byte & 0x7f;
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift > 28) throw new Error('a number of a record has more than 5 bytes');
      byte = bytes[position++] as number;
      value |= (byte & 0x7f) << shift;
    }
    this.position = position;
    return (value >>> 1) ^ -(value & 1);
  }

  /** Exact up to 2^53 either side, which holds every timestamp. Above 31 bits it counts in doubles. */
  varlong(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.position++] as number;
    let value = byte & 0x7f;
    for (let scale = 128; byte > 0x7f; scale *= 128) {
      if (scale > 2 ** 63) throw new Error('a number of a record has more than 10 bytes');
      byte = bytes[this.position++] as number;
      value += (byte & 0x7f) * scale;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const start = this.position;
    this.position = start + length;
    if (this.position > this.#end) throw beyondBatch();
    return this.#bytes.subarray(start, this.position);
  }

  skipBytes(): void {
    const length = this.varint();
    if (length > 0) this.position += length;
    if (this.position > this.#end) throw beyondBatch();
  }

  headers(): readonly Header[] {
    const count = this.#headerCount();
    if (count === 0) return NO_HEADERS;
    const headers: Header[] = [];
    for (let index = 0; index < count; index++) {
      const key = this.bytes();
      headers.push({ key: key?.toString() ?? '', value: this.bytes() });
    }
    return headers;
  }
  skipHeaders(): void {
    for (let left = this.#headerCount() * 2; left > 0; left--) this.skipBytes();
  }

  #headerCount(): number {
    const count = this.varint();
    if (count > this.#end - this.position) throw new Error('a record claims more headers than it has bytes');
    return Math.max(0, count);
  }
}

function beyondBatch(): Error {
  return new Error('a key, value or header goes beyond its record batch');
}
