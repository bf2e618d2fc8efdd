/**
 * CRC-32C of large inputs as sixteen streams side by side, in WebAssembly's SIMD instructions, which every Node.js
 * since 16 has. With it a long pull takes about an eighth less CPU. It is assembled here, because nearly all of it
 * repeats one instruction for sixteen registers.
 *
 * A block of 4 KiB is read as sixteen streams of 256 bytes. Sixteen bytes of each stream are transposed into sixteen
 * vectors that hold one byte of every stream. A step of the checksum, `crc = T[(crc ^ byte) & 255] ^ (crc >>> 8)`,
 * then advances all streams; each of the four bytes of their checksums has its own vector. T is linear: T[x] = T[x &
 * 15] ^ T[x & 240], and a `swizzle` looks up sixteen entries. At the end the checksums are joined: `crc(ab)` is
 * `crc(a)`, carried over as many zeros as `b` has bytes, xor `crc(b)` begun with zero.
 */

const STREAMS = 16;
const STREAM_BYTES = 256;
export const BLOCK_BYTES = STREAMS * STREAM_BYTES;

const PAGE_BYTES = 64 * 1024;
/** The input stands behind the table, and is no larger than the processor's first cache. */
const INPUT_AT = PAGE_BYTES;
const INPUT_BYTES = 32 * 1024;

/** Continues the checksum `crc` (not inverted) over the whole blocks from `start` to `end`. */
export type Blocks = (crc: number, bytes: Uint8Array, start: number, end: number) => number;

/** Continues a checksum over one byte. */
type Step = (crc: number, byte: number) => number;

/** The used part of an interface that TypeScript declares for browsers only. */
interface Engine {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
}

interface Assembled {
  memory: { buffer: ArrayBuffer };
  run(crc: number, at: number, end: number): number;
}

/** Takes milliseconds. Undefined where the engine lacks WebAssembly or its SIMD. */
export function loadBlocks(step: Step): Blocks | undefined {
  const assembled = instantiate(assemble(step));
  if (!assembled) return undefined;
  const { memory, run } = assembled;
  new Int32Array(memory.buffer).set(carryTable(step));
  const input = new Uint8Array(memory.buffer, INPUT_AT, INPUT_BYTES);
  return (initial, bytes, start, end) => {
    let crc = initial;
    for (let at = start; at < end; at += INPUT_BYTES) {
      const piece = bytes.subarray(at, Math.min(end, at + INPUT_BYTES));
      input.set(piece);
      crc = run(crc, INPUT_AT, INPUT_AT + piece.length);
    }
    return crc;
  };
}

function instantiate(binary: Uint8Array): Assembled | undefined {
  const { WebAssembly: engine } = globalThis as { WebAssembly?: Engine };
  if (!engine) return undefined;
  try {
    return new engine.Instance(new engine.Module(binary)).exports as Assembled;
  } catch {
    return undefined;
  }
}

/** The value of each byte of a checksum, at each of its four places, after one stream of zeros. */
function carryTable(step: Step): Int32Array {
  const table = new Int32Array(4 * 256);
  for (const place of [0, 1, 2, 3]) {
    for (let byte = 1; byte < 256; byte++) {
      const lowestBit = byte & -byte;
      let crc = lowestBit << (8 * place);
      if (byte === lowestBit) for (let zero = 0; zero < STREAM_BYTES; zero++) crc = step(crc, 0);
      else crc = (table[256 * place + lowestBit] ?? 0) ^ (table[256 * place + byte - lowestBit] ?? 0);
      table[256 * place + byte] = crc;
    }
  }
  return table;
}

