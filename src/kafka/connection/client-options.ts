import type { ConnectionOptions } from 'node:tls';
import { bundledCertificates } from './certificates.ts';
import type { ConnectionConfig, SslConfig } from './config.ts';

/** What every connection to this cluster is made with. */
export interface ClientOptions extends Omit<ConnectionConfig, 'securityProtocol' | 'ssl'> {
  tls: ConnectionOptions | undefined;
}

export function clientOptions({ ssl, ...config }: ConnectionConfig): ClientOptions {
  return { ...config, tls: ssl && tlsOptions(ssl) };
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
