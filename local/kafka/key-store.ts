import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { IssuedCertificate } from './certificates.ts';
import { int16, int32 } from './wire.ts';

/** Writes a key and its chain to `<path>.pem`; resolves with the broker properties that name the file. */
export async function pemKeyStore(
  path: string,
  { key, chain }: IssuedCertificate,
): Promise<Record<string, string>> {
  await writeFile(`${path}.pem`, key + chain, { mode: 0o600 });
  return { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': `${path}.pem` };
}

/** In Java's own format, for brokers before 3.0: they can't read a PEM whose key is not encrypted. */
export async function javaKeyStore(
  path: string,
  { key, chain }: IssuedCertificate,
): Promise<Record<string, string>> {
  const password = randomBytes(24).toString('base64url');
  const certificates = pemBlocks(chain).map((block) => new X509Certificate(block).raw);
  const privateKey = Buffer.from(key.replace(/-----.*-----|\s/g, ''), 'base64');
  await writeFile(`${path}.jks`, encodeStore(password, privateKey, certificates), { mode: 0o600 });
  return {
    'ssl.keystore.type': 'JKS',
    'ssl.keystore.location': `${path}.jks`,
    'ssl.keystore.password': password,
    'ssl.key.password': password,
  };
}

/** The authority of client certificates, in the same format. */
export async function javaTrustStore(path: string, certificate: string): Promise<Record<string, string>> {
  const password = randomBytes(24).toString('base64url');
  const { raw } = new X509Certificate(certificate);
  await writeFile(path, encodeTrust(password, raw));
  return {
    'ssl.truststore.type': 'JKS',
    'ssl.truststore.location': path,
    'ssl.truststore.password': password,
  };
}

const JKS = Buffer.from('feedfeed00000002', 'hex');
const PRIVATE_KEY_ENTRY = 1;
const CERTIFICATE_ENTRY = 2;
/** Hashed between the password and the store (sun.security.provider.JavaKeyStore). */
const WHITENER = 'Mighty Aphrodite';
/** Algorithm 1.3.6.1.4.1.42.2.17.1.1, with no parameters. */
const KEY_PROTECTOR = Buffer.from('300e060a2b060104012a021101010500', 'hex');

/** A store of one key (sun.security.provider.JavaKeyStore, engineStore). */
function encodeStore(password: string, key: Buffer, chain: readonly Buffer[]): Buffer {
  const createdAt = Buffer.alloc(8);
  const certificates = chain.map((certificate) => Buffer.concat([text('X.509'), sized(certificate)]));
  const store = Buffer.concat([
    ...[JKS, int32(1), int32(PRIVATE_KEY_ENTRY), text('broker'), createdAt],
    ...[sized(protectedKey(password, key)), int32(chain.length), ...certificates],
  ]);
  return withDigest(password, store);
}

/** A store of one certificate that is trusted. */
function encodeTrust(password: string, certificate: Buffer): Buffer {
  const createdAt = Buffer.alloc(8);
  const entry = [int32(CERTIFICATE_ENTRY), text('authority'), createdAt, text('X.509'), sized(certificate)];
  return withDigest(password, Buffer.concat([JKS, int32(1), ...entry]));
}

function withDigest(password: string, store: Buffer): Buffer {
  return Buffer.concat([store, sha1(utf16(password), Buffer.from(WHITENER), store)]);
}

/** An EncryptedPrivateKeyInfo as sun.security.provider.KeyProtector makes it. */
function protectedKey(password: string, key: Buffer): Buffer {
  const secret = utf16(password);
  const salt = randomBytes(20);
  const encrypted = Buffer.from(key);
  let pad: Buffer = salt;
  for (let at = 0; at < key.length; at++) {
    if (at % salt.length === 0) pad = sha1(secret, pad);
    encrypted.writeUInt8(key.readUInt8(at) ^ pad.readUInt8(at % salt.length), at);
  }
  const octets = der(0x04, Buffer.concat([salt, encrypted, sha1(secret, key)]));
  return der(0x30, Buffer.concat([KEY_PROTECTOR, octets]));
}

/** A value of ASN.1 shorter than 64 KiB. */
function der(tag: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag, 0x82]), int16(value.length), value]);
}

function sha1(...parts: readonly Buffer[]): Buffer {
  return createHash('sha1').update(Buffer.concat(parts)).digest();
}

function utf16(value: string): Buffer {
  return Buffer.from(value, 'utf16le').swap16();
}

function text(value: string): Buffer {
  return Buffer.concat([int16(value.length), Buffer.from(value)]);
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([int32(bytes.length), bytes]);
}

function pemBlocks(text: string): string[] {
  return text.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
}
