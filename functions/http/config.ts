import type { ApiKeys } from '../../src/access/api-keys.ts';
import { apiKeys } from '../../src/access/config.ts';
import type { Meanings, Variables } from '../../src/variables.ts';
import { type ProduceConfig, routesConfig, type WebhookConfig, webhookHeaders } from '../produce/config.ts';

const MIB = 1024 * 1024;

export const meanings = {
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
  keys: ApiKeys;
  corsOrigins: string[];
  /** The headers that pages of these origins may send to webhooks. */
  webhookHeaders: Pick<WebhookConfig, 'keyHeader' | 'copiesHeader'>;
  maxBodyBytes: number;
}

export function httpConfig(variables: Variables): HttpConfig {
  return {
    host: variables.text('HOST', '127.0.0.1'),
    port: variables.integer('PORT', 8_000, { max: 65_535 }),
    function: variables.oneOf('FUNCTION', functionNames, undefined),
    routes: routesConfig(variables),
    keys: apiKeys(variables),
    corsOrigins: variables.list('HTTP_CORS_ORIGINS'),
    webhookHeaders: webhookHeaders(variables),
    maxBodyBytes: variables.integer('PRODUCE_MAX_BODY_BYTES', 6 * MIB, { min: 1 }),
  };
}
