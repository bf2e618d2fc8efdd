import { X509Certificate } from 'node:crypto';
import { type ConnectionOptions, checkServerIdentity, rootCertificates, type TLSSocket } from 'node:tls';
import { Broken, type Notice } from './ladder.ts';
import type { CertificateReport, TlsReport } from './report.ts';

const DAY_MS = 86_400_000;
const EXPIRES_SOON_DAYS = 30;
const MAX_CHAIN = 10;
const DATE_ERRORS = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'] as const;
type DateError = (typeof DATE_ERRORS)[number];
const NAME_ERROR = 'ERR_TLS_CERT_ALTNAME_INVALID';

/** All that a handshake showed, whether or not a client would go on after it. */
export function tlsReport(socket: TLSSocket, host: string, options: ConnectionOptions): TlsReport {
  const certificate = socket.getPeerCertificate(true);
  return {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher()?.name ?? null,
    chain: chainOf(socket).flatMap(describe),
    hostnameMatches: checkServerIdentity(host, certificate) === undefined,
    hostnameVerified: options.checkServerIdentity === undefined,
  };
}

/**
 * Throws where a client with these options would end the connection. OpenSSL and Node.js alone decide that
 * (RFC 5280, section 6.1); what follows here finds words for it.
 */
export function judge(socket: TLSSocket, host: string, options: ConnectionOptions): void {
  if (!socket.authorized) throw explain(socket, host, options);
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

function explain(socket: TLSSocket, host: string, options: ConnectionOptions): Broken {
  const code = authorizationCode(socket) ?? 'not verified';
  const chain = chainOf(socket);
  const [leaf] = chain;
  if (!leaf) return new Broken('CA_UNTRUSTED', 'the server sent no certificate');
  if (code === NAME_ERROR) {
    return new Broken('HOST_MISMATCH', `the certificate names ${namesOf(leaf)}, not ${host}`);
  }
  // A wrong date is the last thing that OpenSSL looks at, and hides that the chain leads nowhere.
  if (isDateError(code) && leadsToTrust(chain, options)) return dateFault(code, chain, leaf);
  const issuer = oneLine(chain.at(-1)?.issuer);
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

/** Whether each certificate is signed by the next one, and the last by an authority that is trusted. */
function leadsToTrust(chain: readonly X509Certificate[], options: ConnectionOptions): boolean {
  const trusted = trustedCertificates(options);
  return chain.every((certificate, index) => {
    const issuers = index + 1 < chain.length ? chain.slice(index + 1, index + 2) : trusted;
    return issuers.some((issuer) => isIssuer(issuer, certificate));
  });
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

function dateFault(code: DateError, chain: readonly X509Certificate[], leaf: X509Certificate): Broken {
  const now = Date.now();
  const isOver = code === 'CERT_HAS_EXPIRED';
  const isWrong = ({ validFrom, validTo }: X509Certificate) =>
    isOver ? dateOf(validTo).getTime() < now : dateOf(validFrom).getTime() > now;
  const wrong = chain.find(isWrong) ?? leaf;
  const whose = wrong === leaf ? 'the certificate' : `the authority ${oneLine(wrong.subject)}`;
  const when = isOver ? `expired on ${wrong.validTo}` : `is valid from ${wrong.validFrom} on`;
  const fault = isOver ? 'CERT_EXPIRED' : 'CERT_NOT_YET_VALID';
  return new Broken(fault, `${whose} ${when}; it is ${new Date(now).toISOString()} here`);
}

/** OpenSSL prints `Jun 15 12:00:00 49 GMT` for the year 49, which `Date.parse` takes for 2049. */
function dateOf(text: string): Date {
  const [month = '', day, time, year = ''] = text.split(/ +/);
  const date = new Date(`${month} ${day} 2000 ${time} GMT`);
  date.setUTCFullYear(Number(year));
  return date;
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

/** Nothing of a certificate whose end can't be read: OpenSSL refuses it, and the verdict says so. */
function describe({ subject, issuer, validTo }: X509Certificate): CertificateReport[] {
  const end = dateOf(validTo).getTime();
  if (Number.isNaN(end)) return [];
  const daysLeft = Math.floor((end - Date.now()) / DAY_MS);
  return [
    { subject: oneLine(subject), issuer: oneLine(issuer), validTo: new Date(end).toISOString(), daysLeft },
  ];
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

function isDateError(code: string): code is DateError {
  return DATE_ERRORS.some((known) => known === code);
}

function authorizationCode(socket: TLSSocket): string | undefined {
  // Typed as an error; where certificates are not enforced it is the code alone.
  const error: unknown = socket.authorizationError;
  if (error === null || error === undefined) return undefined;
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
