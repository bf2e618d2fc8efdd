import { createHash } from 'node:crypto';
import type { Meanings, Variables } from '../../src/variables.ts';
import { type ProduceConfig, routesConfig, type WebhookConfig, webhookHeaders } from '../produce/config.ts';

const MIB = 1024 * 1024;

export const meanings = {
  HTTP_API_KEYS: {
    secret: true,
    meaning:
      'SHA-256, in hex, of keys (`Authorization: Bearer`, `X-Api-Key`); one of them is then needed on every route but `/healthy`, `/ready`, and `/webhooks/…` where `WEBHOOK_SECRET` is set',
  },
  HTTP_CORS_ORIGINS: {
    meaning: 'origins whose pages may call the [server](http-server.md), and `npm start`',
  },
  HOST: { meaning: 'the address that the server listens on' },
  PORT: { unset: '8000', meaning: 'the port that the server listens on' },
  FUNCTION: { meaning: 'what `/invoke` and `/init` call' },
} as const satisfies Meanings;

export const functionNames = ['produce', 'consume-batch', 'connectivity-check'] as const;

export interface HttpConfig {
  host: string;
  port: number;
  /** The function that `/invoke` and `/init` call. Undefined: they are not served. */
  function: (typeof functionNames)[number] | undefined;
  /** `webhooks` closes the other functions' paths as well. */
  routes: ProduceConfig['routes'];
  /** SHA-256 of the accepted keys. Without any, everybody is let in. */
  apiKeyHashes: Buffer[];
  corsOrigins: string[];
  /** The headers that pages of these origins may send to webhooks. */
  webhookHeaders: Pick<WebhookConfig, 'keyHeader' | 'copiesHeader'>;
  /** Webhooks prove their sender by a signature. */
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
    host: variables.text('HOST', '127.0.0.1'),
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
