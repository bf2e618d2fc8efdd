import { type ErrorCode, Failure } from '../../src/errors.ts';
import { JSON_TYPE } from '../../src/http/message.ts';
import type { ProduceConfig } from './config.ts';
import { EVENT_HEADERS } from './formats/cloudevents.ts';
import { bodySchema, headerSchema, MAX_RECORDS, recordSchema } from './formats/rest-proxy.ts';
import { SIGNATURE_HEADERS } from './formats/webhook.ts';
import { VENDOR_TYPE } from './response.ts';

type Schema = Record<string, unknown>;

/** Errors that any route may return. */
const ANYWHERE: ErrorCode[] = [
  'MALFORMED_REQUEST',
  'API_KEY_REFUSED',
  'NOT_ACCEPTABLE',
  'REQUEST_TIMEOUT',
  'BODY_TOO_LARGE',
  'EXPECTATION_FAILED',
  'HEADERS_TOO_LARGE',
  'INTERNAL',
  'NOT_IMPLEMENTED',
  'CONFIG_INVALID',
];
const FROM_CLUSTER: ErrorCode[] = ['AUTHENTICATION_FAILED', 'BROKER_UNREACHABLE'];
const OF_TOPIC: ErrorCode[] = [
  ...FROM_CLUSTER,
  'TOPIC_NOT_AUTHORIZED',
  'TOPIC_NOT_ALLOWED',
  'UNKNOWN_TOPIC',
  'INVALID_RECORD',
];
const OF_PUBLISHING: ErrorCode[] = [
  ...OF_TOPIC,
  'NOT_PERMITTED',
  'RECORD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'THROTTLED',
  'QUEUE_FULL',
  'NO_LEADER',
  'NOT_ENOUGH_REPLICAS',
  'ACK_TIMEOUT',
  'CONNECTION_LOST',
];
/** A partition can be named in the path, or by each record. */
const OF_RECORDS: ErrorCode[] = [...OF_PUBLISHING, 'UNKNOWN_PARTITION'];

const BASE64 = { type: 'string', contentEncoding: 'base64' };
/** Raw bytes, by the name that OpenAPI 3.0 and client generators use. */
const BINARY = { type: 'string', format: 'binary' };
const INTEGER = { type: 'integer' };
const TEXT = { type: 'string' };
const FILLED = { ...TEXT, minLength: 1 };
/** Headers of every request that publishes. */
const OF_REQUEST = [
  {
    ...parameter('header', 'Idempotency-Key', { ...TEXT, pattern: '^[!-~]{1,255}$' }),
    description: 'marks the records of a request that may be repeated, so that their readers can tell',
  },
  { ...parameter('header', 'traceparent', TEXT), description: 'W3C Trace Context; a header of each record' },
  { ...parameter('header', 'tracestate', TEXT), description: 'goes with `traceparent`' },
];
const TOPIC = parameter('path', 'topic', { type: 'string', pattern: '^[A-Za-z0-9._-]{1,249}$' });
const PARTITION = parameter('path', 'partition', { ...INTEGER, minimum: 0, maximum: 2 ** 31 - 1 });

/** The checks in valibot's pipes. Lengths are always those of arrays. */
const checks: Readonly<Record<string, (requirement: unknown) => Schema>> = {
  integer: () => INTEGER,
  min_value: (minimum) => ({ minimum }),
  max_value: (maximum) => ({ maximum }),
  min_length: (minItems) => ({ minItems }),
  max_length: (maxItems) => ({ maxItems }),
};

const schemas = {
  ...recordsOf('Json', {}),
  ...recordsOf('Binary', orNull(BASE64)),
  ...recordsOf('Text', orNull(TEXT)),
  Header: objectOf({ key: { ...TEXT, description: '`name` is taken as well' }, value: orNull(BASE64) }),
  CloudEvent: objectOf(
    {
      specversion: oneOf('1.0'),
      id: FILLED,
      source: { ...FILLED, format: 'uri-reference' },
      type: FILLED,
    },
    { data: {}, data_base64: BASE64 },
  ),
  Topic: objectOf({ name: TEXT, configs: { type: 'object' }, partitions: listOf(ref('Partition')) }),
  Partition: objectOf({
    partition: INTEGER,
    leader: { ...INTEGER, description: 'id of the broker; -1 while there is no leader' },
    replicas: listOf(ref('Replica')),
  }),
  Replica: objectOf({ broker: INTEGER, leader: { type: 'boolean' }, in_sync: { type: 'boolean' } }),
  Brokers: objectOf({ brokers: listOf(INTEGER) }),
  Health: objectOf({ status: oneOf('healthy', 'ready') }),
  ValidationError: objectOf({ path: TEXT, message: TEXT }),
  Offset: objectOf(
    {
      partition: { ...orNull(INTEGER), description: 'null where the record was not acknowledged' },
      offset: { ...orNull(INTEGER), description: 'null where it was not acknowledged, and with acks=0' },
      error_code: orNull(INTEGER),
      error: orNull(TEXT),
    },
    verdict(),
  ),
  Published: objectOf({
    offsets: listOf(ref('Offset')),
    key_schema_id: { ...orNull(INTEGER), description: 'always null' },
    value_schema_id: { ...orNull(INTEGER), description: 'always null' },
  }),
  Failure: objectOf(
    { error_code: INTEGER, message: TEXT, ...verdict() },
    {
      validation_errors: listOf(ref('ValidationError')),
      offsets: listOf(ref('Offset')),
    },
  ),
};

