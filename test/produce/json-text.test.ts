import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JsonReader, readJson } from '../../functions/produce/formats/json-text.ts';
import { Failure } from '../../src/errors.ts';
import { newSeed, type Random, randomFrom } from '../support/random.ts';

const DOCUMENTS = 3_000;

/** A piece of JSON as somebody wrote it, and the same less the white space outside its strings. */
interface Written {
  source: string;
  text: string;
}

const numbers = [
  '0',
  '-0',
  '42',
  '1.10',
  '1e3',
  '1E+400',
  '-1.5e-10',
  '12345678901234567890123',
  '0.1000000000000000055511151231257827',
] as const;

const strings = [
  '""',
  '" "',
  '"a b\\tc"',
  '"\\""',
  '"\\\\"',
  '"\\\\\\""',
  '"\\\\\\\\"',
  '"{[,:]}"',
  '" , \\" : "',
  '"\\u0022\\u005c"',
  '"\\ud83d\\ude00 😀"',
  '"\\ud800"',
  '"é\u2028\u00a0\ufeff"',
  '"null"',
] as const;

type Texts = Partial<Record<'key' | 'value', Buffer>>;

/** The texts of each record's key and value. */
function recordTexts(document: Buffer): Texts[] {
  const record = (json: JsonReader) =>
    json.object((name) => (name === 'key' || name === 'value' ? json.text() : json.scalar()));
  const body = readJson(document, (json) =>
    json.object((name) => (name === 'records' ? json.array(() => record(json)) : json.scalar())),
  );
  return (body as { records: Texts[] }).records;
}

function space(random: Random): string {
  if (random.chance(0.6)) return '';
  return Array.from({ length: 1 + random.below(3) }, () => random.pick([' ', '\n', '\r', '\t'])).join('');
}

function scalar(random: Random): Written {
  const source = random.pick([
    random.pick(numbers),
    random.pick(strings),
    random.pick(['true', 'false', 'null']),
  ]);
  return { source, text: source };
}

function value(random: Random, depth: number): Written {
  if (depth === 0 || random.chance(0.4)) return scalar(random);
  const count = random.below(4);
  if (random.chance(0.5)) {
    return join(
      random,
      '[]',
      Array.from({ length: count }, () => value(random, depth - 1)),
    );
  }
  const names = ['"a"', '"b"', '"10"', '"2"', '"__proto__"', '"key"', '"\\u0061"', '"va lue"', '""'] as const;
  const members = Array.from({ length: count }, () =>
    member(random, random.pick(names), value(random, depth - 1)),
  );
  return join(random, '{}', members);
}

function member(random: Random, name: string, { source, text }: Written): Written {
  return { source: `${name}${space(random)}:${space(random)}${source}`, text: `${name}:${text}` };
}

function join(random: Random, brackets: string, parts: Written[]): Written {
  const [open, close] = brackets;
  const sources = parts.map(({ source }) => `${space(random)}${source}${space(random)}`);
  const inside = sources.length === 0 ? space(random) : sources.join(',');
  return {
    source: `${open}${inside}${close}`,
    text: `${open}${parts.map(({ text }) => text).join(',')}${close}`,
  };
}

interface RecordTexts {
  key: string | undefined;
  value: string | undefined;
}

/** A record whose key and value may be absent, stand twice, or have their names escaped. */
function record(random: Random): { written: Written; texts: RecordTexts } {
  const texts: RecordTexts = { key: undefined, value: undefined };
  const spellings = {
    key: ['"key"', '"\\u006bey"', '"k\\u0065y"'],
    value: ['"value"', '"\\u0076alue"'],
  } as const;
  const members = Array.from({ length: random.below(5) }, () => {
    const name = random.pick(['key', 'value', 'headers', 'partition']);
    const written = value(random, random.below(5));
    if (name !== 'key' && name !== 'value') return member(random, `"${name}"`, written);
    texts[name] = written.text;
    return member(random, random.pick(spellings[name]), written);
  });
  return { written: join(random, '{}', members), texts };
}

