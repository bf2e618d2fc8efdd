/** Certificates with any dates and any signer, which no library issues: a real one is altered and signed anew. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export interface Leaf {
  certificate: string;
  key: string;
}

const PLACEHOLDERS = { notBefore: '20510101000000Z', notAfter: '20610101000000Z' };
const algorithms = {
  RSA: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
  EC: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
};
export type KeyKind = keyof typeof algorithms;

export interface Authority extends Leaf {
  name: string;
  keys: webcrypto.CryptoKeyPair;
  kind: KeyKind;
}

export async function newAuthority(kind: KeyKind, name = 'Example CA'): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(algorithms[kind], true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithms[kind],
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: await pkcs8(keys), name, keys, kind };
}

/**
 * A leaf for 127.0.0.1 that says it was issued by `issuer`, signed by `signer`. Its dates are GeneralizedTime
 * (`YYYYMMDDHHMMSSZ`), which holds the years 0 to 9999; its key is the signer's, as making one takes long.
 */
export async function leafOf(
  issuer: Authority,
  { signer, notBefore, notAfter }: { signer: Authority; notBefore: string; notAfter: string },
): Promise<Leaf> {
  const algorithm = algorithms[signer.kind];
  const real = await x509.X509CertificateGenerator.create({
    serialNumber: '02',
    subject: 'CN=kafka.example',
    issuer: `CN=${issuer.name}`,
    publicKey: signer.keys.publicKey,
    signingKey: signer.keys.privateKey,
    signingAlgorithm: algorithm,
    notBefore: new Date('2051-01-01T00:00:00Z'),
    notAfter: new Date('2061-01-01T00:00:00Z'),
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  const der = Buffer.from(real.rawData);
  replace(der, PLACEHOLDERS.notBefore, notBefore);
  replace(der, PLACEHOLDERS.notAfter, notAfter);
  const body = toBeSigned(der);
  const signature = Buffer.from(real.signature);
  // An EC signature in DER has 70 to 72 bytes: another one of the same length keeps the lengths around it.
  for (;;) {
    const raw = Buffer.from(await webcrypto.subtle.sign(algorithm, signer.keys.privateKey, body));
    const own = signer.kind === 'EC' ? derSignature(raw) : raw;
    if (own.length !== signature.length) continue;
    own.copy(der, der.length - own.length);
    break;
  }
  const certificate = `${new x509.X509Certificate(der).toString('pem')}\n`;
  return { certificate, key: signer.key };
}

function replace(der: Buffer, placeholder: string, moment: string): void {
  const at = der.indexOf(placeholder);
  if (at < 0 || moment.length !== placeholder.length) throw new Error(`${moment} is not a moment`);
  der.write(moment, at, 'latin1');
}

/** The first element inside the certificate's sequence. */
function toBeSigned(der: Buffer): Buffer {
  const start = headerLength(der);
  const inner = der.subarray(start);
  return inner.subarray(0, headerLength(inner) + contentLength(inner));
}

/** Of an element's tag and length: the long form says in its first byte how many follow (X.690, 8.1.3). */
function headerLength(der: Buffer): number {
  const first = der[1] ?? 0;
  return 2 + (first < 0x80 ? 0 : first & 0x7f);
}

function contentLength(der: Buffer): number {
  const first = der[1] ?? 0;
  return first < 0x80 ? first : der.readUIntBE(2, first & 0x7f);
}

/** ECDSA-Sig-Value (RFC 3279, section 2.2.3) of the two numbers that WebCrypto gives. */
function derSignature(raw: Buffer): Buffer {
  const integers = [raw.subarray(0, 32), raw.subarray(32)].map((bytes) => {
    const first = bytes.findIndex((byte) => byte !== 0);
    const number = bytes.subarray(first);
    const positive = (number[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.from([0]), number]) : number;
    return Buffer.concat([Buffer.from([2, positive.length]), positive]);
  });
  const content = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, content.length]), content]);
}

async function pkcs8(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return `${x509.PemConverter.encode(bytes, 'PRIVATE KEY')}\n`;
}
