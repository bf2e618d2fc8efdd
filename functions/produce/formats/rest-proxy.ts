import { isUtf8 } from 'node:buffer';
import * as v from 'valibot';
import { Failure, type ValidationError } from '../../../src/errors.ts';
import { type HttpRequest, mediaType, type RequestHead } from '../../../src/http/message.ts';
import type { Header, ProducerRecord } from '../../../src/record.ts';
import { isReservedHeader, reservedHeaderProblem } from '../../../src/reserved-headers.ts';
import { isTopicName, TOPIC_NAME_RULE } from '../../../src/topic.ts';
import { withBody } from '../body.ts';
import type { ProduceConfig } from '../config.ts';
import { invalid } from '../invalid.ts';
import { type JsonReader, readJson } from './json-text.ts';

export type Format = 'json' | 'binary' | 'text';

const formats = new Map<string, Format>([
  ['', 'json'],
  ['application/json', 'json'],
  ['application/vnd.kafka.json.v2+json', 'json'],
  ['application/vnd.kafka.binary.v2+json', 'binary'],
  ['application/vnd.kafka.text.v2+json', 'text'],
]);

/** The platform cuts off responses above 6 MiB. This many entries of `offsets` stay below it, even failed ones. */
export const MAX_RECORDS = 10_000;
const TOO_MANY_RECORDS = `must hold at most ${MAX_RECORDS} records`;
const MAX_PARTITION = 2 ** 31 - 1;
/** The limit of exact arithmetic on timestamps: the year 144,683. */
const MAX_TIMESTAMP = 2 ** 52 - 1;
/** In a larger body only the first mistake is reported: a million of them would be gigabytes. */
const MAX_BYTES_FOR_ALL_ERRORS = 64 * 1024;
const NULL = Buffer.from('null');
const LONE_SURROGATE = /\p{Surrogate}/u;

const absent = v.nullish(v.null('must be null: schemas are not supported'));

export const headerSchema = v.union(
  [
    v.strictObject({ key: v.string(), value: v.nullish(v.string()) }),
    v.strictObject({ name: v.string(), value: v.nullish(v.string()) }),
  ],
  'must be {"key": string, "value": base64 or null}',
);

const partitionSchema = v.pipe(
  v.number('must be a number'),
  v.integer('must be a whole number'),
  v.minValue(0, 'must not be negative'),
  v.maxValue(MAX_PARTITION, `must be at most ${MAX_PARTITION}`),
);

const timestampSchema = v.pipe(
  v.number('must be epoch milliseconds'),
  v.integer('must be a whole number of milliseconds'),
  v.minValue(0, 'must not be negative'),
  v.maxValue(MAX_TIMESTAMP, `must be at most ${MAX_TIMESTAMP}`),
);

export const recordSchema = v.strictObject(
  {
    key: v.optional(v.unknown()),
    value: v.optional(v.unknown()),
    partition: v.nullish(partitionSchema),
    timestamp: v.nullish(timestampSchema),
    headers: v.nullish(v.array(headerSchema, 'must be an array')),
  },
  'must be an object',
);

export const bodySchema = v.strictObject(
  {
    records: v.pipe(
      v.array(recordSchema, 'must be an array of records'),
      v.minLength(1, 'must hold at least one record'),
      v.maxLength(MAX_RECORDS, TOO_MANY_RECORDS),
    ),
    topic: v.optional(v.string('must be a string')),
    key_schema: absent,
    key_schema_id: absent,
    value_schema: absent,
    value_schema_id: absent,
  },
  'must be a JSON object with "records"',
);

type Body = v.InferOutput<typeof bodySchema>;
type BodyRecord = Body['records'][number];
type BodyHeader = v.InferOutput<typeof headerSchema>;

/** The target that the path names. */
export interface Target {
  topic?: string | undefined;
  partition?: number | undefined;
}

/** Reads the records of a request in one of the REST Proxy's formats. Throws the Failure for the caller. */
export async function readRecords(
  request: HttpRequest,
  target: Target,
  config: ProduceConfig,
  deadline: number,
): Promise<ProducerRecord[]> {
  const format = formatOf(request);
  return withBody(request, { maxBytes: config.maxBodyBytes, deadline }, (bytes) => {
    const body = validBody(
      readDocument(bytes, (json) => readMembers(json, format)),
      bytes.length,
    );
    const topic = allowedTopic(target.topic ?? body.topic ?? config.defaultTopic, config);
    const errors: ValidationError[] = [];
    const records = body.records.map((record, index) => {
      const at = `records[${index}]`;
      return {
        topic,
        key: dataOf(record.key, format, `${at}.key`, errors),
        value: dataOf(record.value, format, `${at}.value`, errors),
        headers: (record.headers ?? []).map((header, n) => readHeader(header, `${at}.headers[${n}]`, errors)),
        ...partitionOf(record, target, `${at}.partition`, errors),
        ...(record.timestamp == null ? {} : { timestamp: record.timestamp }),
      };
    });
    if (errors.length > 0) throw invalid(errors);
    return format === 'json' ? unpinned(records, bytes) : records;
  });
}