function checkDocument(random: Random): void {
  const records = Array.from({ length: random.below(5) }, () => record(random));
  const list = join(
    random,
    '[]',
    records.map(({ written }) => written),
  );
  const members = [member(random, random.pick(['"records"', '"r\\u0065cords"']), list)];
  // The last one counts, as for JSON.parse.
  if (random.chance(0.3)) members.unshift(member(random, '"records"', value(random, 3)));
  if (random.chance(0.3)) members.unshift(member(random, '"topic"', scalar(random)));
  if (random.chance(0.3)) members.push(member(random, '"key"', value(random, 3)));
  const { source } = join(random, '{}', members);
  const document = `${space(random)}${source}${space(random)}`;
  const bytes = Buffer.from(`${random.chance(0.1) ? '\ufeff' : ''}${document}`);

  const found = recordTexts(bytes);
  const told = `seed ${random.seed}: ${document}`;
  assert.deepEqual(
    found.map(({ key, value }) => ({ key: key?.toString(), value: value?.toString() })),
    records.map(({ texts }) => texts),
    told,
  );
  const parsed = JSON.parse(document) as { records: Record<string, unknown>[] };
  parsed.records.forEach((expected, index) => {
    for (const name of ['key', 'value'] as const) {
      const text = found[index]?.[name];
      assert.equal(text !== undefined, Object.hasOwn(expected, name), told);
      if (text) assert.deepEqual(JSON.parse(text.toString()), expected[name], told);
    }
  });
}

test(`the text of every key and value is the sender's, less the white space outside strings`, () => {
  const seed = newSeed();
  for (let n = 0; n < DOCUMENTS; n++) checkDocument(randomFrom(seed + n));
});

/** The whole document, as JSON.parse builds it. */
function built(document: Buffer): unknown {
  const value = (json: JsonReader): unknown => {
    const [found, source] = json.withSource(() => json.object(() => value(json)));
    return typeof found === 'symbol' ? readJson(source, (inner) => inner.array(() => value(inner))) : found;
  };
  return readJson(document, value);
}

/** What `read` gives, or that it is no JSON. */
function outcome(read: () => unknown): unknown {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof Failure) assert.equal(error.code, 'MALFORMED_REQUEST');
    else assert.ok(error instanceof SyntaxError, String(error));
    return 'malformed';
  }
}

function spoilt(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const pieces: [string, ...string[]] = [
    '',
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '0',
    '-',
    '.',
    'e',
    'u12',
    'tru',
    '\n',
    '\x01',
    ' ',
  ];
  return text.slice(0, at) + random.pick(pieces) + text.slice(at + random.below(3));
}

test('whatever JSON.parse refuses is refused, and what it takes is read as it reads it', () => {
  const seed = newSeed();
  let malformed = 0;
  for (let n = 0; n < DOCUMENTS; n++) {
    const random = randomFrom(seed + n);
    const { source } = value(random, 4);
    for (const document of [source, spoilt(random, source), spoilt(random, spoilt(random, source))]) {
      const bytes = Buffer.from(document);
      const expected = outcome(() => JSON.parse(bytes.toString()));
      if (expected === 'malformed') malformed++;
      assert.deepEqual(
        outcome(() => built(bytes)),
        expected,
        `seed ${random.seed}: ${document}`,
      );
    }
  }
  assert.ok(malformed > DOCUMENTS / 2, `only ${malformed} were malformed`);
});

for (const [document, problem] of [
  ['', 'it ends too early'],
  ['{"records":[', 'it ends too early'],
  ["{'records':[]}", `''' at byte 1 is not what may stand there`],
  ['{"a":1}\x00', '0x00 at byte 7 is not what may stand there'],
  ['{"a":NaN}', `'N' at byte 5 is not what may stand there`],
  ['[1,]', `']' at byte 3 is not what may stand there`],
] as const) {
  test(`malformed: ${document || 'nothing'}`, () => {
    assert.throws(() => readJson(Buffer.from(document), (json) => json.scalar()), {
      code: 'MALFORMED_REQUEST',
      message: `the body is not JSON: ${problem}`,
    });
  });
}

test('no more is built than a bound, however little the bytes are', () => {
  const names = Array.from({ length: 500_001 }, (_, n) => `"${n}":0`);
  for (const [document, read] of [
    [`[${names.map(() => '0')}]`, (json: JsonReader) => json.array(() => json.scalar())],
    [`{${names}}`, (json: JsonReader) => json.object(() => json.scalar())],
  ] as const) {
    assert.throws(() => readJson(Buffer.from(document), read), {
      code: 'INVALID_RECORD',
      message: 'body must hold at most 500000 members and elements beside those of keys and values',
    });
    assert.equal(typeof readJson(Buffer.from(document), (json) => json.scalar()), 'symbol');
  }
});

test('nesting deeper than a call stack', () => {
  const deep = `${'[ '.repeat(200_000)}${'] '.repeat(200_000)}`;
  const [found] = recordTexts(Buffer.from(`{"x":${deep},"records":[{"key":${deep},"value":1}]}`));
  assert.equal(found?.key?.toString(), '['.repeat(200_000) + ']'.repeat(200_000));
  assert.equal(found?.value?.toString(), '1');
});

test('texts without white space are not copied', () => {
  const document = Buffer.from('{"records":[{"value":{"a":[1,2]}}]}');
  const [found] = recordTexts(document);
  assert.equal(found?.value?.buffer, document.buffer);
});
