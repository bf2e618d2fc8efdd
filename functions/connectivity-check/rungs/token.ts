import { isIP, isIPv4, isIPv6, type LookupFunction } from 'node:net';
import { messageOf } from '../../../src/errors.ts';
import type { TokenLogin } from '../../../src/kafka/connection/config.ts';
import {
  claimsOf,
  requestToken,
  TokenDenied,
  TokenUnreachable,
} from '../../../src/kafka/connection/token-endpoint.ts';
import { type Token, Tokens } from '../../../src/kafka/connection/tokens.ts';
import { withoutSecrets } from '../../../src/kafka/connection/without-secrets.ts';
import { type Address, addressText } from '../../../src/variables.ts';
import { Broken } from '../ladder/ladder.ts';
import type { Run } from '../ladder/run.ts';
import { resolve } from './dns.ts';

const MAX_CLAIM = 200;

const faultsByStep = {
  dns: 'OAUTH_DNS',
  tcp: 'OAUTH_TCP',
  tls: 'OAUTH_TLS',
  http: 'OAUTH_TCP',
  answer: 'OAUTH_REFUSED',
} as const;

/** Where the sessions of a run get their tokens, and the first one. */
export interface RunTokens {
  tokens: Tokens;
  token: Token;
}

/** Fetches the token of a run and, where there is none, names what broke on the way to it. */
export async function fetchToken(
  login: TokenLogin,
  run: Pick<Run, 'check' | 'deadline' | 'patienceMs'>,
): Promise<RunTokens> {
  const address = addressOf(login);
  const target = addressText(address);
  const lookup = await allowedLookup(address, run);
  // Not those of the functions: a check goes the whole way.
  const tokens = new Tokens((request) => requestToken(login, { ...request, lookup }));
  try {
    return { tokens, token: await tokens.current(run.deadline) };
  } catch (error) {
    if (error instanceof TokenDenied) throw new Broken('OAUTH_REFUSED', `it ${error.what}`, { target });
    if (!(error instanceof TokenUnreachable)) throw error;
    const { step, reason, cause } = error;
    const words = step === 'tls' && cause !== undefined ? `${reason}: ${messageOf(cause)}` : reason;
    throw new Broken(faultsByStep[step], words, { target });
  }
}

function addressOf({ endpoint }: TokenLogin): Address {
  const { protocol, hostname, port } = new URL(endpoint);
  const standard = protocol === 'https:' ? 443 : 80;
  return { host: hostname.replace(/[[\]]/g, ''), port: Number(port) || standard };
}

/** Resolves the endpoint's name once, to the addresses that may be dialled. */
async function allowedLookup(
  address: Address,
  { check: { allowedAddresses }, ...run }: Pick<Run, 'check' | 'deadline' | 'patienceMs'>,
): Promise<LookupFunction> {
  const target = addressText(address);
  const { value: found } = isIP(address.host)
    ? { value: [address.host] }
    : await resolve(address, run).catch((error: unknown) => {
        throw error instanceof Broken ? new Broken('OAUTH_DNS', error.message, { target }) : error;
      });
  const ips = found.filter((ip) => allowedAddresses?.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4') ?? true);
  const addresses = ips.map((ip) => ({ address: ip, family: isIPv4(ip) ? 4 : 6 }));
  const [first] = addresses;
  if (!first) {
    const evidence = `${found.join(', ')} is outside CHECK_ALLOWED_ADDRESSES; not dialled`;
    throw new Broken('OAUTH_TCP', evidence, { target });
  }
  return (_hostname, { all }, callback) =>
    all ? callback(null, addresses) : callback(null, first.address, first.family);
}

/** What brokers compare a token by; nobody can log in with it. */
export function tokenEvidence({ value }: Token, { clientSecret }: TokenLogin): string {
  const { iss, aud, sub, exp } = claimsOf(value.reveal());
  const age = typeof exp === 'number' ? Math.round(Date.now() / 1_000 - exp) : 0;
  const expired = age > 0 ? `${age} s ago, by the clock of this function` : undefined;
  const claims = Object.entries({ issuer: iss, audience: aud, subject: sub, expired })
    .filter(([, claim]) => claim !== undefined)
    .map(([name, claim]) => `${name} ${[claim].flat().join(' ')}`)
    .map((words) => withoutSecrets(words, [clientSecret.reveal()]).slice(0, MAX_CLAIM));
  return claims.length === 0 ? 'the token says nothing of itself' : `the token: ${claims.join(', ')}`;
}
