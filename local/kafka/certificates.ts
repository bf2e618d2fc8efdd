// The X.509 library builds its services with decorators, which need the Reflect API in place first.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

const DAY_MS = 24 * 60 * 60 * 1000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface Validity {
  /** Default: yesterday. */
  notBefore?: Date;
  /** Default: in 397 days, for an authority in 10 years. */
  notAfter?: Date;
}

export interface CertificateOptions extends Validity {
  commonName: string;
  /** DNS names and IP addresses, written as subject alternative names. */
  hosts: readonly string[];
}

export interface IssuedCertificate {
  /** The certificate alone, PEM. */
  certificate: string;
  /** What a server sends: the certificate and the intermediate authorities, without the root. */
  chain: string;
  /** PKCS#8 PEM, not encrypted. */
  key: string;
}

export interface CertificateAuthority {
  /** PEM. A client trusts it, if it is a root. */
  certificate: string;
  issue(options: CertificateOptions): Promise<IssuedCertificate>;
  /** An intermediate authority, signed by this one. */
  issueAuthority(options?: Validity & { commonName?: string }): Promise<CertificateAuthority>;
}

type KeyPair = webcrypto.CryptoKeyPair;

interface Signer {
  name: string;
  keys: KeyPair;
  publicKeyOf: x509.X509Certificate;
  /** PEM of the authorities below the root, nearest first. */
  intermediates: string;
}

/** A new self-signed root (EC P-256). */
export async function createCertificateAuthority(
  options: Validity & { commonName?: string } = {},
): Promise<CertificateAuthority> {
  const { commonName = 'kafka-functions local CA' } = options;
  const keys = await generateKeys();
  const name = distinguishedName(commonName);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name,
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(options, 3650),
    extensions: await authorityExtensions(keys),
  });
  return authority({ name, keys, publicKeyOf: certificate, intermediates: '' });
}

/** A certificate that no authority signed. */
export async function createSelfSignedCertificate(options: CertificateOptions): Promise<IssuedCertificate> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: distinguishedName(options.commonName),
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(options, 397),
    extensions: leafExtensions(options.hosts),
  });
  return issued(certificate, keys, '');
}

function authority(signer: Signer): CertificateAuthority {
  return {
    certificate: pem(signer.publicKeyOf),

    async issue(options) {
      const keys = await generateKeys();
      const certificate = await sign(signer, keys, options.commonName, validity(options, 397), [
        ...leafExtensions(options.hosts),
        await x509.AuthorityKeyIdentifierExtension.create(signer.publicKeyOf),
      ]);
      return issued(certificate, keys, signer.intermediates);
    },

    async issueAuthority(options = {}) {
      const { commonName = 'kafka-functions local intermediate CA' } = options;
      const keys = await generateKeys();
      const certificate = await sign(signer, keys, commonName, validity(options, 3650), [
        ...(await authorityExtensions(keys)),
        await x509.AuthorityKeyIdentifierExtension.create(signer.publicKeyOf),
      ]);
      return authority({
        name: distinguishedName(commonName),
        keys,
        publicKeyOf: certificate,
        intermediates: pem(certificate) + signer.intermediates,
      });
    },
  };
}

function sign(
  signer: Signer,
  keys: KeyPair,
  commonName: string,
  dates: Required<Validity>,
  extensions: x509.Extension[],
): Promise<x509.X509Certificate> {
  return x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: distinguishedName(commonName),
    issuer: signer.name,
    publicKey: keys.publicKey,
    signingKey: signer.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    ...dates,
    extensions,
  });
}

async function issued(
  certificate: x509.X509Certificate,
  keys: KeyPair,
  intermediates: string,
): Promise<IssuedCertificate> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: pem(certificate),
    chain: pem(certificate) + intermediates,
    key: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
  };
}

function leafExtensions(hosts: readonly string[]): x509.Extension[] {
  const names = hosts.map((host) => ({ type: isIP(host) ? ('ip' as const) : ('dns' as const), value: host }));
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    // Both uses, so that one certificate serves a broker or a client with mutual TLS.
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
  ];
}

async function authorityExtensions(keys: KeyPair): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
  ];
}

function generateKeys(): Promise<KeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function validity(options: Validity, days: number): Required<Validity> {
  const { notBefore = new Date(Date.now() - DAY_MS), notAfter = new Date(Date.now() + days * DAY_MS) } =
    options;
  return { notBefore, notAfter };
}

function distinguishedName(commonName: string): string {
  return `CN=${commonName.replace(/[,+"\\<>;=]/g, '\\$&')}`;
}

/** 16 random bytes as hex; the first bit stays clear, as a serial number is positive. */
function serialNumber(): string {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01;
  return bytes.toString('hex');
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
