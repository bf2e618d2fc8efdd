import { X509Certificate } from 'node:crypto';
import { type ConnectionOptions, checkServerIdentity, rootCertificates, type TLSSocket } from 'node:tls';
import type { Fault } from './faults.ts';
import { Broken, type Notice } from './ladder.ts';
import type { CertificateReport, TlsReport } from './report.ts';

const DAY_MS = 86_400_000;
const EXPIRES_SOON_DAYS = 30;
const MAX_CHAIN = 10;
const DATE_ERRORS = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'];
const NAME_ERROR = 'ERR_TLS_CERT_ALTNAME_INVALID';

/** All that a handshake showed, whether or not a client would go on after it. */
export function tlsReport(socket: TLSSocket, host: string, options: ConnectionOptions): TlsReport {
  const certificate = socket.getPeerCertificate(true);
  return {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher()?.name ?? null,
    chain: chainOf(socket).map(describe),
    hostnameMatches: checkServerIdentity(host, certificate) === undefined,
    hostnameVerified: options.checkServerIdentity === undefined,
  };
}

/** Throws what a client with these options would stumble over first: trust, then dates, then the name. */
export function judge(socket: TLSSocket, report: TlsReport, host: string, options: ConnectionOptions): void {
  const chain = chainOf(socket);
  const [leaf] = chain;
  if (!leaf) throw new Broken('CA_UNTRUSTED', 'the server sent no certificate');
  const untrusted = trustFault(socket, chain, options);
  if (untrusted) throw untrusted;
  const expired = chain.find((certificate) => Date.parse(certificate.validTo) < Date.now());
  if (expired) throw dateFault('CERT_EXPIRED', expired, leaf);
  const early = chain.find((certificate) => Date.parse(certificate.validFrom) > Date.now());
  if (early) throw dateFault('CERT_NOT_YET_VALID', early, leaf);
  if (report.hostnameVerified && !report.hostnameMatches) {
    throw new Broken('HOST_MISMATCH', `the certificate names ${namesOf(leaf)}, not ${host}`);
  }
}

export function tlsEvidence(report: TlsReport, host: string): string {
  const [leaf] = report.chain;
  const name = report.hostnameMatches
    ? ''
    : `; the certificate does not name ${host}, which is not asked for here (endpoint identification is off)`;
  return `${report.protocol}, ${report.cipher}, ${leaf?.daysLeft} days left (${leaf?.subject})${name}`;
}

export function expiryNotices(report: TlsReport, target: string): Notice[] {
  const next = report.chain.reduce<CertificateReport | undefined>(
    (soonest, certificate) => (soonest && soonest.daysLeft <= certificate.daysLeft ? soonest : certificate),
    undefined,
  );
  if (!next || next.daysLeft >= EXPIRES_SOON_DAYS) return [];
  const detail = `${next.subject} expires on ${next.validTo.slice(0, 10)}, in ${next.daysLeft} days`;
  return [{ warning: 'CERT_EXPIRES_SOON', target, detail }];
}

function trustFault(
  socket: TLSSocket,
  chain: readonly X509Certificate[],
  options: ConnectionOptions,
): Broken | undefined {
  const code = authorizationCode(socket);
  // A wrong date is the last thing that OpenSSL reports, and hides that the chain leads nowhere.
  const hidesTrust = code !== undefined && DATE_ERRORS.includes(code);
  if (code === undefined || code === NAME_ERROR || (hidesTrust && leadsToTrust(chain, options)))
    return undefined;
  const [leaf] = chain;
  const last = chain.at(-1);
  if (!leaf || !last) return undefined;
  const issuer = oneLine(last.issuer);
  const trusted = options.ca === undefined ? 'the public authorities' : trustedNames(options);
  if (chain.length === 1 && leaf.subject === leaf.issuer) {
    return new Broken('SELF_SIGNED', `${oneLine(leaf.subject)} signed itself; trusted: ${trusted}`);
  }
  if (chain.length === 1 && lacksIntermediate(leaf, options)) {
    const sent = `the server sent its own certificate alone, issued by ${issuer}`;
    return new Broken('CHAIN_INCOMPLETE', `${sent}, which is not among the trusted: ${trusted} (${code})`);
  }
  return new Broken('CA_UNTRUSTED', `issued by ${issuer}; trusted: ${trusted} (${code})`);
}