const PUBLISHED = {
  200: ['every record was acknowledged; one entry each, in the order of the request', ref('Published')],
  207: ['some records were acknowledged; an entry of another one says why', ref('Published')],
} as const;

/** Describes the HTTP interface in OpenAPI 3.1. Schemas, statuses and limits come from the code. */
export function openApi({ maxBodyBytes }: Pick<ProduceConfig, 'maxBodyBytes'>) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'produce',
      version: '2',
      description: `Publishes to Apache Kafka: the produce half of the REST Proxy v2 protocol, plain JSON, webhooks and CloudEvents. A body has at most ${maxBodyBytes} bytes, also once decompressed (content-encoding: gzip), and ${MAX_RECORDS} records.`,
    },
    // Relative, because gateways add prefixes.
    servers: [{ url: '.' }],
    security: [{}, { key: [] }, { bearer: [] }],
    paths: {
      '/topics': {
        get: asked('listTopics', 'The topics that may be published to', listOf(TEXT), FROM_CLUSTER),
      },
      '/topics/{topic}': {
        parameters: [TOPIC],
        get: asked('getTopic', 'A topic and its partitions', ref('Topic'), OF_TOPIC),
        post: published('publish', 'Publish records to a topic', bodies(), OF_RECORDS),
      },
      '/topics/{topic}/partitions': {
        parameters: [TOPIC],
        get: asked('listPartitions', 'The partitions of a topic', listOf(ref('Partition')), OF_TOPIC),
      },
      '/topics/{topic}/partitions/{partition}': {
        parameters: [TOPIC, PARTITION],
        get: asked('getPartition', 'One partition', ref('Partition'), [...OF_TOPIC, 'UNKNOWN_PARTITION']),
        post: published('publishToPartition', 'Publish records to a partition', bodies(), OF_RECORDS),
      },
      '/': {
        post: published(
          'publishToNamedTopic',
          'Publish records to `topic` in the body, or to KAFKA_TOPIC',
          bodies(),
          OF_RECORDS,
        ),
      },
      '/webhooks/{topic}': {
        parameters: [TOPIC],
        post: published(
          'publishWebhook',
          'Publish the body byte for byte as the value of one record',
          { 'application/octet-stream': { schema: BINARY }, '*/*': { schema: BINARY } },
          [...OF_PUBLISHING, 'SIGNATURE_INVALID'],
          [
            {
              ...parameter('query', 'key', TEXT),
              description:
                "the record's key; refused where a signed webhook has it in a header or in its body",
            },
            ...SIGNATURE_HEADERS.map((name) => parameter('header', name, TEXT)),
          ],
        ),
      },
      '/brokers': {
        get: asked('listBrokers', 'The ids of the brokers', ref('Brokers'), FROM_CLUSTER),
      },
      '/healthy': {
        get: keyless(asked('getHealth', 'Is the process alive?', ref('Health'), [])),
      },
      '/ready': {
        get: keyless(asked('getReadiness', 'Does a broker answer, now?', ref('Health'), FROM_CLUSTER)),
      },
      '/openapi.json': { get: asked('getDescription', 'This document', { type: 'object' }, []) },
    },
    components: {
      schemas,
      securitySchemes: {
        key: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
  };
}

function asked(operationId: string, summary: string, schema: Schema, codes: ErrorCode[]) {
  return { operationId, summary, responses: responses({ 200: ['the answer', schema] }, codes) };
}

/** For everybody, whether or not there are keys. */
function keyless({ responses, ...operation }: ReturnType<typeof asked>) {
  const { 401: _, ...others } = responses;
  return { ...operation, security: [], responses: others };
}

function published(
  operationId: string,
  summary: string,
  content: Schema,
  codes: ErrorCode[],
  parameters: Schema[] = EVENT_HEADERS.map((name) => ({
    ...parameter('header', name, TEXT),
    description: 'all four of them: the body is the data of a CloudEvent in binary mode',
  })),
) {
  return {
    operationId,
    summary,
    parameters: [...parameters, ...OF_REQUEST],
    requestBody: { required: true, content },
    responses: responses(PUBLISHED, codes),
  };
}

