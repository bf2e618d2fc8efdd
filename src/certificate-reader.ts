import { X509Certificate } from 'node:crypto';

/** Why something can't be read as certificates, as a sentence without its subject. */
export class CertificateRefused extends Error {
  override readonly name = 'CertificateRefused';
}

const SEQUENCE = 0x30;
const OBJECT_IDENTIFIER = 0x06;
const INTEGER = 0x02;
const CONTEXT_0 = 0xa0;
const STORE_REMEDY = 'take the certificate out of it, in PEM';

const certificateLabels = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'];
const pkcs7Labels = ['PKCS7', 'CMS'];

/**
 * Reads the certificates in a PEM text (RFC 7468) as people have it, in DER, or in PKCS #7 (a `.p7b`), each once.
 * Give TLS the result and not the text: OpenSSL silently skips what it can't read. Throws CertificateRefused.
 */
export function readCertificates(content: Buffer): X509Certificate[] {
  const certificates = isDer(content) ? ofDer(content) : ofText(content);
  return [...new Map(certificates.map((certificate) => [certificate.fingerprint256, certificate])).values()];
}

export function pemOf(certificates: readonly X509Certificate[]): string {
  return certificates.map(String).join('');
}

/** The object identifier of a certificate's signature algorithm (RFC 5280, section 4.1.1.2), in hex as DER has it. */
export function signatureAlgorithmOf(der: Buffer): string {
  const [, algorithm] = children(der, elementAt(der, 0));
  const [identifier] = algorithm ? children(der, algorithm) : [];
  return identifier ? der.toString('hex', identifier.start, identifier.end) : '';
}

/** In text, no `0` is followed by a byte of 0x80 or more. */
function isDer(content: Buffer): boolean {
  return content[0] === SEQUENCE && (content[1] ?? 0) >= 0x80;
}

function ofDer(der: Buffer): X509Certificate[] {
  switch (children(der, elementAt(der, 0))[0]?.tag) {
    case OBJECT_IDENTIFIER:
      return ofPkcs7(der);
    case INTEGER:
      throw new CertificateRefused(`is a PKCS12 store or a private key: ${STORE_REMEDY}`);
    default:
      if (elementAt(der, 0).end < der.length) {
        throw new CertificateRefused('has more behind its certificate: DER holds one alone');
      }
      return [certificateOf(der)];
  }
}

function ofText(content: Buffer): X509Certificate[] {
  if (content.includes(0)) throw new CertificateRefused(kindOfBinary(content));
  // Environment variables often hold `\n` instead of line ends.
  const text = content.toString('latin1').replace(/\\r\\n|\\n|\\r/g, '\n');
  const begun = text.split('-----BEGIN ').length - 1;
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]{1,40})-----([\s\S]*?)-----END \1-----/g)];
  if (begun === 0) throw new CertificateRefused('holds no certificate (-----BEGIN CERTIFICATE-----)');
  if (blocks.length < begun) {
    throw new CertificateRefused('holds a certificate that is cut off (no -----END CERTIFICATE-----)');
  }
  return blocks.flatMap(([, label = '', body = '']) => ofBlock(label, body));
}

function ofBlock(label: string, body: string): X509Certificate[] {
  if (pkcs7Labels.includes(label)) return ofPkcs7(bytesOf(body));
  if (certificateLabels.includes(label)) return [certificateOf(bytesOf(body))];
  throw new CertificateRefused(`holds a ${label}: certificates alone belong there`);
}

function bytesOf(body: string): Buffer {
  const lines = body.split(/[\r\n]+/).map((line) => line.trim());
  if (lines.some((line) => /\s/.test(line))) {
    throw new CertificateRefused('has spaces where the lines of a certificate end');
  }
  const base64 = lines.join('');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    throw new CertificateRefused('holds a certificate that is not base64');
  }
  return Buffer.from(base64, 'base64');
}

/** Ignores what follows the certificate: a TRUSTED CERTIFICATE has OpenSSL's own notes there. */
function certificateOf(der: Buffer): X509Certificate {
  try {
    return new X509Certificate(der.subarray(0, elementAt(der, 0).end));
  } catch {
    throw new CertificateRefused('holds a certificate that is cut off or altered');
  }
}

/** ContentInfo { type, [0] SignedData { version, digests, content, [0] certificates … } } (RFC 2315). */
function ofPkcs7(der: Buffer): X509Certificate[] {
  const [, content] = children(der, elementAt(der, 0));
  const [signedData] = content ? children(der, content) : [];
  const certificates = signedData && children(der, signedData).find(({ tag }) => tag === CONTEXT_0);
  const found = certificates ? children(der, certificates) : [];
  if (found.length === 0) throw new CertificateRefused('is PKCS7 without a certificate');
  return found.map(({ at, end }) => certificateOf(der.subarray(at, end)));
}

/** An element of DER (X.690, section 8.1): where it begins and ends, and where its content begins. */
interface Element {
  tag: number;
  at: number;
  start: number;
  end: number;
}

function elementAt(der: Buffer, at: number): Element {
  const tag = der[at] ?? 0;
  const first = der[at + 1] ?? 0;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const start = at + 2 + lengthBytes;
  if (start <= der.length && lengthBytes <= 4 && first !== 0x80) {
    const end = start + (lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes));
    if (end <= der.length) return { tag, at, start, end };
  }
  throw new CertificateRefused('holds a certificate that is cut off or altered');
}

function children(der: Buffer, { start, end }: Element): Element[] {
  const elements: Element[] = [];
  for (let at = start; at < end; ) {
    const element = elementAt(der, at);
    elements.push(element);
    at = element.end;
  }
  return elements;
}

function kindOfBinary(content: Buffer): string {
  const magic = content.toString('hex', 0, 4);
  if (/^(fffe|feff|2d00|002d)/.test(magic)) return 'is UTF-16 text: save it as UTF-8';
  if (magic === 'feedfeed') return `is a Java key store (JKS): ${STORE_REMEDY}`;
  if (magic === 'cececece') return `is a Java key store of the kind JCEKS: ${STORE_REMEDY}`;
  if (magic === '504b0304') return 'is a zip: take the certificate out of it';
  return 'is neither PEM nor DER nor PKCS7';
}