/** Builds only what the schema looks at. In JSON, keys and values stay text. */
function readMembers(json: JsonReader, format: Format): unknown {
  const header = () => json.object(() => json.scalar());
  const record = () =>
    json.object((name) => {
      if (name === 'key' || name === 'value') return format === 'json' ? json.text() : json.scalar();
      return name === 'headers' ? json.array(header) : json.scalar();
    });
  const records = (index: number) => {
    // The schema would check millions of records only to find that they are too many.
    if (index === MAX_RECORDS) throw invalid([{ path: 'records', message: TOO_MANY_RECORDS }]);
    return record();
  };
  return json.object((name) => (name === 'records' ? json.array(records) : json.scalar()));
}

/** Copies small keys and values, because a slice would keep their whole document in memory. */
function unpinned(records: ProducerRecord[], document: Buffer): ProducerRecord[] {
  const wanted = records.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0);
  if (wanted * 2 > document.length) return records;
  return records.map(({ key, value, ...rest }) => ({
    ...rest,
    key: key && Buffer.from(key),
    value: value && Buffer.from(value),
  }));
}

/** The format by the content type. Throws UNSUPPORTED_MEDIA_TYPE. */
export function formatOf({ headers }: RequestHead): Format {
  const type = mediaType(headers['content-type']);
  const format = formats.get(type);
  if (format) return format;
  const known = [...formats.keys()].filter(Boolean).join(', ');
  throw new Failure(
    'UNSUPPORTED_MEDIA_TYPE',
    `the content-type must be one of ${known}, or of CloudEvents in JSON`,
    { headers: { accept: known } },
  );
}

/** Checks the topic's name, and that `PRODUCE_TOPICS` allows it. */
export function allowedTopic(topic: string | undefined, { isTopicAllowed }: ProduceConfig): string {
  if (topic === undefined) {
    throw invalid([{ path: 'topic', message: 'is in neither path nor body, and KAFKA_TOPIC is not set' }]);
  }
  if (!isTopicName(topic)) throw invalid([{ path: 'topic', message: `must be ${TOPIC_NAME_RULE}` }]);
  if (!isTopicAllowed(topic)) {
    const why = topic.startsWith('__')
      ? 'is one of a kind that Kafka keeps for itself, and PRODUCE_TOPICS of this function does not name it'
      : 'is not among PRODUCE_TOPICS of this function';
    throw new Failure('TOPIC_NOT_ALLOWED', `topic ${topic} ${why}`);
  }
  return topic;
}

/** Reads the document in a body. */
export function readDocument<T>(bytes: Buffer, read: (json: JsonReader) => T): T {
  if (bytes.length === 0) throw new Failure('MALFORMED_REQUEST', 'the request has no body');
  if (!isUtf8(bytes)) throw new Failure('MALFORMED_REQUEST', 'the body is not UTF-8');
  return readJson(bytes, read);
}

function validBody(json: unknown, bytes: number): Body {
  let result = v.safeParse(bodySchema, json, { abortEarly: true });
  if (!result.success && bytes <= MAX_BYTES_FOR_ALL_ERRORS) result = v.safeParse(bodySchema, json);
  if (result.success) return result.output;
  throw invalid(
    result.issues.map((issue) => ({
      path: pathOf(issue),
      message: issue.type === 'strict_object' ? memberProblem(issue) : issue.message,
    })),
  );
}

/** The bytes of a key or value; null (a tombstone) where it is absent or null. */
function dataOf(data: unknown, format: Format, path: string, errors: ValidationError[]): Buffer | null {
  if (data === undefined || data === null) return null;
  if (Buffer.isBuffer(data)) return data.equals(NULL) ? null : data;
  if (typeof data === 'string') {
    if (format === 'binary') return decodeBase64(data, path, errors);
    checkText(data, path, errors);
    return Buffer.from(data);
  }
  errors.push({
    path,
    message: format === 'binary' ? 'must be base64 or null' : 'must be a string or null',
  });
  return null;
}

/** Strict base64 with padding, because Node's decoder skips unknown characters. */
function decodeBase64(text: string, path: string, errors: ValidationError[]): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) errors.push({ path, message: 'is not base64 (RFC 4648, padded)' });
  return bytes;
}

function readHeader(header: BodyHeader, path: string, errors: ValidationError[]): Header {
  const key = 'key' in header ? header.key : header.name;
  checkText(key, path, errors);
  if (isReservedHeader(key)) errors.push({ path, message: reservedHeaderProblem(key) });
  return { key, value: header.value == null ? null : decodeBase64(header.value, `${path}.value`, errors) };
}

function checkText(text: string, path: string, errors: ValidationError[]): void {
  if (LONE_SURROGATE.test(text)) {
    errors.push({ path, message: 'must not hold half of a surrogate pair, which UTF-8 cannot express' });
  }
}

function partitionOf(
  { partition }: BodyRecord,
  target: Target,
  path: string,
  errors: ValidationError[],
): { partition?: number } {
  if (target.partition === undefined) return partition == null ? {} : { partition };
  if (partition != null && partition !== target.partition) {
    errors.push({ path, message: `differs from partition ${target.partition} in the path` });
  }
  return { partition: target.partition };
}

function pathOf(issue: v.BaseIssue<unknown>): string {
  const keys = (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? `[${key}]` : `.${key}`));
  return keys.join('').replace(/^\./, '') || 'body';
}

/** The schema has one message for a value that is not an object, for a missing member and for an unknown one. */
function memberProblem({ expected, received, message }: v.BaseIssue<unknown>): string {
  if (expected === 'never') return 'is not a member that this format knows';
  return received === 'undefined' ? 'is missing' : message;
}
