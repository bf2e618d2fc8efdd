import { readFileSync } from 'node:fs';
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

export type Acks = 'all' | '1' | '0';

export interface ProducerConfig {
  acks: Acks;
  /** `preferred` falls back where the cluster refuses it, `required` does not. */
  idempotence: 'preferred' | 'required' | 'off';
  lingerMs: number;
  batchSize: number;
  maxRequestSize: number;
  maxQueueBytes: number;
}

export interface ProduceConfig {
  defaultTopic: string | undefined;
  isTopicAllowed: (topic: string) => boolean;
  maxBodyBytes: number;
}

const MIB = 1024 * 1024;
const MAX_INT32 = 2 ** 31 - 1;

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

  topic(name: string): string | undefined {
    const topic = this.text(name);
    if (topic !== undefined && !isTopicName(topic))
      this.reject(name, `must be a topic name: ${TOPIC_NAME_RULE}`);
    return topic;
  }

  /** Names and `prefix*`. Kafka's own topics (`__…`) are only matched by a pattern that says so. */
  topicPatterns(name: string): (topic: string) => boolean {
    const patterns = this.list(name);
    if (patterns.some((pattern) => !/^[A-Za-z0-9._-]*\*?$/.test(pattern))) {
      this.reject(name, 'must hold topic names and prefix* patterns, separated by commas');
    }
    const matches = (topic: string) => (pattern: string) =>
      pattern.endsWith('*')
        ? topic.startsWith(pattern.slice(0, -1)) && (pattern.startsWith('__') || !topic.startsWith('__'))
        : topic === pattern;
    return (topic) => (patterns.length === 0 ? ['*'] : patterns).some(matches(topic));
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
    if (/-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----/.test(text)) return text;
    this.reject(name, 'must hold a PEM certificate (-----BEGIN CERTIFICATE-----)');
    return undefined;
  }
}

function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}
