import { createHash } from 'node:crypto';
import type { BlockList } from 'node:net';
import { type LogLevel, logLevels } from './log.ts';
import { Secret } from './secret.ts';
import { isTopicName, TOPIC_NAME_RULE } from './topic.ts';
import type { Address, Variables } from './variables.ts';

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

export const produceRoutes = ['all', 'webhooks'] as const;

export interface ProduceConfig {
  /** `webhooks`: nothing else is served, but for whether the function is well. */
  routes: (typeof produceRoutes)[number];
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
  /** Those that the group reads, or will. */
  groupTopics: string[];
  autoOffsetReset: (typeof offsetResets)[number];
  timeoutMs: number | undefined;
  /** Does a run by timer that finds a fault fail? */
  throws: boolean;
  /** What may be dialled; undefined: wherever the bootstrap servers and the brokers' metadata point. */
  allowedAddresses: BlockList | undefined;
}

export const offsetResets = ['earliest', 'latest', 'none'] as const;
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
  autoOffsetReset: (typeof offsetResets)[number];
  isolationLevel: 'read_committed' | 'read_uncommitted';
  checkCrcs: boolean;
  /** What happens to a batch that can't be read. */
  unreadable: 'stop' | 'skip';
  maxRecords: number;
  maxBytes: number;
}

const MIB = 1024 * 1024;

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
  // Empty is Kafka's own way to switch it off, blanks are not.
  variables.notBlank('KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM');
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
    routes: routesConfig(variables),
    defaultTopic: variables.topic('KAFKA_TOPIC'),
    isTopicAllowed: variables.topicPatterns('PRODUCE_TOPICS'),
    maxBodyBytes: variables.integer('PRODUCE_MAX_BODY_BYTES', 6 * MIB, { min: 1 }),
    partitionKeyIsKey: variables.flag('CLOUDEVENTS_PARTITION_KEY') ?? false,
    webhook: webhookConfig(variables),
  };
}

function routesConfig(variables: Variables): ProduceConfig['routes'] {
  variables.notBlank('PRODUCE_ROUTES');
  return variables.oneOf('PRODUCE_ROUTES', produceRoutes, 'all');
}

function webhookConfig(variables: Variables): WebhookConfig {
  return {
    signature: signatureConfig(variables),
    ...webhookHeaders(variables),
  };
}

function webhookHeaders(variables: Variables): Pick<WebhookConfig, 'keyHeader' | 'copiesHeader'> {
  return {
    keyHeader: variables.headerName('WEBHOOK_KEY_HEADER'),
    copiesHeader: variables.headerPatterns('WEBHOOK_HEADERS'),
  };
}

function signatureConfig(variables: Variables): WebhookConfig['signature'] {
  variables.notBlank('WEBHOOK_SECRET');
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
  const isOwnGroup = [undefined, group].includes(variables.text('KAFKA_GROUP_ID'));
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
    groupTopics: [...new Set([...(topic ? [topic] : []), ...(isOwnGroup ? sourceTopics : [])])],
    autoOffsetReset: offsetReset(variables),
    timeoutMs: variables.integer('CHECK_TIMEOUT_MS', undefined, { min: 1 }),
    throws: checkThrows(variables),
    allowedAddresses: variables.networks('CHECK_ALLOWED_ADDRESSES'),
  };
}

/** Read alone as well: it counts where the rest of the configuration is wrong, which is a fault, too. */
export function checkThrows(variables: Variables): boolean {
  return variables.flag('CHECK_THROW') ?? true;
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
  /** Which function `/invoke` and `/init` call; undefined: they are not there. */
  function: (typeof functionNames)[number] | undefined;
  /** `webhooks` closes the other functions' paths, too. */
  routes: (typeof produceRoutes)[number];
  /** SHA-256 of the accepted keys; where there are none, everybody is let in. */
  apiKeyHashes: Buffer[];
  corsOrigins: string[];
  /** What pages of these origins may send to webhooks. */
  webhookHeaders: Pick<WebhookConfig, 'keyHeader' | 'copiesHeader'>;
  /** Webhooks prove who sent them by their signature. */
  webhooksAreSigned: boolean;
  maxBodyBytes: number;
}

export function httpConfig(variables: Variables): HttpConfig {
  const hashes = variables.list('HTTP_API_KEYS');
  if (hashes.some((hash) => !/^[0-9a-f]{64}$/i.test(hash))) {
    variables.reject('HTTP_API_KEYS', 'must hold SHA-256 hashes of keys in hex, separated by commas');
  }
  const hashOfNothing = createHash('sha256').digest('hex');
  if (hashes.some((hash) => hash.toLowerCase() === hashOfNothing)) {
    variables.reject(
      'HTTP_API_KEYS',
      'must not hold the hash of an empty key (e3b0c442…), which anybody can show',
    );
  }
  return {
    host: variables.text('HOST') ?? '127.0.0.1',
    port: variables.integer('PORT', 8_000, { max: 65_535 }),
    function: variables.oneOf('FUNCTION', functionNames, undefined),
    routes: routesConfig(variables),
    apiKeyHashes: hashes.map((hash) => Buffer.from(hash, 'hex')),
    corsOrigins: variables.list('HTTP_CORS_ORIGINS'),
    webhookHeaders: webhookHeaders(variables),
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

/** Whether AWS's event source mapping has ReportBatchItemFailures, without which it reads no list of failed records. */
export function partialResponse(variables: Variables): boolean {
  return variables.flag('CONSUME_PARTIAL_RESPONSE') ?? false;
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
    autoOffsetReset: offsetReset(variables),
    isolationLevel: variables.oneOf(
      'KAFKA_ISOLATION_LEVEL',
      ['read_committed', 'read_uncommitted'] as const,
      'read_committed',
    ),
    checkCrcs: variables.flag('KAFKA_CHECK_CRCS') ?? true,
    unreadable: variables.oneOf('CONSUME_UNREADABLE', ['stop', 'skip'] as const, 'stop'),
    maxRecords: variables.integer('CONSUME_MAX_RECORDS', 10_000, { min: 1 }),
    maxBytes: variables.integer('CONSUME_MAX_BYTES', 64 * MIB, { min: 1 }),
  };
}

function offsetReset(variables: Variables): (typeof offsetResets)[number] {
  return variables.oneOf('KAFKA_AUTO_OFFSET_RESET', offsetResets, 'earliest');
}

export function logLevel(variables: Variables): LogLevel {
  return variables.oneOf('LOG_LEVEL', logLevels, 'info');
}
