import type { ConnectionOptions } from 'node:tls';
import type { Address } from '../../variables.ts';
import { bundledCertificates } from './certificates.ts';
import type { ConnectionConfig, SaslConfig, SslConfig } from './config.ts';

/** What every connection to this cluster is made with. */
export interface ClientOptions {
  bootstrapServers: Address[];
  clientId: string;
  tls: ConnectionOptions | undefined;
  sasl: SaslConfig | undefined;
  requestTimeout: number | undefined;
  connectionTimeout: number | undefined;
}

export function clientOptions(config: ConnectionConfig): ClientOptions {
  return {
    bootstrapServers: config.bootstrapServers,
    clientId: config.clientId,
    tls: config.ssl && tlsOptions(config.ssl),
    sasl: config.sasl,
    requestTimeout: config.requestTimeout,
    connectionTimeout: config.connectionTimeout,
  };
}

/**
 * The chain is verified in every case. The host name is not where only the bundled certificates are
 * trusted, unless the variable asks for it: DMS's server certificates do not name the broker's address.
 */
export function tlsOptions(
  { ca, verifyHostname }: SslConfig,
  bundled = bundledCertificates,
): ConnectionOptions {
  const onlyBundled = ca === undefined && bundled !== '';
  const trusted = ca ?? bundled;
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    // An empty `ca` would trust nothing; without one Node's own roots are trusted.
    ...(trusted === '' ? {} : { ca: trusted }),
    ...((verifyHostname ?? !onlyBundled) ? {} : { checkServerIdentity: () => undefined }),
  };
}
