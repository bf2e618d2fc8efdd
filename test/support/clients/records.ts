import { createHash } from 'node:crypto';
import type { ProducerRecord } from '../../../src/record.ts';

export type Plain = Pick<ProducerRecord, 'key' | 'value' | 'headers'>;

/** Around what codecs cut their blocks at, and beyond: 64 KiB, 256 KiB, 1 MiB, 3 MB. */
const SIZES = [1, 2, 3, 4, 1_000, 65_535, 65_536, 65_537, 262_145, 1_048_577, 3_000_000];
const SMALL = 200;

/**
 * Records of 1 byte to 3 MB, of which some can be compressed and some can't, tombstones and records without a
 * key among them. kafka-python refuses a record that has neither key nor value.
 */
export const records: Plain[] = [
  ...Array.from({ length: SMALL }, (_, n): Plain => {
    const value =
      n % 10 === 9 ? null : Buffer.from(Array.from({ length: 500 }, (_byte, i) => (i * n) & 0xff));
    return {
      key: n % 7 === 6 && value ? null : Buffer.from([n & 0xff, 0, 255]),
      value,
      headers: headersOf(n),
    };
  }),
  ...SIZES.flatMap((size, n): Plain[] => [
    { key: null, value: noise(size), headers: headersOf(n) },
    { key: noise(5), value: text(size), headers: [] },
  ]),
];

function headersOf(n: number): Plain['headers'] {
  return [
    { key: 'h', value: Buffer.from([255, n & 0xff]) },
    { key: 'h', value: Buffer.from('again') },
  ];
}

function text(size: number): Buffer {
  const line = 'The quick brown fox jumps over the lazy dog; 速い茶色の狐。\n';
  return Buffer.alloc(size, line);
}

/** The same bytes in every run, and none that can be compressed. */
function noise(size: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(size / 64) }, (_, n) =>
    createHash('sha512').update(`${size}/${n}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, size);
}

/** What tells two records apart, in a form in which a difference can be looked at. */
export function fingerprint({ key, value, headers }: Plain): string {
  const hash = createHash('sha256');
  for (const part of [key, value, ...headers.flatMap((header) => [Buffer.from(header.key), header.value])]) {
    hash.update(part === null ? 'null' : `${part.length}:`).update(part ?? '');
  }
  return `${key?.length ?? 'null'} ${value?.length ?? 'null'} ${hash.digest('hex')}`;
}

export function toLine({ key, value, headers }: Plain): string {
  const encoded = headers.map((header) => [header.key, header.value?.toString('base64') ?? null]);
  return `${JSON.stringify({
    ...{ key: key?.toString('base64') ?? null, value: value?.toString('base64') ?? null },
    headers: encoded,
  })}\n`;
}

export function fromLine(line: string): Plain {
  const { key, value, headers } = JSON.parse(line);
  const bytes = (base64: string | null) => (base64 === null ? null : Buffer.from(base64, 'base64'));
  return {
    key: bytes(key),
    value: bytes(value),
    headers: headers.map(([name, data]: [string, string | null]) => ({ key: name, value: bytes(data) })),
  };
}
