import { createHash, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { CertificateRefused } from '../src/certificate-reader.ts';

const JKS_MAGIC = 0xfeedfeed;
const KEY_ENTRY = 1;
/** A JKS ends with a SHA-1 of the password, these words and the rest. */
const WHITENER = Buffer.from('Mighty Aphrodite');
const DIGEST_BYTES = 20;
/** An ASN.1 SEQUENCE whose first element is an INTEGER; no certificate begins like that. */
const PKCS12 = /^30(8[0-4])?[0-9a-f]{2,8}?02010330/;

export function isKeyStore(content: Buffer): boolean {
  return isJks(content) || PKCS12.test(content.toString('hex', 0, 12));
}

/**
 * The certificates of a Java key store (JKS) or a PKCS12 store, without those of a private key. Throws
 * CertificateRefused.
 */
export function readKeyStore(content: Buffer, password: string): X509Certificate[] {
  const certificates = isJks(content) ? ofJks(content, password) : ofPkcs12(content, password);
  if (certificates.length === 0) throw new CertificateRefused('holds no certificate of an authority');
  return certificates;
}

function isJks(content: Buffer): boolean {
  return content.length > 4 && content.readUInt32BE(0) === JKS_MAGIC;
}

/**
 * `sun.security.provider.JavaKeyStore` of Java defines the format. Certificates are not encrypted, so the passwords of
 * key entries are not needed.
 */
function ofJks(content: Buffer, password: string): X509Certificate[] {
  const body = content.subarray(0, -DIGEST_BYTES);
  const secret = Buffer.from(password, 'utf16le').swap16();
  const digest = createHash('sha1').update(secret).update(WHITENER).update(body).digest();
  if (!digest.equals(content.subarray(-DIGEST_BYTES))) throw wrongPassword();
  let at = 8;
  const bytes = (length: number) => {
    at += length;
    return body.subarray(at - length, at);
  };
  const int32 = () => bytes(4).readUInt32BE();
  const text = () => bytes(bytes(2).readUInt16BE());
  const certificate = () => {
    text(); // its type, X.509
    return new X509Certificate(bytes(int32()));
  };
  const certificates: X509Certificate[] = [];
  for (let entries = int32(); entries > 0; entries--) {
    const tag = int32();
    text(); // the alias
    bytes(8); // the date
    if (tag !== KEY_ENTRY) {
      certificates.push(certificate());
      continue;
    }
    bytes(int32()); // the encrypted key
    const chain = Array.from({ length: int32() }, certificate);
    certificates.push(...chain.slice(1));
  }
  return certificates;
}

function ofPkcs12(content: Buffer, password: string): X509Certificate[] {
  const asn1 = forge.asn1.fromDer(forge.util.createBuffer(content.toString('latin1')));
  const { certBag = '' } = forge.pki.oids;
  const bags = open(asn1, password).getBags({ bagType: certBag })[certBag] ?? [];
  return bags
    .filter(({ attributes }) => attributes?.localKeyId === undefined)
    .map(({ cert, asn1: raw }) => {
      const der = forge.asn1.toDer(cert ? forge.pki.certificateToAsn1(cert) : raw);
      return new X509Certificate(Buffer.from(der.getBytes(), 'latin1'));
    });
}

function open(asn1: forge.asn1.Asn1, password: string): forge.pkcs12.Pkcs12Pfx {
  try {
    return forge.pkcs12.pkcs12FromAsn1(asn1, false, password);
  } catch {
    throw wrongPassword();
  }
}

function wrongPassword(): CertificateRefused {
  return new CertificateRefused('cannot be opened: is KAFKA_SSL_TRUSTSTORE_PASSWORD its password?');
}
