import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { Failure } from './errors.ts';
import { type LogLevel, logLevels } from './log.ts';
import { Secret } from './secret.ts';
import { isTopicName, TOPIC_NAME_RULE } from './topic.ts';

/** Reads one variable: the platform's user data first, then the process's environment. */
export type Environment = (name: string) => string | undefined;

export interface Address {
  host: string;
  port: number;
}

export const securityProtocols = ['SASL_SSL', 'SASL_PLAINTEXT', 'SSL', 'PLAINTEXT'] as const;
export const saslMechanisms = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'] as const;

export interface SaslConfig {
  mechanism: (typeof saslMechanisms)[number];
  username: string;
  password: Secret;
}

export interface SslConfig {
  /** PEM text that replaces the bundled certificates. */
  ca: string | undefined;
  /** Undefined: decided by which certificates are trusted. */
  verifyHostname: boolean | undefined;
}

export interface ConnectionConfig {
  bootstrapServers: Address[];
  securityProtocol: (typeof securityProtocols)[number];
  sasl: SaslConfig | undefined;
  ssl: SslConfig | undefined;
  clientId: string;
  /** Upper bounds in milliseconds beside the remaining time of the call. */
  requestTimeout: number | undefined;
  connectionTimeout: number | undefined;
}

/** What publishing may compress with. */
export const compressionTypes = ['none', 'gzip', 'lz4'] as const;

export type Acks = 'all' | '1' | '0';

export interface ProducerConfig {
  acks: Acks;
  /** `preferred` falls back where the cluster refuses it, `required` does not. */
  idempotence: 'preferred' | 'required' | 'off';
  compression: (typeof compressionTypes)[number];
  lingerMs: number;
  batchSize: number;
  maxRequestSize: number;
  maxQueueBytes: number;
}

export interface ProduceConfig {
  defaultTopic: string | undefined;
  isTopicAllowed: (topic: string) => boolean;
  maxBodyBytes: number;
  /** Is the `partitionkey` of a CloudEvent the record's key? */
  partitionKeyIsKey: boolean;
  webhook: WebhookConfig;
}

export const webhookSchemes = ['github', 'standard'] as const;

export interface WebhookConfig {
  /** Undefined: whoever reaches the function is believed. */
  signature: { scheme: (typeof webhookSchemes)[number]; secret: Secret; toleranceS: number } | undefined;
  /** In lower case. */
  keyHeader: string | undefined;
  /** Is this request header (in lower case) copied to the record? */
  copiesHeader: (name: string) => boolean;
}

export interface CheckConfig {
  topic: string | undefined;
  group: string | undefined;
  roundTrip: boolean;
  /** What the functions beside the check do with the topic, as far as the variables tell; both where they don't. */
  needsWrite: boolean;
  needsRead: boolean;
  needsIdempotence: boolean;
  acksAll: boolean;
  deadLetterTopics: string[];
  timeoutMs: number | undefined;
  /** What may be dialled; undefined: wherever the bootstrap servers and the brokers' metadata point. */
  allowedAddresses: BlockList | undefined;
}

export const sinkNames = ['handler', 'log', 'http', 'topic'] as const;
export const sinkFormats = ['json', 'text', 'base64'] as const;
export const recordOrders = ['partition', 'key', 'none'] as const;

export interface ConsumeConfig {
  /** What a failing record holds back, and what runs side by side. */
  order: (typeof recordOrders)[number];
  concurrency: number;
  retries: number;
  retryBackoffMs: number;
  /** May hold `{topic}`; undefined: there is none, a failed record fails the call. */
  deadLetterTopic: string | undefined;
  sink: SinkConfig;
}

export type SinkConfig =
  | { name: 'handler' | 'log' }
  | { name: 'http'; url: string; headers: Record<string, Secret>; format: (typeof sinkFormats)[number] }
  /** `topic` may hold `{topic}`. */
  | { name: 'topic'; topic: string };

export interface PullConfig {
  groupId: string;
  topics: string[];
  autoOffsetReset: 'earliest' | 'latest' | 'none';
  isolationLevel: 'read_committed' | 'read_uncommitted';
  checkCrcs: boolean;
  maxRecords: number;
  maxBytes: number;
}

