import { X509Certificate } from 'node:crypto';
import { type ConnectionOptions, checkServerIdentity, rootCertificates, type TLSSocket } from 'node:tls';
import { readCertificates, signatureAlgorithmOf } from '../../../src/certificate-reader.ts';
import { Broken, type Notice } from '../ladder/ladder.ts';
import type { CertificateReport, TlsReport } from '../report.ts';

const DAY_MS = 86_400_000;
const EXPIRES_SOON_DAYS = 30;
const MAX_CHAIN = 10;
const DATE_ERRORS = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'] as const;
type DateError = (typeof DATE_ERRORS)[number];
const NAME_ERROR = 'ERR_TLS_CERT_ALTNAME_INVALID';
export const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2';
const MIN_RSA_BITS = 1_024;
/** Object identifiers in hex, as in DER. */
const weakSignatures: Record<string, string> = {
  '2a864886f70d010104': 'MD5',
  '2a864886f70d010105': 'SHA-1',
  '2a8648ce3d0401': 'SHA-1',
};

/** Everything that a handshake showed, even if a client would end it. */
export function tlsReport(socket: TLSSocket, host: string, options: ConnectionOptions): TlsReport {
  const certificate = socket.getPeerCertificate(true);
  return {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher()?.name ?? null,
    chain: pathOf(chainOf(socket), trustedCertificates(options)).certificates.flatMap(describe),
    hostnameMatches: checkServerIdentity(host, certificate) === undefined,
    hostnameVerified: options.checkServerIdentity === undefined,
  };
}

/**
 * Throws where a client with these options would end the connection. OpenSSL and Node.js alone decide that (RFC 5280,
 * section 6.1); the rest of this file explains it.
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

export function expiryNotices(chain: readonly CertificateReport[], target: string): Notice[] {
  const next = chain.reduce<CertificateReport | undefined>(
    (soonest, certificate) => (soonest && soonest.daysLeft <= certificate.daysLeft ? soonest : certificate),
    undefined,
  );
  if (!next || next.daysLeft >= EXPIRES_SOON_DAYS) return [];
  const detail = `${next.subject} expires on ${next.validTo.slice(0, 10)}, in ${next.daysLeft} days`;
  return [{ warning: 'CERT_EXPIRES_SOON', target, detail }];
}

function explain(socket: TLSSocket, host: string, options: ConnectionOptions): Broken {
  const code = authorizationCode(socket) ?? 'not verified';
  const sent = chainOf(socket);
  const [leaf] = sent;
  if (!leaf) return new Broken('CA_UNTRUSTED', 'the server sent no certificate');
  if (code === NAME_ERROR) {
    return new Broken(
      'HOST_MISMATCH',
      `the certificate names ${leaf.subjectAltName ?? oneLine(leaf.subject)}, not ${host}`,
    );
  }
  const trusted = trustedCertificates(options);
  const { certificates, isAnchored } = pathOf(sent, trusted);
  // OpenSSL checks the dates last, so a date error hides that the chain leads nowhere.
  if (isDateError(code) && isAnchored) return dateFault(code, certificates, leaf);
  if (code === 'INVALID_PURPOSE' || code === 'INVALID_CA') return purposeFault(certificates, leaf, code);
  const weak = certificates.map(weaknessOf).find((weakness) => weakness !== undefined);
  if (isAnchored && weak) return new Broken('CERT_WEAK', `${weak} (${code})`);
  const last = certificates.at(-1) ?? leaf;
  const issuer = oneLine(last.issuer);
  const names = options.ca === undefined ? 'the public authorities' : namesOfAll(trusted);
  if (isAmong(trusted, last)) {
    const root = `its own issuer, ${issuer}, is not`;
    return new Broken('ROOT_MISSING', `${oneLine(last.subject)} is trusted, ${root} (${code})`);
  }
  if (sent.length === 1 && leaf.subject === leaf.issuer) {
    return new Broken('SELF_SIGNED', `${oneLine(leaf.subject)} signed itself; trusted: ${names}`);
  }
  if (sent.length === 1 && lacksIntermediate(leaf, options)) {
    const alone = `the server sent its own certificate alone, issued by ${issuer}`;
    return new Broken('CHAIN_INCOMPLETE', `${alone}, which is not among the trusted: ${names} (${code})`);
  }
  const namesake = trusted.find(({ subject }) => subject === last.issuer);
  if (namesake) return new Broken('CA_UNTRUSTED', `${namesakeEvidence(namesake, last)} (${code})`);
  return new Broken('CA_UNTRUSTED', `issued by ${issuer}; trusted: ${names} (${code})`);
}

function purposeFault(certificates: readonly X509Certificate[], leaf: X509Certificate, code: string): Broken {
  const notAuthority = certificates.slice(1).find(({ ca }) => !ca);
  return new Broken(
    'CERT_PURPOSE',
    notAuthority
      ? `${oneLine(notAuthority.subject)} issued a certificate, and is not an authority (${code})`
      : `${oneLine(leaf.subject)} is not for servers: its extended key usage is ${leaf.keyUsage?.map(usageName).join(', ') ?? 'another'} (${code})`,
  );
}

function usageName(identifier: string): string {
  return identifier === CLIENT_AUTHENTICATION ? 'clientAuth' : identifier;
}

/** Renewed authorities often keep their name. */
function namesakeEvidence(namesake: X509Certificate, last: X509Certificate): string {
  const name = oneLine(namesake.subject);
  const own = `the one trusted here (SHA-256 ${fingerprintOf(namesake)})`;
  const isSent = last.subject === last.issuer;
  return isSent
    ? `issued by ${name} with SHA-256 ${fingerprintOf(last)}; that is not ${own}, which has the same name`
    : `issued by an authority that has the name ${name} and another key than ${own}`;
}

