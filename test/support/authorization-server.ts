/** An authorization server as far as a client-credentials grant needs one (RFC 6749), which misbehaves on demand. */

import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import type { TlsOptions } from 'node:tls';
import { pathToFileURL } from 'node:url';
import type { ExtraListener, Listener } from '../../local/kafka/cluster.ts';
import type { Variables } from './check.ts';
import { scratchFolder } from './folders.ts';
import { listening } from './http.ts';

const KEY_ID = 'key-1';
const ISSUER = 'https://issuer.invalid/';
const AUDIENCE = 'kafka';

/** Answers a request itself; undefined: as the server does otherwise. */
type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface AuthorizationServer {
  url: string;
  clientId: string;
  clientSecret: string;
  /** The tokens that were given, in their order. */
  tokens: readonly string[];
  /** What came, in its order: the Authorization header and the form. */
  requests: readonly { authorization: string | undefined; form: URLSearchParams }[];
  /** Seconds, of the tokens from now on. */
  lifetimeS: number;
  /** Changes the claims of the tokens from now on. */
  claims: Record<string, unknown>;
  /** Members of the answer that are other or (undefined) missing from now on. */
  members: Record<string, unknown>;
  misbehave: Misbehaviour | undefined;
  /** Milliseconds before each answer from now on. */
  delayMs: number;
  /** Resolves once so many requests have come. */
  asked(count: number): Promise<void>;
  /** Resolves once so many tokens have been given. */
  given(count: number): Promise<void>;
  /** The variables of a login with its tokens. */
  variables: Variables;
}

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
/** Nobody knows its public key. */
const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwks = join(scratchFolder('jwks'), 'jwks.json');
writeFileSync(
  jwks,
  JSON.stringify({
    keys: [{ ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, use: 'sig', alg: 'RS256' }],
  }),
);
const JWKS_URL = pathToFileURL(jwks).href;

/** What another server needs so that the same listeners take its tokens. */
export const authority = {
  ...{ issuer: ISSUER, audience: AUDIENCE },
  key: { ...privateKey.export({ format: 'jwk' }), kid: KEY_ID, use: 'sig', alg: 'RS256' },
};

/** A JSON Web Token (RFC 7519), signed with RS256; by nobody known if it is `forged`, and not at all if it is `unsecured`. */
export function signedToken(
  claims: Record<string, unknown>,
  { forged = false, unsecured = false } = {},
): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const content = `${part({ alg: 'RS256', kid: KEY_ID, typ: 'JWT' })}.${part(claims)}`;
  if (unsecured) return `${part({ alg: 'none' })}.${part(claims)}.`;
  const key = forged ? foreign.privateKey : privateKey;
  return `${content}.${sign('RSA-SHA256', Buffer.from(content), key).toString('base64url')}`;
}

export async function startAuthorizationServer({
  clientId = 'app',
  // By the prefix a test run finds it in the output of its tests.
  clientSecret = `${process.env.TEST_PASSWORD_PREFIX ?? ''} a:secret/%+ü`,
  tls,
  unsecured = false,
}: {
  clientId?: string;
  clientSecret?: string;
  tls?: TlsOptions;
  /** For brokers before 3.1, which can't verify a signature. */
  unsecured?: boolean;
} = {}): Promise<AuthorizationServer> {
  const events = new EventEmitter().setMaxListeners(0);
  const tokens: string[] = [];
  const requests: AuthorizationServer['requests'][number][] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const form = new URLSearchParams(await text(request).catch(() => ''));
    const { authorization } = request.headers;
    requests.push({ authorization, form });
    events.emit('request');
    if (server.delayMs > 0) await wait(server.delayMs);
    if (server.misbehave?.(request, response) !== undefined) return;
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const formed = (value: string) => `${new URLSearchParams({ a: value })}`.slice(2);
    const expected = Buffer.from(`${formed(clientId)}:${formed(clientSecret)}`).toString('base64');
    if (authorization !== `Basic ${expected}`) {
      return answer(401, { error: 'invalid_client', error_description: 'no such client, or a wrong secret' });
    }
    if (form.get('grant_type') !== 'client_credentials')
      return answer(400, { error: 'unsupported_grant_type' });
    if ((form.get('scope') ?? 'publish') !== 'publish') return answer(400, { error: 'invalid_scope' });
    const iat = Math.floor(Date.now() / 1000);
    const exp = iat + server.lifetimeS;
    const claims = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: clientId,
      scope: 'publish',
      iat,
      exp,
      jti: randomUUID(),
    };
    const token = signedToken({ ...claims, ...server.claims }, { unsecured });
    tokens.push(token);
    events.emit('token');
    const body = { access_token: token, token_type: 'bearer', expires_in: server.lifetimeS };
    return answer(200, { ...body, ...server.members });
  };
  const http = tls ? createTlsServer(tls, serve) : createServer(serve);
  const port = await listening(http);
  const server: AuthorizationServer = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}/token`,
    ...{ clientId, clientSecret, tokens, requests, lifetimeS: 300, claims: {}, members: {} },
    ...{ misbehave: undefined, delayMs: 0 },
    async asked(count) {
      while (requests.length < count) await once(events, 'request');
    },
    async given(count) {
      while (tokens.length < count) await once(events, 'token');
    },
    get variables() {
      return {
        KAFKA_SASL_MECHANISM: 'OAUTHBEARER',
        KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: server.url,
        KAFKA_SASL_OAUTHBEARER_CLIENT_ID: clientId,
        KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: clientSecret,
        KAFKA_SASL_OAUTHBEARER_SCOPE: 'publish',
      };
    },
  };
  return server;
}

/** A listener that takes tokens of these servers, validated by Kafka's own code with their keys. */
export function tokenListener(
  protocol: Extract<Listener, `SASL_${string}`> = 'SASL_SSL',
  properties: Record<string, string> = {},
) {
  const oauth = 'org.apache.kafka.common.security.oauthbearer';
  return {
    name: protocol === 'SASL_SSL' ? 'TOKENS' : 'PLAINTOKENS',
    protocol,
    properties: {
      'sasl.enabled.mechanisms': 'OAUTHBEARER',
      'oauthbearer.sasl.jaas.config': `${oauth}.OAuthBearerLoginModule required;`,
      'oauthbearer.sasl.server.callback.handler.class': `${oauth}.OAuthBearerValidatorCallbackHandler`,
      'oauthbearer.sasl.oauthbearer.jwks.endpoint.url': JWKS_URL,
      'oauthbearer.sasl.oauthbearer.expected.audience': AUDIENCE,
      'oauthbearer.sasl.oauthbearer.expected.issuer': ISSUER,
      'oauthbearer.sasl.oauthbearer.clock.skew.seconds': '0',
      ...properties,
    },
  } satisfies ExtraListener;
}

/** A listener of brokers before 3.1: they believe what a token says. */
export function unsecuredTokenListener() {
  const login = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required';
  return {
    ...{ name: 'TOKENS', protocol: 'SASL_SSL' },
    properties: {
      'sasl.enabled.mechanisms': 'OAUTHBEARER',
      'oauthbearer.sasl.jaas.config': `${login} unsecuredLoginStringClaim_sub="broker";`,
    },
  } as const satisfies ExtraListener;
}

/** Kafka 4 fetches keys from addresses on this list alone. */
export const tokenJavaProperties = { 'org.apache.kafka.sasl.oauthbearer.allowed.urls': JWKS_URL };
