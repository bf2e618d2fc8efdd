import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openssl } from '../support/tools.ts';

const reason = await openssl.missing();
if (reason) throw new Error(reason);

/** A certificate and its key, PEM, as openssl makes them. */
export interface OddCertificate {
  certificate: string;
  key: string;
}

interface Wish {
  name: string;
  /** Undefined: it signs itself. */
  issuer?: OddCertificate;
  /** Lines of openssl's `x509v3_config`. */
  extensions: string;
  /** `rsa:2048`, `rsa:512` …, or the key of another certificate. */
  key?: string | OddCertificate;
  digest?: string;
  days?: number;
}

export const AUTHORITY = 'basicConstraints=critical,CA:TRUE';
export const SERVER = 'subjectAltName=IP:127.0.0.1';

/** A certificate that no careful authority would issue. */
export function oddCertificate({
  name,
  issuer,
  extensions,
  key = 'rsa:2048',
  digest = 'sha256',
  days = 100,
}: Wish): OddCertificate {
  const folder = mkdtempSync(join(tmpdir(), 'odd-certificate-'));
  const run = (...args: string[]) =>
    execFileSync(openssl.path, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  try {
    if (typeof key === 'string') run('genpkey', ...keyArguments(key), '-out', 'key');
    else writeFileSync(join(folder, 'key'), key.key);
    run('req', '-new', '-key', 'key', '-out', 'csr', '-subj', `/CN=${name}`);
    writeFileSync(join(folder, 'extensions'), extensions);
    writeFileSync(join(folder, 'ca'), issuer?.certificate ?? '');
    writeFileSync(join(folder, 'ca-key'), issuer?.key ?? '');
    const signer = issuer ? ['-CA', 'ca', '-CAkey', 'ca-key', '-CAcreateserial'] : ['-signkey', 'key'];
    const validity = ['-days', `${days}`, `-${digest}`, '-extfile', 'extensions'];
    run('x509', '-req', '-in', 'csr', '-out', 'certificate', ...signer, ...validity);
    return { certificate: read('certificate'), key: read('key') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function keyArguments(key: string): string[] {
  const [algorithm = '', bits] = key.split(':');
  return ['-algorithm', algorithm, '-pkeyopt', `rsa_keygen_bits:${bits}`];
}
