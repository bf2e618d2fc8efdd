import { isUtf8 } from 'node:buffer';
import { Failure, type ValidationError } from '../../../src/errors.ts';
import { type HttpRequest, mediaType, type RequestHead } from '../../../src/http/message.ts';
import { isObject } from '../../../src/platform/members.ts';
import type { Header, ProducerRecord } from '../../../src/record.ts';
import { withBody } from '../body.ts';
import type { ProduceConfig } from '../config.ts';
import { invalid } from '../invalid.ts';
import { headerBytes } from './header-text.ts';
import type { JsonReader } from './json-text.ts';
import { allowedTopic, MAX_RECORDS, readDocument, type Target } from './rest-proxy.ts';
import { URI, URI_REFERENCE } from './uri.ts';

/** CloudEvents 1.0.2: reads the HTTP binding and the JSON formats, and writes the Kafka binding. */
const EVENT_TYPE = 'application/cloudevents';
const BATCH_TYPE = 'application/cloudevents-batch';
const KNOWN_TYPES = [EVENT_TYPE, `${EVENT_TYPE}+json`, BATCH_TYPE, `${BATCH_TYPE}+json`];
const STRUCTURED_HEADER = {
  key: 'content-type',
  value: Buffer.from('application/cloudevents+json; charset=UTF-8'),
};
const REQUIRED = ['id', 'source', 'specversion', 'type'];
/** The headers that make a request an event in binary mode. */
export const EVENT_HEADERS = REQUIRED.map((name) => `ce-${name}`);

const ATTRIBUTE_NAME = /^[a-z\d]+$/;

/** The rules of the specification for these attributes, beyond being a string. */
const rules = new Map<string, [RegExp, string]>([
  ['specversion', [/^1\.0$/, 'must be 1.0']],
  ['id', [/./s, 'must not be empty']],
  ['type', [/./s, 'must not be empty']],
  ['subject', [/./s, 'must not be empty']],
  ['partitionkey', [/./s, 'must not be empty']],
  [
    'source',
    [URI_REFERENCE, 'must be a URI reference of RFC 3986, such as /orders or https://example.com/orders'],
  ],
  ['dataschema', [URI, 'must be a URI of RFC 3986 with its scheme, such as https://example.com/schema']],
  ['datacontenttype', [/^[^\s/;]+\/[^\s/;]+\s*(;.*)?$/s, 'must be a media type']],
  [
    'time',
    [
      /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])t([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i,
      'must be a time of RFC 3339, as 2018-04-05T17:31:00Z',
    ],
  ],
]);
/** Characters that a string of the specification must not hold. */
const DISALLOWED = /[\p{Cc}\p{Surrogate}\p{Noncharacter_Code_Point}]/u;

interface Event {
  attributes: Attributes;
  value: Buffer | null;
  headers: readonly Header[];
}

type Attributes = ReadonlyMap<string, unknown>;

/** Structured and batched events have their own type. An event in headers has all the required ones. */
export function isCloudEvent({ headers }: RequestHead): boolean {
  return isEventType(headers) || EVENT_HEADERS.every((name) => headers[name] !== undefined);
}

/** Whether this is an attribute's header, in lower case. */
export function isEventHeader(name: string): boolean {
  return name.startsWith('ce-') && ATTRIBUTE_NAME.test(name.slice('ce-'.length));
}

/** Reads a request's events, a record each. Throws the Failure for the caller. */
export async function readEvents(
  request: HttpRequest,
  { topic, partition }: Target,
  config: ProduceConfig,
  deadline: number,
): Promise<ProducerRecord[]> {
  const errors: ValidationError[] = [];
  const read = isEventType(request.headers)
    ? documentReader(request, errors)
    : (bytes: Buffer) => [binaryEvent(request.headers, bytes, errors)];
  const events = await withBody(request, { maxBytes: config.maxBodyBytes, deadline }, read);
  const name = allowedTopic(topic ?? config.defaultTopic, config);
  if (errors.length > 0) throw invalid(errors);
  return events.map(({ attributes, value, headers }) => {
    const key = config.partitionKeyIsKey ? attributes.get('partitionkey') : undefined;
    return {
      topic: name,
      ...(partition === undefined ? {} : { partition }),
      key: key == null ? null : Buffer.from(String(key)),
      value,
      headers,
    };
  });
}

function isEventType(headers: HttpRequest['headers']): boolean {
  return mediaType(headers['content-type']).startsWith(EVENT_TYPE);
}

/** Whether the request holds several events. Throws UNSUPPORTED_MEDIA_TYPE for an unknown format. */
export function isBatch({ headers }: RequestHead): boolean {
  const type = mediaType(headers['content-type']);
  if (!type.startsWith(EVENT_TYPE) || KNOWN_TYPES.includes(type)) return type.startsWith(BATCH_TYPE);
  throw new Failure('UNSUPPORTED_MEDIA_TYPE', 'of the formats of CloudEvents only +json is known');
}

