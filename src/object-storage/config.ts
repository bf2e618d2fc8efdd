import { isIP } from 'node:net';
import { Secret } from '../secret.ts';
import type { Meanings, Variables } from '../variables.ts';
import type { AccessKey } from './sign.ts';

export const meanings = {
  CONSUME_SINK_S3_BUCKET_NAME: { unset: 'required with `s3`', meaning: '`s3` sink: the bucket' },
  CONSUME_SINK_S3_REGION: {
    unset: 'required with `s3`',
    meaning: '`s3` sink: the region in signatures, such as `eu-de`',
  },
  CONSUME_SINK_S3_PATH_STYLE_ACCESS_ENABLED: {
    meaning: '`s3` sink: `true` puts the bucket into the path, not before the host',
  },
  CONSUME_SINK_AWS_ACCESS_KEY_ID: {
    unset: "the platform's temporary key (agency, Lambda role)",
    secret: true,
    meaning: '`s3` sink: the access key',
  },
  CONSUME_SINK_AWS_SECRET_ACCESS_KEY: {
    unset: "the platform's, too",
    secret: true,
    meaning: "`s3` sink: the access key's secret",
  },
  CONSUME_SINK_AWS_SESSION_TOKEN: {
    secret: true,
    meaning: '`s3` sink: the token of a temporary access key',
  },
  CONSUME_SINK_FILE_NAME_TEMPLATE: {
    meaning:
      "`s3` sink: an object's name; `.jsonl` or `.jsonl.gz` is appended. It must hold all three; offsets have 20 digits, so names sort as offsets do",
  },
  CONSUME_SINK_FORMAT_OUTPUT_FIELDS: {
    unset: '`value`',
    meaning:
      "`s3` sink: `value` alone makes a record's line its value's own JSON text, `null` for a tombstone; with others of `key`, `value`, `offset`, `timestamp`, `headers` a line is an object with these members, written as the `http` sink does",
  },
  CONSUME_SINK_FILE_COMPRESSION_TYPE: { meaning: '`s3` sink: how objects are compressed' },
} as const satisfies Meanings;

export const outputFields = ['key', 'value', 'offset', 'timestamp', 'headers'] as const;
export type OutputField = (typeof outputFields)[number];
export const fileCompressions = ['gzip', 'none'] as const;
export type FileCompression = (typeof fileCompressions)[number];

export interface StorageConfig {
  /** An origin: scheme, host and port. */
  endpoint: string;
  bucket: string;
  region: string;
  pathStyle: boolean;
  /** Undefined: the platform's temporary one. */
  accessKey: AccessKey | undefined;
  /** Holds `{topic}`, `{partition}` and `{start_offset}`. */
  template: string;
  fields: OutputField[];
  compression: FileCompression;
}

/** S3's limit for the name of an object, less `.jsonl.gz` and the digits of partition and offset. */
const MAX_NAME_BYTES = 1_024 - 9 - 30;
const MAX_TOPIC_LENGTH = 249;
const PLACES = ['{topic}', '{partition}', '{start_offset}'];

export function storageConfig(variables: Variables): StorageConfig {
  const pathStyle = variables.flag('CONSUME_SINK_S3_PATH_STYLE_ACCESS_ENABLED', false);
  const bucket = variables.required('CONSUME_SINK_S3_BUCKET_NAME');
  const region = variables.required('CONSUME_SINK_S3_REGION');
  if (bucket && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    variables.reject(
      'CONSUME_SINK_S3_BUCKET_NAME',
      "must be a bucket's name: 3 to 63 of a-z, 0-9, dots and dashes",
    );
  }
  if (region && !/^[\w-]+$/.test(region)) {
    variables.reject('CONSUME_SINK_S3_REGION', "must be a region's name, such as eu-de");
  }
  return {
    endpoint: endpoint(variables, pathStyle ? undefined : bucket),
    ...{ bucket, region, pathStyle },
    accessKey: accessKey(variables),
    template: template(variables),
    fields: fields(variables),
    compression: variables.oneOf('CONSUME_SINK_FILE_COMPRESSION_TYPE', fileCompressions, 'gzip'),
  };
}

/** `bucket` is what stands before the host; undefined in path style. */
function endpoint(variables: Variables, bucket: string | undefined): string {
  const name = 'CONSUME_SINK_URL';
  const text = variables.httpUrl(name, 's3');
  if (!URL.canParse(text)) return '';
  const { origin, hostname, protocol, href } = new URL(text);
  if (href !== `${origin}/`) variables.reject(name, 'must be an endpoint, without path and query');
  const needsPathStyle =
    bucket !== undefined &&
    (isIP(hostname.replace(/[[\]]/g, '')) > 0 || (protocol === 'https:' && bucket.includes('.')));
  if (needsPathStyle) {
    variables.reject(
      name,
      'can only be used with CONSUME_SINK_S3_PATH_STYLE_ACCESS_ENABLED=true: the bucket would stand before the host, where an address takes none, and a dot in it breaks TLS',
    );
  }
  return origin;
}

function accessKey(variables: Variables): AccessKey | undefined {
  const id = variables.text('CONSUME_SINK_AWS_ACCESS_KEY_ID');
  const secret = variables.text('CONSUME_SINK_AWS_SECRET_ACCESS_KEY');
  const token = variables.text('CONSUME_SINK_AWS_SESSION_TOKEN');
  if (id !== undefined && secret !== undefined) {
    return { id, secret: new Secret(secret), token: token === undefined ? undefined : new Secret(token) };
  }
  if (id ?? secret ?? token) {
    const [missing, given] =
      id === undefined
        ? ['CONSUME_SINK_AWS_ACCESS_KEY_ID', 'the other parts of the key']
        : ['CONSUME_SINK_AWS_SECRET_ACCESS_KEY', 'CONSUME_SINK_AWS_ACCESS_KEY_ID'];
    variables.reject(missing, `is required with ${given}: set it, or none of them`);
  }
  return undefined;
}

function template(variables: Variables): string {
  const name = 'CONSUME_SINK_FILE_NAME_TEMPLATE';
  const text = variables.text(name, '{topic}/{partition}/{start_offset}');
  if (!PLACES.every((place) => text.includes(place))) {
    variables.reject(name, `must hold ${PLACES.join(', ')}: else objects would overwrite each other`);
  }
  const rest = PLACES.reduce((left, place) => left.replaceAll(place, 'x'), text);
  // Clients and consoles take such names for others.
  if (/[{}\p{Cc}]|^\/|\/\/|\/$|(^|\/)\.{1,2}(\/|$)/u.test(rest)) {
    variables.reject(
      name,
      'must be a path without other braces, control characters, a slash at its ends, empty parts, . and ..',
    );
  }
  const longest = text.replaceAll('{topic}', 'x'.repeat(MAX_TOPIC_LENGTH));
  if (Buffer.byteLength(longest) > MAX_NAME_BYTES) {
    variables.reject(
      name,
      `must leave a name of at most 1024 bytes with a topic of ${MAX_TOPIC_LENGTH}: shorten it`,
    );
  }
  return text;
}

function fields(variables: Variables): OutputField[] {
  const name = 'CONSUME_SINK_FORMAT_OUTPUT_FIELDS';
  const given = new Set(variables.list(name));
  const known = outputFields.filter((field) => given.has(field));
  if (known.length < given.size) variables.reject(name, `must hold some of ${outputFields.join(', ')}`);
  return known.length === 0 ? ['value'] : known;
}
