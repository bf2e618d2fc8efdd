import { readFile } from 'node:fs/promises';
import { unzipSync } from 'fflate';
import type { FunctionDescription } from './description.ts';

/** A DMS instance's ports with TLS: private, public, private over IPv6, and behind a VPC endpoint. */
const DMS_TLS_PORTS = ['9093', '9095', '9193', '9011'];
/** A certificate in a bundle; the first words alone are also in messages. */
const BUNDLED_CERTIFICATE = /-----BEGIN CERTIFICATE-----(\\n|\n)[A-Za-z0-9+/]{20}/;

/**
 * Why every connection of a function to DMS would fail: DMS has its own CA, which Node.js doesn't know. Undefined if the
 * package or a variable has its certificate, or if it isn't needed.
 */
export async function missingCertificate(
  { key, environment }: FunctionDescription,
  zip: string,
): Promise<string | undefined> {
  const { KAFKA_SECURITY_PROTOCOL: protocol = 'SASL_SSL', KAFKA_BOOTSTRAP_SERVERS: servers } = environment;
  if (servers === undefined || !protocol.endsWith('SSL')) return undefined;
  if (environment.KAFKA_SSL_CA_PEM || environment.KAFKA_SSL_CA_LOCATION) return undefined;
  // DMS's certificates don't name the broker, so a function that verifies the name connects to another cluster.
  if (environment.KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM === 'https') return undefined;
  const address = servers.split(',').find((server) => DMS_TLS_PORTS.includes(portOf(server)));
  if (address === undefined || (await hasCertificate(zip))) return undefined;
  return `functions.${key} speaks ${protocol} to ${address.trim()} and has no certificate: put phy_ca.crt or client.jks of the instance's certificate zip into certificates/, or set KAFKA_SSL_CA_PEM. (For a cluster with a certificate of a public CA set KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM=https.)`;
}

function portOf(address: string): string {
  return address.trim().slice(address.trim().lastIndexOf(':') + 1);
}

async function hasCertificate(zip: string): Promise<boolean> {
  const scripts = unzipSync(await readFile(zip), { filter: ({ name }) => name.endsWith('.js') });
  return Object.values(scripts).some((bytes) =>
    BUNDLED_CERTIFICATE.test(Buffer.from(bytes).toString('latin1')),
  );
}