// Instructions as bytes (webassembly.github.io/spec/core/binary): operands come before their operator.
type Code = number | readonly Code[];
const simd = (operator: number, immediates: Code = []): Code => [0xfd, leb(operator), immediates];
const constant = (value: number): Code => [0x41, signedLeb(value)];
const get = (local: number): Code => [0x20, local];
const set = (local: number, value: Code): Code => [value, 0x21, local];
const tee = (local: number, value: Code): Code => [value, 0x22, local];
const add = (a: Code, b: Code): Code => [a, b, 0x6a];
const and = (a: Code, b: Code): Code => [a, b, 0x71];
const xor = (...values: Code[]): Code => values.reduce((a, b) => [a, b, 0x73]);
const shiftLeft = (a: Code, bits: number): Code => [a, constant(bits), 0x74];
const shiftRight = (a: Code, bits: number): Code => [a, constant(bits), 0x76];
const isBelow = (a: Code, b: Code): Code => [a, b, 0x49];
const load = (at: Code, offset: number): Code => [at, 0x28, 2, leb(offset)];
const loopWhile = (body: Code, condition: Code): Code => [0x03, 0x40, body, condition, 0x0d, 0, 0x0b];
const vectorLoad = (at: Code, offset: number): Code => [at, simd(0, [0, leb(offset)])];
const vector = (bytes: readonly number[]): Code => simd(12, bytes);
const shuffle = (a: Code, b: Code, lanes: readonly number[]): Code => [a, b, simd(13, lanes)];
const swizzle = (table: Code, indices: Code): Code => [table, indices, simd(14)];
const withFirstByte = (a: Code, byte: Code): Code => [a, byte, simd(23, 0)];
const lane = (a: Code, index: number): Code => [a, simd(27, index)];
const vectorAnd = (a: Code, b: Code): Code => [a, b, simd(78)];
const vectorXor = (a: Code, b: Code): Code => [a, b, simd(81)];
/** For each pair of bytes. */
const vectorShiftRight = (a: Code, bits: number): Code => [a, constant(bits), simd(141)];

// The function's locals: its parameters, its counters and the vectors.
const I32 = 0x7f;
const V128 = 0x7b;
const CRC = 0;
const AT = 1;
const END = 2;
const COLUMN = 3;
const JOINED = 4;
const FIRST_VECTOR = 5;
const range = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);
const ROWS = range(FIRST_VECTOR, STREAMS);
const OTHERS = range(FIRST_VECTOR + STREAMS, STREAMS);
/** The four bytes of the checksums, the lowest first. */
const PLANES = range(FIRST_VECTOR + 2 * STREAMS, 4);
/** T for the lower and for the upper four bits of an index, four bytes each. */
const LOW_TABLES = range(FIRST_VECTOR + 2 * STREAMS + 4, 4);
const HIGH_TABLES = range(FIRST_VECTOR + 2 * STREAMS + 8, 4);
const [NIBBLES, LOW, HIGH, INDICES] = range(FIRST_VECTOR + 2 * STREAMS + 12, 4) as [
  number,
  number,
  number,
  number,
];
const VECTORS = 2 * STREAMS + 16;

const ZERO = vector(Array(16).fill(0));
/** Lanes that interleave two vectors in units of `size` bytes: their first halves, or their second ones. */
const interleaved = (size: number, from: 0 | 8) =>
  range(0, 16).map((at) => {
    const unit = Math.floor(at / size);
    return from + Math.floor(unit / 2) * size + (at % size) + (unit % 2) * 16;
  });

function assemble(step: Step): Uint8Array<ArrayBuffer> {
  const body: Code = [
    [2, 2, I32, VECTORS, V128],
    set(NIBBLES, vector(Array(16).fill(0x0f))),
    PLANES.map((_, byte) => [
      set(
        at(LOW_TABLES, byte),
        tableOf(byte, (nibble) => step(nibble, 0)),
      ),
      set(
        at(HIGH_TABLES, byte),
        tableOf(byte, (nibble) => step(nibble << 4, 0)),
      ),
    ]),
    loopWhile(block(), isBelow(tee(AT, add(get(AT), constant(BLOCK_BYTES))), get(END))),
    get(CRC),
    0x0b,
  ];
  return Uint8Array.from(
    flat([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, [1, 0x60, 3, I32, I32, I32, 1, I32]),
      section(3, [1, 0]),
      section(5, [1, 0, 2]),
      section(7, [2, name('memory'), 2, 0, name('run'), 0, 0]),
      section(10, [1, sized(body)]),
    ]),
  );
}

/** Advances CRC over the block at AT. */
function block(): Code {
  return [
    // The first stream continues the checksum before the block; the others begin with zero.
    PLANES.map((plane, byte) => set(plane, withFirstByte(ZERO, shiftRight(get(CRC), 8 * byte)))),
    set(COLUMN, get(AT)),
    loopWhile(sixteenColumns(), and(tee(COLUMN, add(get(COLUMN), constant(16))), constant(STREAM_BYTES - 1))),
    join(),
  ];
}

