import type { ConnectionConfig } from '../../../src/kafka/connection/config.ts';
import { type Address, addressText } from '../../../src/variables.ts';
import type { Notice } from '../ladder/ladder.ts';
import { accessModeOf, carriesSasl } from '../probes/addresses.ts';

/** Warns where the port contradicts the security protocol on DMS, or where DMS doesn't have it. */
export function portNotices(address: Address, { securityProtocol }: ConnectionConfig): Notice[] {
  const target = addressText(address);
  if (accessModeOf(address.port) === 'unknown') {
    return [{ warning: 'PORT_UNUSUAL', target, detail: `${address.port} is not a port of DMS for Kafka` }];
  }
  const wantsSasl = securityProtocol.startsWith('SASL');
  const carries = carriesSasl(address.port);
  if (carries === undefined || carries === wantsSasl) return [];
  const detail = `${address.port} is DMS's port ${carries ? 'with' : 'without'} SASL, and the protocol here is ${securityProtocol}`;
  return [{ warning: 'PORT_UNUSUAL', target, detail }];
}
