import type { ApiKeys } from '../../src/access/api-keys.ts';
import { apiKeys } from '../../src/access/config.ts';
import { connectionConfig } from '../../src/kafka/connection/config.ts';
import { producerConfig } from '../../src/kafka/produce/config.ts';
import { logLevel } from '../../src/log.ts';
import { Secret } from '../../src/secret.ts';
import type { Meanings, Variables } from '../../src/variables.ts';

const MIB = 1024 * 1024;

export const meanings = {
  KAFKA_TOPIC: { meaning: 'the topic where a request names none' },
  PRODUCE_TOPICS: {
    unset: 'all but `__…`',
    meaning: 'topics that may be published to; the `GET` routes show only these',
  },
  PRODUCE_ROUTES: {
    meaning:
      '`webhooks`: only `/webhooks/{topic}`, `/healthy` and `/ready` are served, which a gateway with `auth: NONE` needs',
  },
  PRODUCE_MAX_BODY_BYTES: { meaning: 'bytes of a body, and of what it decompresses to' },
  CLOUDEVENTS_PARTITION_KEY: { meaning: "`true`: an event's `partitionkey` is the record's key" },
  WEBHOOK_SECRET: { secret: true, meaning: 'checks the signature of webhooks; without it nobody is asked' },
  WEBHOOK_SCHEME: { meaning: '`github` is `X-Hub-Signature-256`, `standard` is Standard Webhooks' },
  WEBHOOK_TOLERANCE_S: { meaning: 'how old, in seconds, a signature of Standard Webhooks may be' },
  WEBHOOK_KEY_HEADER: { meaning: "the request header that becomes the record's key" },
  WEBHOOK_HEADERS: { meaning: 'request headers that become headers of the record' },
} as const satisfies Meanings;

export const produceRoutes = ['all', 'webhooks'] as const;

export interface ProduceConfig {
  /** `webhooks`: only these are served, and the routes about the function's health. */
  routes: (typeof produceRoutes)[number];
  keys: ApiKeys;
  defaultTopic: string | undefined;
  isTopicAllowed: (topic: string) => boolean;
  maxBodyBytes: number;
  /** Whether the `partitionkey` of a CloudEvent is the record's key. */
  partitionKeyIsKey: boolean;
  webhook: WebhookConfig;
}

export const webhookSchemes = ['github', 'standard'] as const;

export interface WebhookConfig {
  /** Undefined: no signature is needed. */
  signature: { scheme: (typeof webhookSchemes)[number]; secret: Secret; toleranceS: number } | undefined;
  /** In lower case. */
  keyHeader: string | undefined;
  /** Whether this request header (in lower case) is copied to the record. */
  copiesHeader: (name: string) => boolean;
}

/** All variables that the function reads. */
export function functionConfig(variables: Variables) {
  return {
    connection: connectionConfig(variables),
    producer: producerConfig(variables),
    produce: produceConfig(variables),
    logLevel: logLevel(variables),
  };
}

export function produceConfig(variables: Variables): ProduceConfig {
  return {
    routes: routesConfig(variables),
    keys: apiKeys(variables),
    defaultTopic: variables.topic('KAFKA_TOPIC'),
    isTopicAllowed: variables.topicPatterns('PRODUCE_TOPICS'),
    maxBodyBytes: variables.integer('PRODUCE_MAX_BODY_BYTES', 6 * MIB, { min: 1 }),
    partitionKeyIsKey: variables.flag('CLOUDEVENTS_PARTITION_KEY', false),
    webhook: { signature: signatureConfig(variables), ...webhookHeaders(variables) },
  };
}

export function routesConfig(variables: Variables): ProduceConfig['routes'] {
  variables.notBlank('PRODUCE_ROUTES');
  return variables.oneOf('PRODUCE_ROUTES', produceRoutes, 'all');
}

export function webhookHeaders(variables: Variables): Pick<WebhookConfig, 'keyHeader' | 'copiesHeader'> {
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
