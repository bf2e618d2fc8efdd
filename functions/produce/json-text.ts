/**
 * The bytes of a JSON document's parts, as the sender wrote them. JSON.parse has accepted the document
 * before, so nothing is checked here; what it would change (big numbers, `1.10`, the order of members) is kept.
 */
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const BOM_LENGTH = 3;

/** The text of a record's key and value, less the white space outside strings; undefined where absent. */
export interface RecordText {
  key: Buffer | undefined;
  value: Buffer | undefined;
}

/** One element for each of `records`. Where a member stands twice the last one counts, as for JSON.parse. */
export function recordTexts(document: Buffer): RecordText[] {
  const scanner = new Scanner(document);
  let texts: RecordText[] = [];
  scanner.members((name) => {
    if (name !== 'records') {
      scanner.skip();
      return;
    }
    texts = [];
    scanner.elements(() => {
      const text: RecordText = { key: undefined, value: undefined };
      scanner.members((member) => {
        if (member === 'key' || member === 'value') text[member] = scanner.text();
        else scanner.skip();
      });
      texts.push(text);
    });
  });
  return unpinned(texts, document);
}

/** A slice keeps its whole document in memory for as long as a record waits: too much where little of it is wanted. */
function unpinned(texts: RecordText[], document: Buffer): RecordText[] {
  const wanted = texts.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0);
  if (wanted * 2 > document.length) return texts;
  return texts.map(({ key, value }) => ({
    key: key && Buffer.from(key),
    value: value && Buffer.from(value),
  }));
}

/** The elements of an array, each as it was sent. */
export function elementTexts(document: Buffer): Buffer[] {
  const scanner = new Scanner(document);
  const texts: Buffer[] = [];
  scanner.elements(() => texts.push(scanner.source()));
  return texts;
}

class Scanner {
  #position: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#position = bytes[0] === 0xef ? BOM_LENGTH : 0;
    this.#skipSpace();
  }

  /** Calls `visit` at the value of each member of an object; passes over any other value. */
  members(visit: (name: string) => void): void {
    this.#each(OPEN_BRACE, CLOSE_BRACE, () => {
      const start = this.#position;
      this.#skipString();
      const name = stringAt(this.#bytes, start, this.#position);
      this.#skipSpace();
      this.#position++; // the colon
      this.#skipSpace();
      visit(name);
    });
  }

  /** Calls `visit` at each element of an array; passes over any other value. */
  elements(visit: () => void): void {
    this.#each(OPEN_BRACKET, CLOSE_BRACKET, visit);
  }

  /** The value's text without the white space outside its strings. */
  text(): Buffer {
    const start = this.#position;
    const hasSpace = this.skip();
    const text = this.#bytes.subarray(start, this.#position);
    return hasSpace ? withoutSpace(text) : text;
  }

  source(): Buffer {
    const start = this.#position;
    this.skip();
    return this.#bytes.subarray(start, this.#position);
  }

  /** Passes over a value, however deep; true where there is white space in it, outside its strings. */
  skip(): boolean {
    let depth = 0;
    let hasSpace = false;
    do {
      const byte = this.#bytes[this.#position];
      if (byte === QUOTE) {
        this.#skipString();
        continue;
      }
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
      else if (depth === 0) {
        this.#skipScalar();
        return false;
      } else if (isSpace(byte)) hasSpace = true;
      this.#position++;
    } while (depth > 0);
    return hasSpace;
  }

  #each(open: number, close: number, visit: () => void): void {
    if (this.#bytes[this.#position] !== open) {
      this.skip();
      return;
    }
    this.#position++;
    this.#skipSpace();
    while (this.#bytes[this.#position] !== close) {
      visit();
      this.#skipSpace();
      if (this.#bytes[this.#position] === COMMA) this.#position++;
      this.#skipSpace();
    }
    this.#position++;
  }

  #skipString(): void {
    this.#position = endOfString(this.#bytes, this.#position);
  }

  #skipScalar(): void {
    while (isScalar(this.#bytes[this.#position])) this.#position++;
  }

  #skipSpace(): void {
    while (isSpace(this.#bytes[this.#position])) this.#position++;
  }
}

/** What the JSON string between these positions says; hardly any has escapes. */
function stringAt(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start + 1, end - 1);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

/** The position after the string that begins at `start`. */
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

function isScalar(byte: number | undefined): boolean {
  return (
    byte !== undefined && byte !== COMMA && byte !== CLOSE_BRACE && byte !== CLOSE_BRACKET && !isSpace(byte)
  );
}
