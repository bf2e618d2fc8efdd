import { X509Certificate } from 'node:crypto';
import { Secret } from '../../secret.ts';
import type { Address, Meanings, Variables } from '../../variables.ts';
import { bundledCertificates } from './certificates.ts';

export const meanings = {
  KAFKA_BOOTSTRAP_SERVERS: { meaning: 'brokers to begin with; an IPv6 address in brackets' },
  KAFKA_SECURITY_PROTOCOL: { meaning: 'as the port of the instance has it' },
  KAFKA_SASL_MECHANISM: { meaning: 'as the instance was made with' },
  KAFKA_SASL_USERNAME: { unset: 'required with SASL', meaning: 'the Kafka user' },
  KAFKA_SASL_PASSWORD: { unset: 'required with SASL', secret: true, meaning: "the user's password" },
  KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: {
    unset: 'required with OAUTHBEARER',
    meaning: 'where an authorization server gives [tokens](logins.md#a-token): `https://…`',
  },
  KAFKA_SASL_OAUTHBEARER_CLIENT_ID: {
    unset: 'required with OAUTHBEARER',
    meaning: 'the client that a token is asked for',
  },
  KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: {
    unset: 'required with OAUTHBEARER',
    secret: true,
    meaning: "the client's secret",
  },
  KAFKA_SASL_OAUTHBEARER_SCOPE: { meaning: 'scopes to ask for, separated by spaces' },
  KAFKA_SSL_CA_PEM: {
    unset: 'the bundled certificates',
    meaning:
      "certificates to trust instead of the bundled ones: their text (`\\n` written out is accepted), or `file:` and a path in the bundle, see [settings](../settings/README.md). Node's own roots count only where nothing is bundled or given",
  },
  KAFKA_SSL_CA_LOCATION: {
    unset: 'the bundled certificates',
    meaning: 'the same in a file of this machine; `KAFKA_SSL_CA_PEM` wins',
  },
  KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: {
    unset: '`https`; `none` where only the bundled certificates are trusted',
    meaning:
      "`none`, or an empty value: the certificate's chain is verified and the host name is not, which is what DMS needs",
  },
  KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN: {
    meaning:
      "the function's own certificate, for a listener that asks for one ([logins](logins.md#a-client-certificate)), and the intermediate ones: their text, or `file:` and a path in the bundle",
  },
  KAFKA_SSL_KEYSTORE_KEY: {
    unset: 'required with a certificate',
    secret: true,
    meaning:
      'its private key: PKCS #8, or the older forms of RSA and EC keys; `file:` and a path in the bundle, where the key is encrypted',
  },
  KAFKA_SSL_KEY_PASSWORD: {
    unset: 'required with an encrypted key',
    secret: true,
    meaning: "the key's password",
  },
  KAFKA_CLIENT_ID: { meaning: "how the brokers' logs and quotas know the functions" },
  KAFKA_REQUEST_TIMEOUT_MS: {
    unset: "the call's remaining time",
    meaning: 'the longest wait for an answer of a broker',
  },
  KAFKA_CONNECTION_TIMEOUT_MS: {
    unset: "the call's remaining time",
    meaning: 'the longest wait for a connection, with TLS and login',
  },
} as const satisfies Meanings;

export const securityProtocols = ['SASL_SSL', 'SASL_PLAINTEXT', 'SSL', 'PLAINTEXT'] as const;

export const saslMechanisms = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN', 'OAUTHBEARER'] as const;

export interface PasswordLogin {
  mechanism: Exclude<(typeof saslMechanisms)[number], 'OAUTHBEARER'>;
  username: string;
  password: Secret;
}

/** A login with a token that an authorization server gives for a client's id and secret (RFC 6749, section 4.4). */
export interface TokenLogin {
  mechanism: 'OAUTHBEARER';
  /** `https://…`, or `http://…` of this machine. */
  endpoint: string;
  clientId: string;
  clientSecret: Secret;
  scope: string | undefined;
  /** PEM of the authorities that are trusted for the endpoint besides Node's own: those for the brokers. */
  ca: string;
}

export type SaslConfig = PasswordLogin | TokenLogin;

/** What the function proves itself with to a broker that asks for it (mTLS). */
export interface ClientCertificate {
  /** PEM: the function's own certificate, then the intermediate ones. */
  chain: string;
  /** PKCS #8 in PEM, not encrypted. */
  key: Secret;
}

