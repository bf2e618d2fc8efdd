import type { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertificateRefused, readCertificates } from '../src/certificate-reader.ts';
import { visible } from '../src/visible.ts';
import { isKeyStore, readKeyStore } from './key-stores.ts';
import { BuildRefused } from './refused.ts';

/** DMS documents it for the `client.jks` in its certificate zip. */
const DMS_TRUSTSTORE_PASSWORD = 'dms@kafka';
const DAY_MS = 86_400_000;

export interface BundledCertificate {
  /** The name of the file that holds it. */
  file: string;
  certificate: X509Certificate;
}

/**
 * Every certificate in the folder, once, in the order of the files' names. The content of a file decides its format.
 * Pages (`*.md`) and hidden files are skipped. Throws BuildRefused.
 */
export async function certificatesIn(directory: string): Promise<BundledCertificate[]> {
  const entries = existsSync(directory) ? await readdir(directory, { withFileTypes: true }) : [];
  const found = new Map<string, BundledCertificate>();
  const refused: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = entry.name;
    if (file.startsWith('.') || file.endsWith('.md')) continue;
    try {
      if (entry.isDirectory()) throw new CertificateRefused('is a folder: put its files beside it');
      for (const certificate of certificatesOf(await readFile(join(directory, file)))) {
        if (!found.has(certificate.fingerprint256))
          found.set(certificate.fingerprint256, { file, certificate });
      }
    } catch (error) {
      if (!(error instanceof CertificateRefused)) throw error;
      refused.push(`${join(directory, file)} ${error.message}`);
    }
  }
  if (refused.length > 0) throw new BuildRefused(refused);
  return [...found.values()];
}

/** A line for each certificate: file, subject, SHA-256, days left, and why it would not be trusted. */
export function describeCertificates(bundled: readonly BundledCertificate[]): string[] {
  return bundled.map(({ file, certificate }) => {
    const { subject, fingerprint256, validTo } = certificate;
    const days = Math.floor((Date.parse(validTo) - Date.now()) / DAY_MS);
    const expiry = days < 0 ? `EXPIRED ${validTo}` : `${days} days left`;
    const name = visible(subject.split('\n').join(', '));
    const remark = remarkOn(certificate, bundled);
    return `${visible(file)}  ${name}  SHA-256 ${fingerprint256}  ${expiry}${remark && `  (${remark})`}`;
  });
}

function remarkOn(certificate: X509Certificate, bundled: readonly BundledCertificate[]): string {
  if (isIssuer(certificate, certificate)) return '';
  if (!certificate.ca) return 'not an authority: nothing is trusted because of it';
  return bundled.some((other) => isIssuer(other.certificate, certificate))
    ? ''
    : 'not trusted: its issuer is not here';
}

function isIssuer(authority: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

function certificatesOf(content: Buffer): X509Certificate[] {
  if (!isKeyStore(content)) return readCertificates(content);
  return readKeyStore(content, process.env.KAFKA_SSL_TRUSTSTORE_PASSWORD ?? DMS_TRUSTSTORE_PASSWORD);
}
