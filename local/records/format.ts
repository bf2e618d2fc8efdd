import { isUtf8 } from 'node:buffer';
import type { ConsumerRecord } from '../../src/record.ts';
import { visible } from '../../src/visible.ts';

export const recordFormats = ['json', 'text', 'base64', 'hex'] as const;
export type RecordFormat = (typeof recordFormats)[number];

/** A record in one line, without control characters. */
export function recordLine(record: ConsumerRecord, format: RecordFormat): string {
  return format === 'json' ? visible(jsonLine(record)) : tabbedLine(record, format);
}

/**
 * JSON is copied as the record has it, because a parser would change big numbers and 1.10. A member `…Format` is added
 * if the value alone would not tell the bytes: for other text, for bytes that are not UTF-8 (base64), and for JSON's
 * own null, because a tombstone is null.
 */
function jsonLine({ partition, offset, timestamp, key, value, headers }: ConsumerRecord): string {
  const coordinates = JSON.stringify({ partition, offset, time: isoTime(timestamp) }).slice(1, -1);
  const encoded = headers.map(
    (header) => `{"key":${JSON.stringify(header.key)},${headerMember(header.value)}}`,
  );
  return `{${coordinates},${member('key', key)},${member('value', value)},"headers":[${encoded.join(',')}]}`;
}

function member(name: string, bytes: Buffer | null): string {
  if (bytes === null) return `"${name}":null`;
  if (!isUtf8(bytes)) return `"${name}":"${bytes.toString('base64')}","${name}Format":"base64"`;
  const text = bytes.toString();
  if (!isJson(text)) return `"${name}":${JSON.stringify(text)},"${name}Format":"text"`;
  // In JSON, line ends stand only between tokens, where a blank means the same.
  const nested = text.trim().replace(/[\r\n\t]/g, ' ');
  return `"${name}":${nested}${nested === 'null' ? `,"${name}Format":"json"` : ''}`;
}

/** Header values are text by custom, so `1` is not printed as a number. */
function headerMember(bytes: Buffer | null): string {
  if (bytes === null) return '"value":null';
  if (!isUtf8(bytes)) return `"value":"${bytes.toString('base64')}","valueFormat":"base64"`;
  return `"value":${JSON.stringify(bytes.toString())}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function tabbedLine(
  { partition, offset, timestamp, key, value, headers }: ConsumerRecord,
  format: Exclude<RecordFormat, 'json'>,
): string {
  const encoded = (bytes: Buffer | null) =>
    bytes === null ? 'null' : visible(bytes.toString(format === 'text' ? 'utf8' : format));
  return [
    partition,
    offset,
    isoTime(timestamp),
    encoded(key),
    encoded(value),
    ...headers.map((header) => `${visible(header.key)}=${encoded(header.value)}`),
  ].join('\t');
}

/** Null if the record has no valid time. */
function isoTime(timestamp: number | undefined): string | null {
  const date = new Date(timestamp ?? Number.NaN);
  return Number.isNaN(date.getTime()) || (timestamp ?? -1) < 0 ? null : date.toISOString();
}
