import {
  type FileCompression,
  fileCompressions,
  type OutputField,
  outputFields,
} from '../../../../src/object-storage/config.ts';
import { OffsetRuns } from './offset-runs.ts';

/** An object that is about to be written, as it stands in the metadata of the offset that it begins at. */
export interface Intent {
  /** The offset behind the object. */
  to: number;
  /** The leader epoch of the record before `to`; -1 where it is not known. */
  leaderEpoch: number;
  name: string;
  fields: readonly OutputField[];
  compression: FileCompression;
  /** Names the build that made it. */
  build: string;
  /** Of the object, in hex. */
  sha256: string;
  /** The offsets of the records in the object. All others of the range are left out. */
  records: OffsetRuns;
  /** The offsets of the records that are dead-lettered when `to` is committed. */
  dead: OffsetRuns;
}

/** Raise it where an older build could not finish the object. */
const VERSION = 1;
/** Kafka's default for an offset's metadata is 4,096 bytes; the notes beside the intent take up to 100. */
const MAX_METADATA_BYTES = 4_000;
const NOTES_BYTES = 120;

export function intentText(intent: Intent): string {
  const { records, dead, ...rest } = intent;
  return JSON.stringify({ v: VERSION, ...rest, records: records.encode(), dead: dead.encode() });
}

/** Whether the text fits into the metadata of an offset, where it is a string in JSON. */
export function fits(text: string): boolean {
  return Buffer.byteLength(JSON.stringify(text)) + NOTES_BYTES <= MAX_METADATA_BYTES;
}

/** Undefined where the text is malformed, or of a later version. */
export function readIntent(start: number, text: string): Intent | undefined {
  try {
    const { v, records, dead, ...rest } = JSON.parse(text);
    const intent: Intent = {
      ...rest,
      records: OffsetRuns.decode(start, records),
      dead: OffsetRuns.decode(start, dead),
    };
    return v === VERSION && isIntent(start, intent) ? intent : undefined;
  } catch {
    return undefined;
  }
}

function isIntent(start: number, { to, name, fields, compression, sha256 }: Intent): boolean {
  return (
    Number.isSafeInteger(to) &&
    to > start &&
    typeof name === 'string' &&
    fields.length > 0 &&
    fields.every((field) => outputFields.includes(field)) &&
    fileCompressions.includes(compression) &&
    /^[0-9a-f]{64}$/.test(sha256)
  );
}
