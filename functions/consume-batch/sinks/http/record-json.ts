import { isUtf8 } from 'node:buffer';
import type { ConsumerRecord } from '../../../../src/record.ts';
import { base64, headersMember, isJson, jsonKeyMember } from '../../records/json-members.ts';
import { PoisonError } from '../../records/record-failure.ts';
import { recordTrace } from '../../records/record-trace.ts';
import type { SinkFormat } from './http.ts';

/**
 * A record as JSON text, from which a receiver can restore its exact bytes. With the format `json`, key and value are
 * copied unparsed, because a parser would change big numbers and 1.10. A null is left out, to differ from JSON's
 * `null`, and a key that is not JSON becomes `keyText` or `keyBase64`. `traceparents` has the record's valid
 * `traceparent`, since a request with several records can't have one. Throws PoisonError for a value that the format
 * can't carry.
 */
export function recordJson(record: ConsumerRecord, format: SinkFormat): string {
  const { topic, partition, offset, timestamp, key, value, headers } = record;
  const coordinates = JSON.stringify({ topic, partition, offset, timestamp }).slice(1, -1);
  const members = [
    coordinates,
    ...keyMember(key, format),
    ...valueMember(value, format),
    headersMember(headers),
    ...traceMember(record),
  ];
  return `{${members.join(',')}}`;
}

/** A record must not fail for its key, so a key that the format can't carry gets another name. */
function keyMember(key: Buffer | null, format: SinkFormat): string[] {
  if (key === null) return nullMember('key', format);
  if (format === 'base64') return [`"key":"${base64(key)}"`];
  if (format === 'text' && isUtf8(key)) return [`"key":${JSON.stringify(key.toString())}`];
  return [jsonKeyMember(key)];
}

function valueMember(value: Buffer | null, format: SinkFormat): string[] {
  if (value === null) return nullMember('value', format);
  if (format === 'base64') return [`"value":"${base64(value)}"`];
  if (!isUtf8(value)) {
    throw new PoisonError('the value is not UTF-8 (CONSUME_SINK_FORMAT=base64 takes any bytes)');
  }
  const text = value.toString();
  if (format === 'text') return [`"value":${JSON.stringify(text)}`];
  if (!isJson(text)) throw new PoisonError('the value is not JSON (CONSUME_SINK_FORMAT=json)');
  return [`"value":${text}`];
}

function traceMember(record: ConsumerRecord): string[] {
  const trace = recordTrace(record);
  return trace ? [`"traceparents":${JSON.stringify([trace.traceparent])}`] : [];
}

function nullMember(name: string, format: SinkFormat): string[] {
  return format === 'json' ? [] : [`"${name}":null`];
}