/** Advances every stream by sixteen bytes, from COLUMN on. */
function sixteenColumns(): Code {
  const code: Code[] = ROWS.map((row, stream) => set(row, vectorLoad(get(COLUMN), stream * STREAM_BYTES)));
  // Four rounds of interleaving the first eight rows with the last eight transpose sixteen rows of sixteen bytes.
  let [from, to] = [ROWS, OTHERS];
  for (let round = 0; round < 4; round++) {
    for (let pair = 0; pair < 8; pair++) {
      const [a, b] = [get(at(from, pair)), get(at(from, pair + 8))];
      code.push(set(at(to, 2 * pair), shuffle(a, b, interleaved(1, 0))));
      code.push(set(at(to, 2 * pair + 1), shuffle(a, b, interleaved(1, 8))));
    }
    [from, to] = [to, from];
  }
  return [code, from.map((column) => stepOfAll(get(column)))];
}

function stepOfAll(bytes: Code): Code {
  const [plane0, plane1, plane2, plane3] = PLANES as [number, number, number, number];
  const fromTables = (byte: number) =>
    vectorXor(swizzle(get(at(LOW_TABLES, byte)), get(LOW)), swizzle(get(at(HIGH_TABLES, byte)), get(HIGH)));
  return [
    set(INDICES, vectorXor(get(plane0), bytes)),
    set(LOW, vectorAnd(get(INDICES), get(NIBBLES))),
    set(HIGH, vectorAnd(vectorShiftRight(get(INDICES), 4), get(NIBBLES))),
    set(plane0, vectorXor(get(plane1), fromTables(0))),
    set(plane1, vectorXor(get(plane2), fromTables(1))),
    set(plane2, vectorXor(get(plane3), fromTables(2))),
    set(plane3, fromTables(3)),
  ];
}

/** Joins the sixteen checksums. */
function join(): Code {
  const [plane0, plane1, plane2, plane3] = PLANES.map(get) as [Code, Code, Code, Code];
  const [lowA, lowB, highA, highB] = ROWS as [number, number, number, number];
  const code: Code[] = [
    set(lowA, shuffle(plane0, plane1, interleaved(1, 0))),
    set(lowB, shuffle(plane0, plane1, interleaved(1, 8))),
    set(highA, shuffle(plane2, plane3, interleaved(1, 0))),
    set(highB, shuffle(plane2, plane3, interleaved(1, 8))),
    set(at(OTHERS, 0), shuffle(get(lowA), get(highA), interleaved(2, 0))),
    set(at(OTHERS, 1), shuffle(get(lowA), get(highA), interleaved(2, 8))),
    set(at(OTHERS, 2), shuffle(get(lowB), get(highB), interleaved(2, 0))),
    set(at(OTHERS, 3), shuffle(get(lowB), get(highB), interleaved(2, 8))),
    set(JOINED, lane(get(at(OTHERS, 0)), 0)),
  ];
  for (let stream = 1; stream < STREAMS; stream++) {
    const carried = [0, 1, 2, 3].map((byte) => {
      const index = and(shiftRight(get(JOINED), 8 * byte), constant(0xff));
      return load(shiftLeft(index, 2), byte * 1024);
    });
    const own = lane(get(at(OTHERS, stream >> 2)), stream & 3);
    code.push(set(JOINED, xor(own, ...carried)));
  }
  return [code, set(CRC, get(JOINED))];
}

/** One byte of each of sixteen entries. */
function tableOf(byte: number, entry: (nibble: number) => number): Code {
  return vector(range(0, 16).map((nibble) => (entry(nibble) >>> (8 * byte)) & 0xff));
}

function section(id: number, content: Code): Code {
  return [id, sized(content)];
}

function name(text: string): Code {
  return sized([...Buffer.from(text)]);
}

/** Puts the length in front. */
function sized(content: Code): Code {
  const bytes = flat(content);
  return [leb(bytes.length), bytes];
}

function flat(code: Code, bytes: number[] = []): number[] {
  if (typeof code === 'number') bytes.push(code);
  else for (const part of code) flat(part, bytes);
  return bytes;
}

function leb(value: number): Code {
  return value < 0x80 ? value : [(value & 0x7f) | 0x80, leb(value >>> 7)];
}

function signedLeb(value: number): Code {
  return value >= -0x40 && value < 0x40 ? value & 0x7f : [(value & 0x7f) | 0x80, signedLeb(value >> 7)];
}

function at(locals: readonly number[], index: number): number {
  return locals[index] as number;
}
