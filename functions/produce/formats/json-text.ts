import { Failure } from '../../../src/errors.ts';
import { invalid } from '../invalid.ts';

/**
 * Reads JSON (RFC 8259) in one pass over the caller's bytes. The reader decides for each part whether it is built or
 * passed over. A part that is passed over keeps its own bytes, because JSON.parse would change big numbers, `1.10`
 * and the order of members. A limit on built parts bounds the memory for a small body.
 */
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const LOWER_U = 0x75;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const EXPONENT = 0x65;
/** The bit that tells upper from lower case. */
const LOWER_CASE = 0x20;
const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;
/** `"\/bfnrt`: the characters that may follow a backslash, except `u`. */
const ESCAPED = new Set(Buffer.from('"\\/bfnrt'));
const LITERALS = new Map(
  [true, false, null].map((value) => [String(value).charCodeAt(0), { text: String(value), value }]),
);
const BOM = Buffer.from('\ufeff');

/** The most members and elements that one document may build. 10,000 records with ten headers each stay below it. */
const MAX_PARTS = 500_000;
const TOO_MANY_PARTS = `must hold at most ${MAX_PARTS} members and elements beside those of keys and values`;
const FIRST_NESTING = 64;

/** Stands for an object or array where a scalar is expected. No schema takes it. */
const NOT_SCALAR = Symbol('an object or array');

/** Reads a whole document. Throws MALFORMED_REQUEST, with the place, where it is not JSON. */
export function readJson<T>(document: Buffer, read: (json: JsonReader) => T): T {
  const json = new JsonReader(document);
  const result = read(json);
  json.end();
  return result;
}

