import type { ConnectionOptions } from 'node:tls';
import { bundledCertificates } from './certificates.ts';
import type { ConnectionConfig, SslConfig } from './config.ts';
import type { Tokens } from './tokens.ts';

/** Settings for every connection to this cluster. */
export interface ClientOptions extends Omit<ConnectionConfig, 'securityProtocol' | 'ssl'> {
  tls: ConnectionOptions | undefined;
  /** Where a login with OAUTHBEARER gets its tokens; default: where all of this process get theirs. */
  tokens?: Tokens;
}

export function clientOptions({ ssl, ...config }: ConnectionConfig): ClientOptions {
  return { ...config, tls: ssl && tlsOptions(ssl) };
}

/**
 * Verifies the chain in every case. Where only the bundled certificates are trusted, the host name is not verified
 * unless the variable asks for it, because DMS's server certificates don't name the broker's address.
 */
export function tlsOptions(
  { ca, verifyHostname, clientCertificate }: SslConfig,
  bundled = bundledCertificates,
): ConnectionOptions {
  const onlyBundled = ca === undefined && bundled !== '';
  const trusted = ca ?? bundled;
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    // An empty `ca` would trust nothing. Without `ca`, Node's own roots are trusted.
    ...(trusted === '' ? {} : { ca: trusted }),
    ...((verifyHostname ?? !onlyBundled) ? {} : { checkServerIdentity: () => undefined }),
    ...(clientCertificate && { cert: clientCertificate.chain, key: clientCertificate.key.reveal() }),
  };
}
