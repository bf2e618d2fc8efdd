import type { ApiKeys } from '../../src/access/api-keys.ts';
import { apiKeys } from '../../src/access/config.ts';
import { connectionConfig } from '../../src/kafka/connection/config.ts';
import { producerConfig } from '../../src/kafka/produce/config.ts';
import { logLevel } from '../../src/log.ts';
import { Secret } from '../../src/secret.ts';
import type { Meanings, Variables } from '../../src/variables.ts';
import { JSON_POINTER } from './formats/key-pointer.ts';
import { type SignatureScheme, signatureSchemes, webhookSchemes } from './formats/webhook-signatures.ts';

const MIB = 1024 * 1024;

export const meanings = {
  KAFKA_TOPIC: { meaning: 'the topic where a request names none' },
  PRODUCE_TOPICS: {
    unset: 'all but `__…`',
    meaning: 'topics that may be published to; the `GET` routes show only these',
  },
  PRODUCE_ROUTES: {
    meaning:
      '`webhooks`: only `/webhooks/{topic}`, `/healthy` and `/ready` are served, which a gateway with `auth: NONE` needs where callers have no keys',
  },
  PRODUCE_MAX_BODY_BYTES: { meaning: 'bytes of a body, and of what it decompresses to' },
  CLOUDEVENTS_PARTITION_KEY: { meaning: "`true`: an event's `partitionkey` is the record's key" },
  WEBHOOK_SECRET: {
    secret: true,
    meaning: 'checks the signature of webhooks; without it they need what other callers need',
  },
  WEBHOOK_SECRET_PREVIOUS: {
    secret: true,
    meaning: 'is accepted as well, while the sender replaces its secret',
  },
  WEBHOOK_SCHEME: { meaning: 'who signs, and how; `standard` is Standard Webhooks' },
  WEBHOOK_TOLERANCE_S: {
    meaning:
      "how far from now, in seconds, a signature's time may be; signatures of `github` and `shopify` have none",
  },
  WEBHOOK_KEY_HEADER: { meaning: "the request header that becomes the record's key" },
  WEBHOOK_KEY_POINTER: {
    meaning:
      "a JSON pointer (`/data/id`) to the record's key in the body: a string or a number; not with `WEBHOOK_KEY_HEADER`",
  },
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

export interface WebhookConfig {
  /** Undefined: no signature is needed. Otherwise by one of the secrets, the previous one being the last. */
  signature: { scheme: SignatureScheme; secrets: Secret[]; toleranceS: number } | undefined;
  /** In lower case. */
  keyHeader: string | undefined;
  /** A JSON pointer into the body. */
  keyPointer: string | undefined;
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
    webhook: webhookConfig(variables),
  };
}

export function routesConfig(variables: Variables): ProduceConfig['routes'] {
  variables.notBlank('PRODUCE_ROUTES');
  return variables.oneOf('PRODUCE_ROUTES', produceRoutes, 'all');
}

export function webhookHeaders(variables: Variables): Pick<WebhookConfig, 'keyHeader' | 'copiesHeader'> {
  variables.notBlank('WEBHOOK_KEY_HEADER');
  return {
    keyHeader: variables.headerName('WEBHOOK_KEY_HEADER'),
    copiesHeader: variables.headerPatterns('WEBHOOK_HEADERS'),
  };
}

function webhookConfig(variables: Variables): WebhookConfig {
  const headers = webhookHeaders(variables);
  variables.notBlank('WEBHOOK_KEY_POINTER');
  const keyPointer = variables.text('WEBHOOK_KEY_POINTER');
  if (keyPointer !== undefined && !JSON_POINTER.test(keyPointer)) {
    variables.reject('WEBHOOK_KEY_POINTER', 'must be a JSON pointer (RFC 6901) such as /data/id');
  } else if (keyPointer !== undefined && headers.keyHeader !== undefined) {
    variables.reject('WEBHOOK_KEY_POINTER', 'must not be set beside WEBHOOK_KEY_HEADER: remove one of them');
  }
  return { signature: signatureConfig(variables), ...headers, keyPointer };
}

function signatureConfig(variables: Variables): WebhookConfig['signature'] {
  const names = ['WEBHOOK_SECRET', 'WEBHOOK_SECRET_PREVIOUS'] as const;
  for (const name of names) variables.notBlank(name);
  const [secret, previous] = names.map((name) => variables.text(name));
  if (secret === undefined) {
    if (previous !== undefined) {
      variables.reject('WEBHOOK_SECRET_PREVIOUS', 'must not be set without WEBHOOK_SECRET');
    }
    return undefined;
  }
  const scheme: SignatureScheme =
    signatureSchemes[variables.oneOf('WEBHOOK_SCHEME', webhookSchemes, 'github')];
  const { secretRule, keyOf = Buffer.from } = scheme;
  for (const name of names) {
    const text = variables.text(name);
    if (text !== undefined && secretRule && !secretRule.pattern.test(text)) {
      variables.reject(name, secretRule.problem);
    }
  }
  if (previous !== undefined && keyOf(previous).equals(keyOf(secret))) {
    variables.reject(
      'WEBHOOK_SECRET_PREVIOUS',
      'must differ from WEBHOOK_SECRET: remove it once no sender uses it',
    );
  }
  const toleranceS = variables.integer('WEBHOOK_TOLERANCE_S', 300, { min: 1 });
  const secrets = [secret, ...(previous === undefined ? [] : [previous])];
  return { scheme, secrets: secrets.map((text) => new Secret(text)), toleranceS };
}