/**
 * A certificate whose issuer is unknown looks the same whether the authority or an intermediate is missing.
 * An intermediate is likely where the certificate says where to fetch its issuer, or the issuer's name is
 * one of an intermediate, or it shares the organisation of an authority that is trusted.
 */
function lacksIntermediate(leaf: X509Certificate, options: ConnectionOptions): boolean {
  const trusted = trustedCertificates(options);
  if (trusted.some((authority) => authority.subject === leaf.issuer)) return false;
  if (options.ca === undefined) return leaf.infoAccess?.includes('CA Issuers') ?? false;
  const organisation = part(leaf.issuer, 'O');
  return (
    /intermediate|issuing|subordinate|\bsub[ -]?ca\b/i.test(leaf.issuer) ||
    (organisation !== undefined && trusted.some(({ subject }) => part(subject, 'O') === organisation))
  );
}

function leadsToTrust(chain: readonly X509Certificate[], options: ConnectionOptions): boolean {
  const last = chain.at(-1);
  return last !== undefined && trustedCertificates(options).some((authority) => isIssuer(authority, last));
}

function isIssuer(authority: X509Certificate, certificate: X509Certificate): boolean {
  return (
    authority.fingerprint256 === certificate.fingerprint256 ||
    (certificate.checkIssued(authority) && certificate.verify(authority.publicKey))
  );
}

function trustedCertificates({ ca }: ConnectionOptions): X509Certificate[] {
  const texts = ca === undefined ? [...rootCertificates] : pemBlocks(String(ca));
  return texts.flatMap((text) => {
    try {
      return [new X509Certificate(text)];
    } catch {
      return [];
    }
  });
}

export function pemBlocks(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
}

function trustedNames(options: ConnectionOptions): string {
  const names = trustedCertificates(options).map(({ subject }) => oneLine(subject));
  return names.length === 0 ? 'nothing that can be read' : names.slice(0, 3).join('; ');
}

function dateFault(fault: Fault, certificate: X509Certificate, leaf: X509Certificate): Broken {
  const whose = certificate === leaf ? 'the certificate' : `the authority ${oneLine(certificate.subject)}`;
  const when =
    fault === 'CERT_EXPIRED'
      ? `expired on ${certificate.validTo}`
      : `is valid from ${certificate.validFrom} on`;
  return new Broken(fault, `${whose} ${when}; it is ${new Date().toISOString()} here`);
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let certificate = socket.getPeerCertificate(true);
  // The root is its own issuer.
  while (certificate?.raw && chain.length < MAX_CHAIN) {
    chain.push(new X509Certificate(certificate.raw));
    if (certificate.issuerCertificate === certificate) break;
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

function describe(certificate: X509Certificate): CertificateReport {
  const validTo = new Date(certificate.validTo);
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    validTo: validTo.toISOString(),
    daysLeft: Math.floor((validTo.getTime() - Date.now()) / DAY_MS),
  };
}

function namesOf({ subjectAltName, subject }: X509Certificate): string {
  return subjectAltName ?? oneLine(subject);
}

function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ');
}

function part(name: string, key: string): string | undefined {
  return name.split('\n').find((line) => line.startsWith(`${key}=`));
}

function authorizationCode(socket: TLSSocket): string | undefined {
  // Typed as an error; where certificates are not enforced it is the code alone.
  const error: unknown = socket.authorizationError;
  if (error === null || error === undefined) return undefined;
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
