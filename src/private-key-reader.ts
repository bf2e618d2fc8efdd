import { createPrivateKey, type KeyObject } from 'node:crypto';

/** Why something can't be read as a private key, as a sentence without its subject. */
export class PrivateKeyRefused extends Error {
  override readonly name = 'PrivateKeyRefused';
}

/** A private key as PEM has it (RFC 7468), and whether it takes a password to read it. */
export interface PemKey {
  pem: string;
  isEncrypted: boolean;
}

/**
 * Finds the one private key in a text: PKCS #8, encrypted or not, or the older forms of RSA and EC keys. What tools
 * write around it is left out: bag attributes, the parameters of a curve. Throws PrivateKeyRefused.
 */
export function findPrivateKey(content: Buffer): PemKey {
  // Environment variables often hold `\n` instead of line ends.
  const text = content.toString('latin1').replace(/\\r\\n|\\n|\\r/g, '\n');
  const begun = text.split(/-----BEGIN [A-Z ]*PRIVATE KEY-----/).length - 1;
  const [block, ...others] =
    text.match(/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?-----END \1-----/g) ?? [];
  if (begun === 0) throw new PrivateKeyRefused('holds no private key in PEM (-----BEGIN PRIVATE KEY-----)');
  if (!block || begun > others.length + 1) {
    throw new PrivateKeyRefused('holds a private key that is cut off (no -----END PRIVATE KEY-----)');
  }
  if (others.length > 0) throw new PrivateKeyRefused('holds several private keys: one alone belongs there');
  const pem = block.replace(/[ \t]+$|^[ \t]+/gm, '');
  return { pem, isEncrypted: /^-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(pem) };
}

/** Opens a key, with its password where it is encrypted; undefined where that can't be. */
export function openPrivateKey({ pem }: PemKey, passphrase?: string): KeyObject | undefined {
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase });
  } catch {
    // OpenSSL's own words differ with the form of the key and tell nothing more.
    return undefined;
  }
}