/** A reader that stands before a value; each call reads the whole value. Of a repeated member the last one counts. */
export class JsonReader {
  #position: number;
  #partsLeft = MAX_PARTS;
  readonly #bytes: Buffer;
  /** For each container that is open around the position, whether it is an object. */
  #isObject = new Uint8Array(FIRST_NESTING);

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#position = bytes.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0;
    this.#space();
  }

  /** An object of what `read` makes of each member's value; any other value as `scalar` has it. */
  object(read: (name: string) => unknown): unknown {
    if (this.#bytes[this.#position] !== OPEN_BRACE) return this.scalar();
    const members: Record<string, unknown> = {};
    this.#parts(CLOSE_BRACE, () => {
      const name = this.#name();
      const value = read(name);
      if (name !== '__proto__') members[name] = value;
      // Defined like any other name, as JSON.parse does. An assignment would set the object's prototype.
      else Object.defineProperty(members, name, { value, enumerable: true, configurable: true });
    });
    return members;
  }

  /** An array of what `read` makes of each element; any other value as `scalar` has it. */
  array(read: (index: number) => unknown): unknown {
    if (this.#bytes[this.#position] !== OPEN_BRACKET) return this.scalar();
    const elements: unknown[] = [];
    this.#parts(CLOSE_BRACKET, () => elements.push(read(elements.length)));
    return elements;
  }

  /** A string, number, boolean or null; an object or array is passed over, and a symbol stands for it. */
  scalar(): unknown {
    const start = this.#position;
    const first = this.#bytes[start];
    this.skip();
    if (first === OPEN_BRACE || first === OPEN_BRACKET) return NOT_SCALAR;
    if (first === QUOTE) return stringAt(this.#bytes, start, this.#position);
    const literal = LITERALS.get(first ?? 0);
    return literal ? literal.value : Number(this.#bytes.toString('latin1', start, this.#position));
  }

  /** The value's text without the white space outside its strings. */
  text(): Buffer {
    const start = this.#position;
    const hasSpace = this.skip();
    const text = this.#bytes.subarray(start, this.#position);
    return hasSpace ? withoutSpace(text) : text;
  }

  /** The result of `read`, and the value as it was sent. */
  withSource<T>(read: () => T): [T, Buffer] {
    const start = this.#position;
    const result = read();
    return [result, this.#bytes.subarray(start, this.#position)];
  }

  /**
   * The value as it was sent that stands at a place within this one, by names of members and indexes of elements;
   * undefined where there is none.
   */
  at([name, ...rest]: readonly string[]): Buffer | undefined {
    const start = this.#position;
    const isObject = this.#bytes[start] === OPEN_BRACE;
    if (name === undefined || !(isObject || this.#bytes[start] === OPEN_BRACKET)) {
      this.skip();
      return name === undefined ? this.#bytes.subarray(start, this.#position) : undefined;
    }
    let found: Buffer | undefined;
    let index = 0;
    this.#parts(isObject ? CLOSE_BRACE : CLOSE_BRACKET, () => {
      if ((isObject ? this.#name() : String(index++)) === name) found = this.at(rest);
      else this.skip();
    });
    return found;
  }

  /** Passes over a value, however deep; true where there is white space in it, outside its strings. */
  skip(): boolean {
    const bytes = this.#bytes;
    let depth = 0;
    let hasSpace = false;
    for (;;) {
      const byte = bytes[this.#position];
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        const isObject = byte === OPEN_BRACE;
        this.#position++;
        if (this.#space()) hasSpace = true;
        if (bytes[this.#position] !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
          this.#nest(depth++, isObject);
          if (isObject && this.#skipName()) hasSpace = true;
          continue;
        }
        this.#position++;
      } else this.#skipScalar();
      // A value has ended, and perhaps with it the containers around it.
      for (;;) {
        if (depth === 0) return hasSpace;
        if (this.#space()) hasSpace = true;
        const isObject = this.#isObject[depth - 1] === 1;
        const next = bytes[this.#position];
        if (next === COMMA) {
          this.#position++;
          if (this.#space()) hasSpace = true;
          if (isObject && this.#skipName()) hasSpace = true;
          break;
        }
        if (next !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) throw this.#unexpected();
        this.#position++;
        depth--;
      }
    }
  }

  /** Throws where anything but white space is left. */
  end(): void {
    this.#space();
    if (this.#position < this.#bytes.length) throw this.#unexpected();
  }

  /** The members or elements of the container that begins here. */
  #parts(close: number, read: () => void): void {
    this.#position++;
    this.#space();
    if (this.#bytes[this.#position] === close) {
      this.#position++;
      return;
    }
    for (;;) {
      if (this.#partsLeft-- === 0) throw invalid([{ path: 'body', message: TOO_MANY_PARTS }]);
      read();
      this.#space();
      const next = this.#bytes[this.#position];
      if (next !== COMMA && next !== close) throw this.#unexpected();
      this.#position++;
      if (next === close) return;
      this.#space();
    }
  }

  #name(): string {
    const start = this.#position;
    this.#skipString();
    const name = stringAt(this.#bytes, start, this.#position);
    this.#skipColon();
    return name;
  }

  #skipName(): boolean {
    this.#skipString();
    return this.#skipColon();
  }

  #skipColon(): boolean {
    const hasSpace = this.#space();
    this.#skip(COLON);
    return this.#space() || hasSpace;
  }

  #skipScalar(): void {
    const first = this.#bytes[this.#position] ?? 0;
    if (first === QUOTE) this.#skipString();
    else if (first === MINUS || isDigit(first)) this.#skipNumber();
    else this.#skipLiteral(first);
  }

  #skipString(): void {
    const bytes = this.#bytes;
    this.#skip(QUOTE);
    for (;;) {
      // Most of a body's bytes come by here: a local variable is far quicker than a field.
      let at = this.#position;
      let byte = bytes[at] ?? 0;
      while (byte >= FIRST_PRINTABLE && byte !== QUOTE && byte !== BACKSLASH) byte = bytes[++at] ?? 0;
      this.#position = at;
      if (byte < FIRST_PRINTABLE) throw this.#unexpected();
      this.#position++;
      if (byte === QUOTE) return;
      this.#skipEscape();
    }
  }

  #skipEscape(): void {
    const byte = this.#bytes[this.#position] ?? 0;
    if (byte !== LOWER_U && !ESCAPED.has(byte)) throw this.#unexpected();
    this.#position++;
    if (byte !== LOWER_U) return;
    for (let digits = 0; digits < 4; digits++) {
      if (!isHexDigit(this.#bytes[this.#position] ?? 0)) throw this.#unexpected();
      this.#position++;
    }
  }

  #skipNumber(): void {
    if (this.#bytes[this.#position] === MINUS) this.#position++;
    if (this.#bytes[this.#position] === ZERO) this.#position++;
    else this.#skipDigits();
    if (this.#bytes[this.#position] === DOT) {
      this.#position++;
      this.#skipDigits();
    }
    if (((this.#bytes[this.#position] ?? 0) | LOWER_CASE) !== EXPONENT) return;
    this.#position++;
    const sign = this.#bytes[this.#position];
    if (sign === PLUS || sign === MINUS) this.#position++;
    this.#skipDigits();
  }

  #skipDigits(): void {
    if (!isDigit(this.#bytes[this.#position] ?? 0)) throw this.#unexpected();
    while (isDigit(this.#bytes[this.#position] ?? 0)) this.#position++;
  }

  #skipLiteral(first: number): void {
    const text = LITERALS.get(first)?.text;
    if (text === undefined) throw this.#unexpected();
    for (let i = 0; i < text.length; i++) this.#skip(text.charCodeAt(i));
  }

  #skip(byte: number): void {
    if (this.#bytes[this.#position] !== byte) throw this.#unexpected();
    this.#position++;
  }

  #space(): boolean {
    const start = this.#position;
    while (isSpace(this.#bytes[this.#position])) this.#position++;
    return this.#position > start;
  }

  #nest(depth: number, isObject: boolean): void {
    if (depth === this.#isObject.length) {
      const wider = new Uint8Array(depth * 2);
      wider.set(this.#isObject);
      this.#isObject = wider;
    }
    this.#isObject[depth] = isObject ? 1 : 0;
  }

  #unexpected(): Failure {
    const byte = this.#bytes[this.#position];
    const what =
      byte === undefined
        ? 'it ends too early'
        : `${shown(byte)} at byte ${this.#position} is not what may stand there`;
    return new Failure('MALFORMED_REQUEST', `the body is not JSON: ${what}`);
  }
}

function shown(byte: number): string {
  const isPrintable = byte >= FIRST_PRINTABLE && byte <= LAST_PRINTABLE;
  return isPrintable ? `'${String.fromCharCode(byte)}'` : `0x${byte.toString(16).padStart(2, '0')}`;
}

/** The content of the JSON string between these positions. Hardly any has escapes. */
function stringAt(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start + 1, end - 1);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

/** The position after the string that begins at `start`, in text that is known to be JSON. */
function endOfString(bytes: Buffer, start: number): number {
  let end = start;
  let backslashes: number;
  do {
    end = bytes.indexOf(QUOTE, end + 1);
    backslashes = 0;
    while (bytes[end - 1 - backslashes] === BACKSLASH) backslashes++;
  } while (backslashes % 2 === 1);
  return end + 1;
}

function withoutSpace(text: Buffer): Buffer {
  const compact = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let i = 0; i < text.length; ) {
    const byte = text[i] ?? 0;
    if (byte === QUOTE) {
      const end = endOfString(text, i);
      length += text.copy(compact, length, i, end);
      i = end;
    } else {
      if (!isSpace(byte)) compact[length++] = byte;
      i++;
    }
  }
  return compact.subarray(0, length);
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function isHexDigit(byte: number): boolean {
  const letter = byte | LOWER_CASE;
  return isDigit(byte) || (letter >= 0x61 && letter <= 0x66);
}
