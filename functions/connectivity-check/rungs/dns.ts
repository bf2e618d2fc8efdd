import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { within } from '../../../src/deadline.ts';
import { type Address, addressText } from '../../../src/variables.ts';
import type { Fault } from '../faults.ts';
import { Broken, type Notice, type Passed } from '../ladder/ladder.ts';
import { type Run, standby } from '../ladder/run.ts';
import { accessModeOf, isPrivate, kindOf, ownAddresses } from '../probes/addresses.ts';

/** c-ares's errors for a name that getaddrinfo could not resolve. */
const faultsByCode: Record<string, Fault> = {
  ENOTFOUND: 'DNS_NXDOMAIN',
  // No name can have a null byte; newer versions of Node.js don't even ask.
  ERR_INVALID_ARG_VALUE: 'DNS_NXDOMAIN',
  ENODATA: 'DNS_NODATA',
  ESERVFAIL: 'DNS_SERVFAIL',
  EREFUSED: 'DNS_SERVFAIL',
  EFORMERR: 'DNS_SERVFAIL',
  ENOTIMP: 'DNS_SERVFAIL',
  EBADRESP: 'DNS_SERVFAIL',
  ETIMEOUT: 'DNS_TIMEOUT',
  ECONNREFUSED: 'DNS_NO_RESOLVER',
};

/**
 * Resolves a host with getaddrinfo, as clients do. It has one error for a missing name and a missing address, and one
 * for all troubles of the name server, so where it fails or is late, the name server is asked directly.
 */
export async function resolve(
  address: Address,
  run: Pick<Run, 'deadline' | 'patienceMs'>,
): Promise<Passed<string[]>> {
  const { host } = address;
  const system = lookUp(host);
  const second = standby(system, run, () => askNameServer(host, run.deadline));
  try {
    const found = await within(system, run.deadline, () =>
      Object.assign(new Error('late'), { code: 'ETIMEOUT' }),
    );
    const ips = [...new Set(found.map(({ address: ip }) => ip))];
    const notices = privateNotices(address, ips);
    const evidence = ips.map((ip) => `${ip} (${kindOf(ip)})`).join(', ');
    return { value: ips, evidence, notices };
  } catch (error) {
    const systemCode = codeOf(error);
    const code = await second();
    const fault = faultsByCode[code] ?? faultsByCode[systemCode] ?? 'DNS_TIMEOUT';
    throw new Broken(fault, `getaddrinfo: ${systemCode}; name server: ${code}`);
  }
}

/** Rejects, and never throws, whatever the name. */
async function lookUp(host: string) {
  return lookup(host, { all: true, verbatim: true });
}

export function isName(host: string): boolean {
  return isIP(host) === 0;
}

/** Returns the code of the first trouble, or `answers` where the name server has an address. */
async function askNameServer(host: string, deadline: number): Promise<string> {
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  const ask = async (kind: 'A' | 'AAAA') => {
    try {
      await resolver.resolve(host, kind);
      return 'answers';
    } catch (error) {
      return codeOf(error);
    }
  };
  try {
    const questions = Promise.all([ask('A'), ask('AAAA')]);
    const codes = await within(questions, deadline, () => new Error('late')).catch(() => ['ETIMEOUT']);
    // A missing IPv6 address matters only where nothing else is wrong with the name.
    return codes.find((code) => code !== 'ENODATA') ?? 'ENODATA';
  } finally {
    resolver.cancel();
  }
}

function privateNotices(address: Address, ips: readonly string[]): Notice[] {
  const privateIps = ips.filter(isPrivate);
  const isOutside = accessModeOf(address.port) === 'public' || !ownAddresses().some(isPrivate);
  if (privateIps.length === 0 || !isOutside) return [];
  return [{ warning: 'DNS_PRIVATE', target: addressText(address), detail: privateIps.join(', ') }];
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