function documentReader(
  request: HttpRequest,
  errors: ValidationError[],
): (bytes: Buffer) => readonly Event[] {
  if (isBatch(request)) {
    return (bytes) => {
      const events = readDocument(bytes, readBatch);
      if (!Array.isArray(events)) throw invalid([{ path: 'body', message: 'must be an array of events' }]);
      return events.map(([event, source]: [unknown, Buffer], index) =>
        structuredEvent(event, source, `[${index}]`, errors),
      );
    };
  }
  return (bytes) => [structuredEvent(readDocument(bytes, readMembers), bytes, '', errors)];
}

function readBatch(json: JsonReader): unknown {
  return json.array((index) => {
    if (index === MAX_RECORDS) {
      throw invalid([{ path: 'body', message: `must hold at most ${MAX_RECORDS} events` }]);
    }
    return json.withSource(() => readMembers(json));
  });
}

/** Reads the attributes. `data` is only noted as present. */
function readMembers(json: JsonReader): unknown {
  return json.object((name) => {
    if (name !== 'data') return json.scalar();
    json.skip();
    return true;
  });
}

function structuredEvent(event: unknown, value: Buffer, at: string, errors: ValidationError[]): Event {
  const attributes = new Map<string, unknown>();
  if (!isObject(event)) {
    errors.push({ path: at || 'body', message: 'must be an event as a JSON object' });
    return { attributes, value, headers: [] };
  }
  const pathOf = (name: string) => (at ? `${at}.${name}` : name);
  const { data, data_base64: base64, ...members } = event;
  if (base64 != null && (data !== undefined || !isBase64(base64))) {
    errors.push({ path: pathOf('data_base64'), message: 'must be base64, and stand alone without data' });
  }
  // A null attribute is not set.
  for (const [name, member] of Object.entries(members)) if (member !== null) attributes.set(name, member);
  check(attributes, pathOf, errors);
  return { attributes, value, headers: [STRUCTURED_HEADER] };
}

function binaryEvent(headers: HttpRequest['headers'], body: Buffer, errors: ValidationError[]): Event {
  const attributes = new Map<string, string>();
  const pathOf = (name: string) => `ce-${name}`;
  for (const [header, text] of Object.entries(headers)) {
    if (!header.startsWith('ce-')) continue;
    const name = header.slice('ce-'.length);
    const value = decodeAttribute(text);
    if (value === undefined) errors.push({ path: header, message: 'is not UTF-8 once percent-decoded' });
    else if (name === 'data' || name === 'datacontenttype') {
      errors.push({
        path: header,
        message: 'must not be there: the body is the data, content-type its type',
      });
    } else attributes.set(name, value);
  }
  check(attributes, pathOf, errors);
  const contentType = headers['content-type'];
  return {
    attributes,
    // Kafka's form of an event without data is a tombstone.
    value: hasData(body, contentType) ? body : null,
    headers: [
      ...(contentType === undefined ? [] : [{ key: 'content-type', value: headerBytes(contentType) }]),
      ...[...attributes].map(([name, value]) => ({ key: `ce_${name}`, value: Buffer.from(value) })),
    ],
  };
}

/** An empty body is data where texts of its type may be empty. JSON may not, and SDKs send its type in any case. */
function hasData(body: Buffer, contentType: string | undefined): boolean {
  return body.length > 0 || (contentType !== undefined && !/[/+]json$/.test(mediaType(contentType)));
}

function check(attributes: Attributes, pathOf: (name: string) => string, errors: ValidationError[]): void {
  for (const name of REQUIRED) {
    if (!attributes.has(name)) errors.push({ path: pathOf(name), message: 'is missing' });
  }
  for (const [name, value] of attributes) {
    const problem = ATTRIBUTE_NAME.test(name)
      ? attributeProblem(name, value)
      : 'is no name of an attribute, which has the characters a-z and 0-9 only';
    if (problem) errors.push({ path: pathOf(name), message: problem });
  }
}

function attributeProblem(name: string, value: unknown): string | undefined {
  const rule = rules.get(name);
  if (typeof value !== 'string') {
    if (rule) return 'must be a string';
    const isOfJson = typeof value === 'boolean' || (typeof value === 'number' && (value | 0) === value);
    return isOfJson ? undefined : 'must be a string, a whole number of 32 bits, a boolean or null';
  }
  if (DISALLOWED.test(value)) return 'must not hold control characters, noncharacters or lone surrogates';
  return rule && !rule[0].test(value) ? rule[1] : undefined;
}

/** Removes quotes, then percent-decodes exactly once; undefined where the result is not UTF-8. */
function decodeAttribute(text: string): string | undefined {
  // An open quote is an ordinary character. It is matched to the end, so that it is looked at only once.
  const unquoted = text.replace(/"((?:[^"\\]|\\.?)*)("|$)/gs, (whole, quoted: string, end: string) =>
    end === '' ? whole : quoted.replace(/\\(.)/gs, '$1'),
  );
  const bytes = headerBytes(unquoted)
    .toString('latin1')
    .replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const decoded = Buffer.from(bytes, 'latin1');
  return isUtf8(decoded) ? decoded.toString() : undefined;
}

function isBase64(text: unknown): boolean {
  return typeof text === 'string' && Buffer.from(text, 'base64').toString('base64') === text;
}