export interface SslConfig {
  /** PEM text that replaces the bundled certificates. */
  ca: string | undefined;
  /** Undefined: the host name is verified unless only the bundled certificates are trusted. */
  verifyHostname: boolean | undefined;
  clientCertificate?: ClientCertificate | undefined;
}

export interface ConnectionConfig {
  bootstrapServers: Address[];
  securityProtocol: (typeof securityProtocols)[number];
  sasl: SaslConfig | undefined;
  ssl: SslConfig | undefined;
  clientId: string;
  /** Upper bounds in milliseconds, beside the call's remaining time. */
  requestTimeout: number | undefined;
  connectionTimeout: number | undefined;
}

export function connectionConfig(variables: Variables): ConnectionConfig {
  const securityProtocol = variables.oneOf('KAFKA_SECURITY_PROTOCOL', securityProtocols, 'SASL_SSL');
  return {
    bootstrapServers: variables.addresses('KAFKA_BOOTSTRAP_SERVERS'),
    securityProtocol,
    sasl: securityProtocol.startsWith('SASL') ? saslConfig(variables) : undefined,
    ssl: securityProtocol.endsWith('SSL') ? sslConfig(variables) : undefined,
    clientId: variables.text('KAFKA_CLIENT_ID', 'kafka-functions'),
    requestTimeout: variables.integer('KAFKA_REQUEST_TIMEOUT_MS', undefined, { min: 1 }),
    connectionTimeout: variables.integer('KAFKA_CONNECTION_TIMEOUT_MS', undefined, { min: 1 }),
  };
}

function saslConfig(variables: Variables): SaslConfig {
  const mechanism = variables.oneOf('KAFKA_SASL_MECHANISM', saslMechanisms, 'SCRAM-SHA-512');
  if (mechanism === 'OAUTHBEARER') return { mechanism, ...tokenConfig(variables) };
  return {
    mechanism,
    username: variables.required('KAFKA_SASL_USERNAME'),
    password: new Secret(variables.required('KAFKA_SASL_PASSWORD')),
  };
}

function tokenConfig(variables: Variables): Omit<TokenLogin, 'mechanism'> {
  const [id, secret] = ['KAFKA_SASL_OAUTHBEARER_CLIENT_ID', 'KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET'] as const;
  for (const name of [id, secret]) variables.notBlank(name);
  return {
    endpoint: variables.secureUrl('KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL'),
    clientId: variables.required(id),
    clientSecret: new Secret(variables.required(secret)),
    scope: variables.text('KAFKA_SASL_OAUTHBEARER_SCOPE'),
    ca: givenAuthorities(variables) ?? bundledCertificates,
  };
}

function givenAuthorities(variables: Variables): string | undefined {
  return variables.certificates('KAFKA_SSL_CA_PEM') ?? variables.certificateFile('KAFKA_SSL_CA_LOCATION');
}

function sslConfig(variables: Variables): SslConfig {
  // Kafka itself uses the empty string to switch this off. Blanks are a slip.
  variables.notBlank('KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM');
  const algorithm = variables.oneOf(
    'KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM',
    ['https', 'none', ''],
    undefined,
  );
  return {
    ca: givenAuthorities(variables),
    verifyHostname: algorithm === undefined ? undefined : algorithm === 'https',
    clientCertificate: clientCertificate(variables),
  };
}

const CHAIN = 'KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN';
const KEY = 'KAFKA_SSL_KEYSTORE_KEY';
const KEY_PASSWORD = 'KAFKA_SSL_KEY_PASSWORD';

/** Whether the certificate is of use is for the broker to say: an expired one is no mistake in a variable. */
function clientCertificate(variables: Variables): ClientCertificate | undefined {
  for (const name of [CHAIN, KEY]) variables.notBlank(name);
  const chain = variables.certificates(CHAIN);
  const key = variables.privateKey(KEY, KEY_PASSWORD, variables.secret(KEY_PASSWORD));
  const [hasChain, hasKey] = [CHAIN, KEY].map((name) => variables.text(name) !== undefined);
  if (hasChain && !hasKey) variables.reject(KEY, `is required with ${CHAIN}`);
  if (hasKey && !hasChain) variables.reject(CHAIN, `is required with ${KEY}`);
  if (chain === undefined || !key) return undefined;
  if (!new X509Certificate(chain).checkPrivateKey(key)) {
    variables.reject(CHAIN, `must begin with the certificate of the key in ${KEY}: it fits another key`);
  }
  return { chain, key: new Secret(key.export({ type: 'pkcs8', format: 'pem' }).toString()) };
}
