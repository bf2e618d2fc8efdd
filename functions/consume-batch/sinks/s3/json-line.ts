import type { OutputField } from '../../../../src/object-storage/config.ts';
import type { ConsumerRecord } from '../../../../src/record.ts';
import { headersMember, jsonKeyMember } from '../../records/json-members.ts';
import { jsonValue } from '../../records/json-value.ts';

/**
 * A record as a line of JSON, without its end. The value is copied unparsed, because a parser would change big numbers
 * and 1.10. Throws PoisonError for a value that is not JSON.
 */
export function jsonLine(record: ConsumerRecord, fields: readonly OutputField[]): string {
  // One line a record, so that lines and records can be counted against each other.
  if (fields.length === 1 && fields[0] === 'value') return oneLine(valueText(record.value) ?? 'null');
  return oneLine(`{${fields.flatMap((field) => member(record, field)).join(',')}}`);
}

/** A key or value that is null is left out, to differ from JSON's `null`. */
function member({ key, value, offset, timestamp, headers }: ConsumerRecord, field: OutputField): string[] {
  switch (field) {
    case 'key':
      return key === null ? [] : [jsonKeyMember(key)];
    case 'value': {
      const text = valueText(value);
      return text === undefined ? [] : [`"value":${text}`];
    }
    case 'headers':
      return [headersMember(headers)];
    case 'offset':
      return [`"offset":${offset}`];
    case 'timestamp':
      return timestamp === undefined ? [] : [`"timestamp":${timestamp}`];
  }
}

/** Undefined for a tombstone. */
function valueText(value: Buffer | null): string | undefined {
  return value === null ? undefined : jsonValue(value).text;
}

/** JSON has the ends of lines only between its tokens, where a space means the same. */
function oneLine(json: string): string {
  return /[\r\n]/.test(json) ? json.replace(/[\r\n]+/g, ' ') : json;
}