/** Without a content type the body is read as application/json. */
function bodies(): Schema {
  return {
    'application/json': { schema: ref('JsonRecords') },
    'application/vnd.kafka.json.v2+json': { schema: ref('JsonRecords') },
    'application/vnd.kafka.binary.v2+json': { schema: ref('BinaryRecords') },
    'application/vnd.kafka.text.v2+json': { schema: ref('TextRecords') },
    'application/cloudevents+json': { schema: ref('CloudEvent') },
    'application/cloudevents-batch+json': { schema: { ...listOf(ref('CloudEvent')), maxItems: MAX_RECORDS } },
  };
}

function responses(
  successes: Readonly<Record<number, readonly [description: string, schema: Schema]>>,
  codes: readonly ErrorCode[],
): Schema {
  const failures = [...codes, ...ANYWHERE].map((code) => new Failure(code, ''));
  const statuses = [...new Set(failures.map(({ status }) => status))].sort();
  return Object.fromEntries([
    ...Object.entries(successes).map(([status, [description, schema]]) => [
      status,
      answer(description, schema),
    ]),
    ...statuses.map((status) => [status, refusal(failures.filter((failure) => failure.status === status))]),
  ]);
}

function refusal(failures: readonly Failure[]): Schema {
  const codes = failures.map(({ code, errorCode }) => `${code} (${errorCode})`).join(', ');
  return answer(codes, ref('Failure'), failures.some(({ retriable }) => retriable) ? ['Retry-After'] : []);
}

function answer(description: string, schema: Schema, headers: readonly string[] = []): Schema {
  return {
    description,
    headers: Object.fromEntries(
      ['X-Request-Id', ...headers].map((name) => [name, { schema: name === 'Retry-After' ? INTEGER : TEXT }]),
    ),
    content: { [JSON_TYPE]: { schema }, [VENDOR_TYPE]: { schema } },
  };
}

function verdict() {
  return { code: TEXT, retriable: { type: 'boolean' }, delivery: oneOf('none', 'unknown') };
}

function parameter(place: 'path' | 'query' | 'header', name: string, schema: Schema): Schema {
  return { in: place, name, required: place === 'path', schema };
}

function objectOf(required: Schema, optional: Schema = {}): Schema {
  return { type: 'object', required: Object.keys(required), properties: { ...required, ...optional } };
}

function listOf(items: Schema): Schema {
  return { type: 'array', items };
}

/** Uses only what client generators understand: neither `const` nor a `null` type alone. */
function oneOf(...texts: string[]): Schema {
  return { ...TEXT, enum: texts };
}

function orNull(schema: Schema): Schema {
  return 'type' in schema ? { ...schema, type: [schema.type, 'null'] } : schema;
}

function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** The parts of valibot's schemas, and of the checks in their pipes, that are read here. */
interface Validator {
  type: string;
  pipe?: readonly Validator[];
  requirement?: unknown;
  wrapped?: Validator;
  item?: Validator;
  entries?: Readonly<Record<string, Validator>>;
}

/** Schemas of one format's body and records. `data` stands for its keys and values. */
function recordsOf(format: string, data: Schema): Record<string, Schema> {
  const names = new Map<Validator, string>([
    [recordSchema, `${format}Record`],
    // The key's other name is left out: two alternatives would become two classes in a client.
    [headerSchema, 'Header'],
  ]);
  return {
    [`${format}Records`]: schemaOf(bodySchema, { data, names }),
    [`${format}Record`]: schemaOf(recordSchema, { data, names }),
  };
}

/** Translates a schema of `rest-proxy.ts` into JSON Schema, with references to named parts. */
function schemaOf(validator: Validator, known: { data: Schema; names: Map<Validator, string> }): Schema {
  const { type, pipe, requirement, wrapped, item, entries = {} } = validator;
  const inner = (part: Validator | undefined): Schema => {
    if (!part) return {};
    const name = known.names.get(part);
    return name ? ref(name) : schemaOf(part, known);
  };
  if (pipe) return Object.assign({}, ...pipe.map(inner));
  switch (type) {
    case 'strict_object':
      return {
        type: 'object',
        required: Object.keys(entries).filter((name) => entries[name]?.wrapped === undefined),
        properties: Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, inner(entry)])),
        additionalProperties: false,
      };
    case 'array':
      return { type, items: inner(item) };
    case 'optional':
      return inner(wrapped);
    case 'nullish':
      return orNull(wrapped?.type === 'null' ? INTEGER : inner(wrapped));
    case 'unknown':
      return known.data;
    default:
      return checks[type]?.(requirement) ?? { type };
  }
}
