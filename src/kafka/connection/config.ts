import { Secret } from '../../secret.ts';
import type { Address, Meanings, Variables } from '../../variables.ts';

export const meanings = {
  KAFKA_BOOTSTRAP_SERVERS: { meaning: 'brokers to begin with; an IPv6 address in brackets' },
  KAFKA_SECURITY_PROTOCOL: { meaning: 'as the port of the instance has it' },
  KAFKA_SASL_MECHANISM: { meaning: 'as the instance was made with' },
  KAFKA_SASL_USERNAME: { unset: 'required with SASL', meaning: 'the Kafka user' },
  KAFKA_SASL_PASSWORD: { unset: 'required with SASL', secret: true, meaning: "the user's password" },
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

export const saslMechanisms = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'] as const;

export interface SaslConfig {
  mechanism: (typeof saslMechanisms)[number];
  username: string;
  password: Secret;
}

export interface SslConfig {
  /** PEM text that replaces the bundled certificates. */
  ca: string | undefined;
  /** Undefined: the host name is verified unless only the bundled certificates are trusted. */
  verifyHostname: boolean | undefined;
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
  return {
    mechanism: variables.oneOf('KAFKA_SASL_MECHANISM', saslMechanisms, 'SCRAM-SHA-512'),
    username: variables.required('KAFKA_SASL_USERNAME'),
    password: new Secret(variables.required('KAFKA_SASL_PASSWORD')),
  };
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
    ca: variables.certificates('KAFKA_SSL_CA_PEM') ?? variables.certificateFile('KAFKA_SSL_CA_LOCATION'),
    verifyHostname: algorithm === undefined ? undefined : algorithm === 'https',
  };
}