const MIB = 1024 * 1024;
const MAX_INT32 = 2 ** 31 - 1;
const HEADER_NAME = /^[\w!#$%&'+.^`|~-]+$/;
const CREDENTIAL_HEADERS = new Set(['authorization', 'proxy-authorization', 'cookie', 'x-api-key']);

export function connectionConfig(variables: Variables): ConnectionConfig {
  const securityProtocol = variables.oneOf('KAFKA_SECURITY_PROTOCOL', securityProtocols, 'SASL_SSL');
  return {
    bootstrapServers: variables.addresses('KAFKA_BOOTSTRAP_SERVERS'),
    securityProtocol,
    sasl: securityProtocol.startsWith('SASL') ? saslConfig(variables) : undefined,
    ssl: securityProtocol.endsWith('SSL') ? sslConfig(variables) : undefined,
    clientId: variables.text('KAFKA_CLIENT_ID') ?? 'kafka-functions',
    requestTimeout: variables.integer('KAFKA_REQUEST_TIMEOUT_MS', undefined, { min: 1 }),
    connectionTimeout: variables.integer('KAFKA_CONNECTION_TIMEOUT_MS', undefined, { min: 1 }),
  };
}

function saslConfig(variables: Variables): SaslConfig {
  return {
    mechanism: variables.oneOf('KAFKA_SASL_MECHANISM', saslMechanisms, 'SCRAM-SHA-512'),
    username: variables.required('KAFKA_SASL_USERNAME'),
    password: new Secret(variables.required('KAFKA_SASL_PASSWORD')),
  };
}

function sslConfig(variables: Variables): SslConfig {
  const algorithm = variables.oneOf(
    'KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM',
    ['https', 'none', ''],
    undefined,
  );
  return {
    ca: variables.certificates('KAFKA_SSL_CA_PEM') ?? variables.certificateFile('KAFKA_SSL_CA_LOCATION'),
    verifyHostname: algorithm === undefined ? undefined : algorithm === 'https',
  };
}

export function producerConfig(variables: Variables): ProducerConfig {
  const acks = variables.oneOf('KAFKA_ACKS', ['all', '-1', '1', '0'], 'all');
  const wanted = variables.flag('KAFKA_ENABLE_IDEMPOTENCE');
  const acksAll = acks === 'all' || acks === '-1';
  if (wanted === true && !acksAll) {
    variables.reject('KAFKA_ENABLE_IDEMPOTENCE', 'true needs KAFKA_ACKS=all');
  }
  return {
    acks: acksAll ? 'all' : acks,
    idempotence: wanted === true ? 'required' : wanted === false || !acksAll ? 'off' : 'preferred',
    compression: variables.oneOf('KAFKA_COMPRESSION_TYPE', compressionTypes, 'none'),
    lingerMs: variables.integer('KAFKA_LINGER_MS', 0, { max: 1_000 }),
    batchSize: variables.integer('KAFKA_BATCH_SIZE', MIB, { min: 1 }),
    maxRequestSize: variables.integer('KAFKA_MAX_REQUEST_SIZE', MIB, { min: 1_024 }),
    maxQueueBytes: variables.integer('PRODUCE_MAX_QUEUE_BYTES', 32 * MIB, { min: 1_024 }),
  };
}

export function produceConfig(variables: Variables): ProduceConfig {
  return {
    defaultTopic: variables.topic('KAFKA_TOPIC'),
    isTopicAllowed: variables.topicPatterns('PRODUCE_TOPICS'),
    maxBodyBytes: variables.integer('PRODUCE_MAX_BODY_BYTES', 6 * MIB, { min: 1 }),
    partitionKeyIsKey: variables.flag('CLOUDEVENTS_PARTITION_KEY') ?? false,
    webhook: webhookConfig(variables),
  };
}

function webhookConfig(variables: Variables): WebhookConfig {
  return {
    signature: signatureConfig(variables),
    keyHeader: variables.headerName('WEBHOOK_KEY_HEADER'),
    copiesHeader: variables.headerPatterns('WEBHOOK_HEADERS'),
  };
}

function signatureConfig(variables: Variables): WebhookConfig['signature'] {
  const secret = variables.text('WEBHOOK_SECRET');
  if (secret === undefined) return undefined;
  const scheme = variables.oneOf('WEBHOOK_SCHEME', webhookSchemes, 'github');
  if (scheme === 'standard' && !/^(whsec_)?([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{2,3}={0,2})?$/.test(secret)) {
    variables.reject('WEBHOOK_SECRET', 'must be base64 with WEBHOOK_SCHEME=standard, with or without whsec_');
  }
  const toleranceS = variables.integer('WEBHOOK_TOLERANCE_S', 300, { min: 1 });
  return { scheme, secret: new Secret(secret), toleranceS };
}

export function checkConfig(variables: Variables): CheckConfig {
  const sourceTopics = variables.list('CONSUME_TOPICS');
  const group = variables.text('CHECK_GROUP_ID');
  // Not checked here: what the cluster makes of an invalid name is one of the answers.
  const topic = variables.text('CHECK_TOPIC');
  const roundTrip = variables.flag('CHECK_ROUND_TRIP') ?? false;
  if (roundTrip && topic === undefined) variables.reject('CHECK_ROUND_TRIP', 'true needs CHECK_TOPIC');
  const publishes = isSet(variables, ['KAFKA_TOPIC', 'PRODUCE_TOPICS']);
  const reads = group !== undefined || isSet(variables, ['KAFKA_GROUP_ID', 'CONSUME_TOPICS']);
  return {
    topic,
    group,
    roundTrip,
    needsWrite: roundTrip || publishes || !reads,
    needsRead: roundTrip || reads || !publishes,
    needsIdempotence: variables.flag('KAFKA_ENABLE_IDEMPOTENCE') === true,
    acksAll: ['all', '-1'].includes(variables.text('KAFKA_ACKS') ?? 'all'),
    deadLetterTopics: deadLetterTopics(
      variables,
      sourceTopics.length > 0 ? sourceTopics : topic ? [topic] : [],
    ),
    timeoutMs: variables.integer('CHECK_TIMEOUT_MS', undefined, { min: 1 }),
    allowedAddresses: variables.networks('CHECK_ALLOWED_ADDRESSES'),
  };
}

function isSet(variables: Variables, names: readonly string[]): boolean {
  return names.some((name) => variables.text(name) !== undefined);
}

/** None where no dead-letter topic is configured: nothing says then that records are consumed here. */
function deadLetterTopics(variables: Variables, sourceTopics: readonly string[]): string[] {
  const consumes = isSet(variables, ['CONSUME_TOPICS', 'CONSUME_DEAD_LETTER_TOPIC']);
  const template = variables.textOrNone('CONSUME_DEAD_LETTER_TOPIC', '{topic}.dead-letter');
  if (!consumes || template === undefined) return [];
  return [...new Set(sourceTopics.map((topic) => template.replaceAll('{topic}', topic)))].filter(isTopicName);
}

export const functionNames = ['produce', 'consume-batch', 'connectivity-check'] as const;

export interface HttpConfig {
  host: string;
  port: number;
  /** Which function `/invoke` and `/init` call. */
  function: (typeof functionNames)[number] | undefined;
  /** SHA-256 of the accepted keys; where there are none, everybody is let in. */
  apiKeyHashes: Buffer[];
  corsOrigins: string[];
  /** Webhooks prove who sent them by their signature. */
  webhooksAreSigned: boolean;
  maxBodyBytes: number;
}

export function httpConfig(variables: Variables): HttpConfig {
  const hashes = variables.list('HTTP_API_KEYS');
  if (hashes.some((hash) => !/^[0-9a-f]{64}$/i.test(hash))) {
    variables.reject('HTTP_API_KEYS', 'must hold SHA-256 hashes of keys in hex, separated by commas');
  }
  return {
    host: variables.text('HOST') ?? '127.0.0.1',
    port: variables.integer('PORT', 8_000, { max: 65_535 }),
    function: variables.oneOf('FUNCTION', functionNames, undefined),
    apiKeyHashes: hashes.map((hash) => Buffer.from(hash, 'hex')),
    corsOrigins: variables.list('HTTP_CORS_ORIGINS'),
    webhooksAreSigned: variables.text('WEBHOOK_SECRET') !== undefined,
    maxBodyBytes: variables.integer('PRODUCE_MAX_BODY_BYTES', 6 * MIB, { min: 1 }),
  };
}

export function consumeConfig(variables: Variables): ConsumeConfig {
  const deadLetterTopic = variables.textOrNone('CONSUME_DEAD_LETTER_TOPIC', '{topic}.dead-letter');
  const sink = sinkConfig(variables);
  const topics = variables.list('CONSUME_TOPICS');
  variables.topicTemplate('CONSUME_DEAD_LETTER_TOPIC', deadLetterTopic, topics);
  if (sink.name === 'topic') variables.topicTemplate('CONSUME_SINK_TOPIC', sink.topic, topics);
  return {
    order: variables.oneOf('CONSUME_ORDER', recordOrders, 'partition'),
    concurrency: variables.integer('CONSUME_CONCURRENCY', 16, { min: 1, max: 1_000 }),
    retries: variables.integer('CONSUME_RETRIES', 3, { max: 100 }),
    retryBackoffMs: variables.integer('CONSUME_RETRY_BACKOFF_MS', 100, { max: 60_000 }),
    deadLetterTopic,
    sink,
  };
}

function sinkConfig(variables: Variables): SinkConfig {
  const name = variables.oneOf('CONSUME_SINK', sinkNames, 'handler');
  switch (name) {
    case 'http':
      return {
        name,
        url: variables.httpUrl('CONSUME_SINK_URL'),
        headers: variables.headers('CONSUME_SINK_HEADERS'),
        format: variables.oneOf('CONSUME_SINK_FORMAT', sinkFormats, 'json'),
      };
    case 'topic':
      return { name, topic: variables.required('CONSUME_SINK_TOPIC').trim() };
    default:
      return { name };
  }
}

/** What only a pull needs. */
export function pullConfig(variables: Variables): PullConfig {
  const topics = [...new Set(variables.list('CONSUME_TOPICS'))];
  if (topics.length === 0) variables.reject('CONSUME_TOPICS', 'is required for a pull');
  if (!topics.every(isTopicName)) {
    variables.reject('CONSUME_TOPICS', `must hold topic names, separated by commas: ${TOPIC_NAME_RULE}`);
  }
  return {
    groupId: variables.required('KAFKA_GROUP_ID'),
    topics,
    autoOffsetReset: variables.oneOf(
      'KAFKA_AUTO_OFFSET_RESET',
      ['earliest', 'latest', 'none'] as const,
      'earliest',
    ),
    isolationLevel: variables.oneOf(
      'KAFKA_ISOLATION_LEVEL',
      ['read_committed', 'read_uncommitted'] as const,
      'read_committed',
    ),
    checkCrcs: variables.flag('KAFKA_CHECK_CRCS') ?? true,
    maxRecords: variables.integer('CONSUME_MAX_RECORDS', 10_000, { min: 1 }),
    maxBytes: variables.integer('CONSUME_MAX_BYTES', 64 * MIB, { min: 1 }),
  };
}

export function logLevel(variables: Variables): LogLevel {
  return variables.oneOf('LOG_LEVEL', logLevels, 'info');
}

/**
 * Reads what `parse` asks for. Everything that is missing or malformed is reported in one Failure
 * `CONFIG_INVALID`, by variable name and without values, since a value may be a secret.
 */
export function readConfig<T>(environment: Environment, parse: (variables: Variables) => T): T {
  const variables = new Variables(environment);
  const config = parse(variables);
  if (variables.problems.length > 0) {
    throw new Failure('CONFIG_INVALID', `configuration: ${variables.problems.join('; ')}`);
  }
  return config;
}

/** Typed reading of variables; a wrong one is noted in `problems` and a harmless value is handed on. */
export class Variables {
  readonly problems: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  reject(name: string, problem: string): void {
    this.problems.push(`${name} ${problem}`);
  }

  /** Undefined where unset; the consoles of both clouds store an emptied field as an empty string. */
  text(name: string): string | undefined {
    const value = this.#environment(name)?.trim();
    return value === '' ? undefined : value;
  }

  required(name: string): string {
    // Not trimmed: a password may end in a space.
    const value = this.#environment(name);
    if (value === undefined || value === '') {
      this.reject(name, 'is required');
      return '';
    }
    return value;
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T;
  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: undefined): T | undefined;
  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T | undefined): T | undefined {
    const value = this.#environment(name)?.trim();
    if (value === undefined) return fallback;
    const match = allowed.find((candidate) => candidate.toLowerCase() === value.toLowerCase());
    if (match === undefined && value !== '') {
      this.reject(name, `must be one of ${allowed.filter(Boolean).join(', ')}`);
    }
    return match ?? fallback;
  }

  flag(name: string): boolean | undefined {
    const value = this.oneOf(name, ['true', 'false'], undefined);
    return value === undefined ? undefined : value === 'true';
  }

  integer(name: string, fallback: number, bounds?: { min?: number; max?: number }): number;
  integer(name: string, fallback: undefined, bounds?: { min?: number; max?: number }): number | undefined;
  integer(name: string, fallback: number | undefined, { min = 0, max = MAX_INT32 } = {}): number | undefined {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    this.reject(name, `must be a whole number from ${min} to ${max}`);
    return fallback;
  }

  list(name: string): string[] {
    const items = this.text(name)?.split(',') ?? [];
    return items.map((item) => item.trim()).filter((item) => item !== '');
  }

  /** Undefined where the variable is set to `none` or to nothing, which here says the same. */
  textOrNone(name: string, fallback: string): string | undefined {
    const value = this.#environment(name)?.trim();
    return value === undefined ? fallback : value === '' || value === 'none' ? undefined : value;
  }

  /** A topic name in which `{topic}` stands for the source topic; it must not lead back to one of `sources`. */
  topicTemplate(name: string, template: string | undefined, sources: readonly string[]): void {
    if (template === undefined || template === '') return;
    const resolved = (sources.length > 0 ? sources : ['t']).map((topic) =>
      template.replaceAll('{topic}', topic),
    );
    if (!resolved.every(isTopicName)) {
      this.reject(name, `must be a topic name, {topic} allowed: ${TOPIC_NAME_RULE}`);
    } else if (resolved.some((topic) => sources.includes(topic))) {
      this.reject(name, 'must not be one of CONSUME_TOPICS: what is written there would be consumed again');
    }
  }

  httpUrl(name: string): string {
    const text = this.text(name);
    if (text === undefined) this.reject(name, 'is required with CONSUME_SINK=http');
    else if (!isHttpUrl(text)) this.reject(name, 'must be an http:// or https:// URL without a user name');
    return text ?? '';
  }

  /** A JSON object of header names and values; the values are secrets. */
  headers(name: string): Record<string, Secret> {
    const text = this.text(name);
    if (text === undefined) return {};
    try {
      const entries = Object.entries(JSON.parse(text) as Record<string, string>);
      // The platform's own rules for names and values; its message would repeat the value.
      new Headers(entries);
      if (text.startsWith('{') && entries.every(([, value]) => typeof value === 'string')) {
        return Object.fromEntries(entries.map(([key, value]) => [key, new Secret(value)]));
      }
    } catch {}
    this.reject(name, 'must be a JSON object of header names and values, like {"Authorization":"Bearer …"}');
    return {};
  }

  /** The name of a request header, in lower case. */
  headerName(name: string): string | undefined {
    const header = this.text(name);
    if (header !== undefined && !HEADER_NAME.test(header)) this.reject(name, 'must be the name of a header');
    return header?.toLowerCase();
  }

  /** Names and `prefix*` of headers, in any case. What carries credentials is only matched by its whole name. */
  headerPatterns(name: string): (header: string) => boolean {
    const patterns = this.list(name).map((pattern) => pattern.toLowerCase());
    if (patterns.some((pattern) => !HEADER_NAME.test(pattern.replace(/(.)\*$/, '$1')) && pattern !== '*')) {
      this.reject(name, 'must hold names of headers and prefix* patterns, separated by commas');
    }
    const matches = (header: string) => (pattern: string) =>
      pattern.endsWith('*')
        ? header.startsWith(pattern.slice(0, -1)) && !CREDENTIAL_HEADERS.has(header)
        : header === pattern;
    return (header) => patterns.some(matches(header));
  }

  topic(name: string): string | undefined {
    const topic = this.text(name);
    if (topic !== undefined && !isTopicName(topic))
      this.reject(name, `must be a topic name: ${TOPIC_NAME_RULE}`);
    return topic;
  }

  /** Names and `prefix*`. Kafka's own topics (`__…`) are only matched by a pattern that says so. */
  topicPatterns(name: string): (topic: string) => boolean {
    const patterns = this.list(name);
    // A list of commas alone is a slip, and must not open what was to be closed.
    const isBlank = patterns.length === 0 && this.text(name) !== undefined;
    if (isBlank || patterns.some((pattern) => !/^[A-Za-z0-9._-]*\*?$/.test(pattern))) {
      this.reject(name, 'must hold topic names and prefix* patterns, separated by commas');
    }
    const matches = (topic: string) => (pattern: string) =>
      pattern.endsWith('*')
        ? topic.startsWith(pattern.slice(0, -1)) && (pattern.startsWith('__') || !topic.startsWith('__'))
        : topic === pattern;
    return (topic) => (patterns.length === 0 ? ['*'] : patterns).some(matches(topic));
  }

  /** Networks as `10.0.0.0/8,fd00::/8`, or single addresses; undefined where unset. */
  networks(name: string): BlockList | undefined {
    const items = this.list(name);
    if (items.length === 0) return undefined;
    const networks = new BlockList();
    for (const item of items) {
      const [address = '', prefix, ...rest] = item.split('/');
      const family = isIP(address);
      const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
      if (
        family === 0 ||
        rest.length > 0 ||
        !/^\d+$/.test(prefix ?? '0') ||
        bits > (family === 6 ? 128 : 32)
      ) {
        this.reject(name, 'must hold addresses and networks such as 10.0.0.0/8, separated by commas');
        break;
      }
      networks.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
    }
    return networks;
  }

  addresses(name: string): Address[] {
    const items = this.list(name);
    if (items.length === 0) this.reject(name, 'is required');
    const addresses = items.map(parseAddress);
    if (addresses.includes(undefined)) {
      this.reject(name, 'must be host:port,host:port (an IPv6 address in brackets, ports from 1 to 65535)');
    }
    return addresses.filter((address) => address !== undefined);
  }

  /** PEM text, as it stands in a file or on one line with `\n` written out. */
  certificates(name: string): string | undefined {
    const text = this.text(name)?.replaceAll('\\n', '\n');
    if (text === undefined) return undefined;
    return this.#pem(name, text);
  }

  certificateFile(name: string): string | undefined {
    const path = this.text(name);
    if (path === undefined) return undefined;
    try {
      return this.#pem(name, readFileSync(path, 'utf8'));
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? ` (${error.code})` : '';
      this.reject(name, `names a file that cannot be read${reason}`);
      return undefined;
    }
  }

  #pem(name: string, text: string): string | undefined {
    if (holdsCertificates(text)) return text;
    this.reject(
      name,
      'must hold whole PEM certificates (-----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----)',
    );
    return undefined;
  }
}

/** TLS would pass over a block that it can't read, trust nothing, and blame the broker. */
function holdsCertificates(text: string): boolean {
  const [, ...blocks] = text.split('-----BEGIN CERTIFICATE-----');
  return blocks.length > 0 && blocks.every((block) => isCertificate(`-----BEGIN CERTIFICATE-----${block}`));
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}
