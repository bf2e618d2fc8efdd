import { BlockList, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { AccessMode } from '../report.ts';

/** The ports of DMS for Kafka, the same in Huawei Cloud's and Open Telekom Cloud's guides. */
const ports: Record<number, { mode: AccessMode; sasl: boolean | undefined }> = {
  9092: { mode: 'private', sasl: false },
  9093: { mode: 'private', sasl: true },
  9192: { mode: 'private', sasl: false },
  9193: { mode: 'private', sasl: true },
  9094: { mode: 'public', sasl: false },
  9095: { mode: 'public', sasl: true },
  // Its protocol is chosen when the instance is created.
  9011: { mode: 'vpc-endpoint', sasl: undefined },
};

/** The same for a reader. */
export const portTable =
  '9092 plaintext and 9093 SASL in the VPC, 9094 and 9095 for public access, 9011 by VPC endpoint, 9192 and 9193 for IPv6';

export const accessPorts = Object.keys(ports).map(Number);

export function accessModeOf(port: number): AccessMode {
  return ports[port]?.mode ?? 'unknown';
}

/** Whether the port carries SASL on DMS; undefined where that is not fixed, or DMS doesn't have the port. */
export function carriesSasl(port: number): boolean | undefined {
  return ports[port]?.sasl;
}

/** Addresses that can't be reached from outside their network: RFC 1918, RFC 6598, RFC 4193 and link-local. */
const privateNetworks = new BlockList();
privateNetworks.addSubnet('10.0.0.0', 8);
privateNetworks.addSubnet('172.16.0.0', 12);
privateNetworks.addSubnet('192.168.0.0', 16);
privateNetworks.addSubnet('100.64.0.0', 10);
privateNetworks.addSubnet('169.254.0.0', 16);
privateNetworks.addSubnet('fc00::', 7, 'ipv6');
privateNetworks.addSubnet('fe80::', 10, 'ipv6');

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

export function isPrivate(ip: string): boolean {
  return privateNetworks.check(ip, isIPv4(ip) ? 'ipv4' : 'ipv6');
}

export function isLoopback(ip: string): boolean {
  return loopback.check(ip, isIPv4(ip) ? 'ipv4' : 'ipv6');
}

export function kindOf(ip: string): 'loopback' | 'private' | 'public' {
  return isLoopback(ip) ? 'loopback' : isPrivate(ip) ? 'private' : 'public';
}

/** This machine's addresses as others see them, which an inbound rule has to allow. */
export function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.filter(({ internal, family }) => !internal && family === 'IPv4').map(({ address }) => address);
}
