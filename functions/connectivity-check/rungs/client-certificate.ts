import { X509Certificate } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import { readCertificates } from '../../../src/certificate-reader.ts';
import { Broken, type Notice } from '../ladder/ladder.ts';
import type { Asking } from '../ladder/run.ts';
import { CLIENT_AUTHENTICATION, describe, expiryNotices } from './certificate.ts';

/** A server wants a client certificate: there is none, or it is refused, for a reason that may show in it. */
export function clientCertificateFault(evidence: string, { options: { tls } }: Asking): Broken {
  if (tls?.cert === undefined) return new Broken('MTLS_REQUIRED', evidence);
  const own = new X509Certificate(String(tls.cert));
  // An intermediate one may be over as well.
  const chain = readCertificates(Buffer.from(String(tls.cert)));
  const shown = chain.find(({ validTo }) => Date.parse(validTo) < Date.now()) ?? own;
  const [known] = describe(shown);
  const name = `${known?.subject}, issued by ${known?.issuer}`;
  return new Broken('MTLS_REFUSED', `${evidence}; shown was ${name}, ${conditionOf(shown)}`);
}

function conditionOf({ validFrom, validTo, keyUsage }: X509Certificate): string {
  if (Date.parse(validTo) < Date.now()) return `which expired on ${validTo}`;
  if (Date.parse(validFrom) > Date.now()) return `which is valid from ${validFrom} on`;
  if (keyUsage && !keyUsage.includes(CLIENT_AUTHENTICATION)) return 'which is not for clients';
  return `valid to ${validTo}`;
}

/** Of the function's own certificates, before they have expired: then the broker says more. */
export function ownExpiryNotices({ cert }: ConnectionOptions): Notice[] {
  const chain = cert === undefined ? [] : readCertificates(Buffer.from(String(cert))).flatMap(describe);
  if (chain.some(({ daysLeft }) => daysLeft < 0)) return [];
  return expiryNotices(chain, 'KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN');
}