/** The beginning tells two fingerprints apart; `npm run build` prints them whole. */
function fingerprintOf({ fingerprint256 }: X509Certificate): string {
  return `${fingerprint256.slice(0, 23)}…`;
}

/** OpenSSL refuses, from security level 1 on, signatures and keys of less than 80 bits of strength. */
function weaknessOf(certificate: X509Certificate): string | undefined {
  const { subject, issuer, publicKey, raw } = certificate;
  const signature = weakSignatures[signatureAlgorithmOf(raw)];
  // Nobody relies on a root's own signature.
  if (signature && subject !== issuer) return `${oneLine(subject)} is signed with ${signature}`;
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  const bits = details?.modulusLength ?? MIN_RSA_BITS;
  return bits < MIN_RSA_BITS ? `${oneLine(subject)} has a key of ${bits} bits (${type})` : undefined;
}

/**
 * The path that OpenSSL builds, from the server's certificate up: trusted certificates come before those that the
 * server sent (X509_V_FLAG_TRUSTED_FIRST). It is anchored where the last one is trusted and signed itself.
 */
function pathOf(
  sent: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
): { certificates: X509Certificate[]; isAnchored: boolean } {
  const certificates: X509Certificate[] = [];
  let next = sent[0];
  while (next && certificates.length < MAX_CHAIN) {
    const certificate: X509Certificate = next;
    certificates.push(certificate);
    if (isIssuer(certificate, certificate))
      return { certificates, isAnchored: isAmong(trusted, certificate) };
    next = [...trusted, ...sent].find((other) => isIssuer(other, certificate));
  }
  return { certificates, isAnchored: false };
}

/**
 * Whether an intermediate is likely missing, and not the authority. It is likely where the certificate says where to
 * fetch its issuer, or the issuer is named like an intermediate or shares its organisation with a trusted authority.
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

function isAmong(certificates: readonly X509Certificate[], { fingerprint256 }: X509Certificate): boolean {
  return certificates.some((other) => other.fingerprint256 === fingerprint256);
}

function isIssuer(authority: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

function trustedCertificates({ ca }: ConnectionOptions): X509Certificate[] {
  if (ca !== undefined) return readCertificates(Buffer.from(String(ca)));
  return rootCertificates.map((text) => new X509Certificate(text));
}

function namesOfAll(certificates: readonly X509Certificate[]): string {
  const names = certificates.map(({ subject }) => oneLine(subject));
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

/** Empty where the end of validity can't be read. OpenSSL refuses such a certificate, and the verdict says so. */
export function describe({ subject, issuer, validTo }: X509Certificate): CertificateReport[] {
  const end = dateOf(validTo).getTime();
  if (Number.isNaN(end)) return [];
  const daysLeft = Math.floor((end - Date.now()) / DAY_MS);
  return [
    { subject: oneLine(subject), issuer: oneLine(issuer), validTo: new Date(end).toISOString(), daysLeft },
  ];
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
  // The type says Error, but without enforced certificates it is only the code.
  const error: unknown = socket.authorizationError;
  if (error === null || error === undefined) return undefined;
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
