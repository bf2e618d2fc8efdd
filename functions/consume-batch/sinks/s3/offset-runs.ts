import { deflateRawSync, inflateRawSync } from 'node:zlib';

/** The most that a malformed text may decode to. */
const MAX_DECODED_BYTES = 8 * 1024 * 1024;

/**
 * Some offsets of a range, as the lengths of runs: so many left out, so many in, and so on. Thousands of scattered
 * offsets take some hundred characters.
 */
export class OffsetRuns {
  readonly start: number;
  readonly #lengths: number[];
  #next: number;

  constructor(start: number, lengths: readonly number[] = [], next = start) {
    this.start = start;
    this.#lengths = [...lengths];
    this.#next = next;
  }

  copy(): OffsetRuns {
    return new OffsetRuns(this.start, this.#lengths, this.#next);
  }

  /** Offsets must come in their order. */
  add(offset: number): void {
    const lengths = this.#lengths;
    if (offset === this.#next && lengths.length > 0) lengths[lengths.length - 1] = (lengths.at(-1) ?? 0) + 1;
    else lengths.push(offset - this.#next, 1);
    this.#next = offset + 1;
  }

  get isEmpty(): boolean {
    return this.#lengths.length === 0;
  }

  *[Symbol.iterator](): Generator<number> {
    let offset = this.start;
    for (const [at, length] of this.#lengths.entries()) {
      if (at % 2 === 1) for (let n = 0; n < length; n++) yield offset + n;
      offset += length;
    }
  }

  /** As text that fits into JSON; empty where there are none. */
  encode(): string {
    if (this.isEmpty) return '';
    return deflateRawSync(Buffer.from(this.#lengths.flatMap(varint))).toString('base64url');
  }

  /** Throws where the text is malformed. */
  static decode(start: number, text: string): OffsetRuns {
    if (text === '') return new OffsetRuns(start);
    const bytes = inflateRawSync(Buffer.from(text, 'base64url'), { maxOutputLength: MAX_DECODED_BYTES });
    const lengths: number[] = [];
    let length = 0;
    let scale = 1;
    for (const byte of bytes) {
      length += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte & 0x80) continue;
      lengths.push(length);
      length = 0;
      scale = 1;
    }
    if (scale !== 1 || lengths.length % 2 === 1) throw new RangeError('the runs of offsets are cut short');
    return new OffsetRuns(
      start,
      lengths,
      lengths.reduce((sum, run) => sum + run, start),
    );
  }
}

/** LEB128. Offsets may have more bits than bitwise operators take. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

/** Walks along runs while their records come by, in order. */
export class OffsetWalk {
  /** The first offset that was passed over. */
  missing: number | undefined;
  readonly #offsets: Iterator<number>;
  #next: number | undefined;

  constructor(runs: OffsetRuns) {
    this.#offsets = runs[Symbol.iterator]();
    this.#advance();
  }

  has(offset: number): boolean {
    while (this.#next !== undefined && this.#next < offset) {
      this.missing ??= this.#next;
      this.#advance();
    }
    if (this.#next !== offset) return false;
    this.#advance();
    return true;
  }

  #advance(): void {
    const { done, value } = this.#offsets.next();
    this.#next = done ? undefined : value;
  }
}
