import { isIPv6, type Socket } from 'node:net';
import { firstOf } from '../../../src/first-of.ts';
import type { Address } from '../../../src/variables.ts';
import { Broken, type Passed } from '../ladder/ladder.ts';
import { type Asking, type Run, standby } from '../ladder/run.ts';
import { isLoopback } from '../probes/addresses.ts';
import { type Dialled, dial } from '../probes/dial.ts';
import { askSiblings } from '../probes/siblings.ts';

interface Connected {
  socket: Socket;
  ip: string;
}

/** Dials all allowed addresses of a host at once and goes on with the first that answers. */
export async function connect(
  address: Address,
  ips: readonly string[],
  run: Asking & Pick<Run, 'check' | 'hostsAsked'>,
): Promise<Passed<Connected>> {
  const { allowedAddresses } = run.check;
  const allowed = ips.filter((ip) => allowedAddresses?.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4') ?? true);
  if (allowed.length === 0) {
    throw new Broken(
      'ADDRESS_NOT_ALLOWED',
      `${ips.join(', ')} is outside CHECK_ALLOWED_ADDRESSES; not dialled`,
    );
  }
  const limit = run.options.connectionTimeout;
  const deadline = limit === undefined ? run.deadline : Math.min(run.deadline, Date.now() + limit);
  const attempts = allowed.map(async (ip) => ({
    ip,
    dialled: await dial(ip, address.port, { deadline, sockets: run.sockets }),
  }));
  const first = firstOf(
    attempts.map(async (attempt): Promise<Connected | undefined> => {
      const { ip, dialled } = await attempt;
      return dialled.socket && { ip, socket: dialled.socket };
    }),
  );
  const siblings = standby(first, run, () => askSiblings(allowed[0] ?? '', address.port, run));
  const connected = await first;
  if (!connected) throw await notConnected(address, await Promise.all(attempts), siblings);
  for (const attempt of attempts) {
    void attempt.then(({ dialled: { socket } }) => socket === connected.socket || socket?.destroy());
  }
  return { value: connected, evidence: describe(connected, allowed) };
}

async function notConnected(
  address: Address,
  attempts: readonly { ip: string; dialled: Dialled }[],
  siblings: ReturnType<typeof standby<Awaited<ReturnType<typeof askSiblings>>>>,
): Promise<Broken> {
  const failures = attempts.flatMap(({ ip, dialled }) => (dialled.socket ? [] : [{ ip, ...dialled }]));
  // Most brokers listen on IPv4, so its failure tells more.
  const worst = failures.find(({ ip }) => !ip.includes(':')) ?? failures[0];
  const evidence = failures.map(({ ip, detail }) => `${ip}:${address.port} ${detail}`).join('; ');
  return new Broken(worst?.fault ?? 'TCP_TIMEOUT', evidence, { probes: await siblings() });
}

function describe({ socket, ip }: Connected, ips: readonly string[]): string {
  const from = isLoopback(ip) ? '' : ` from ${socket.localAddress}`;
  const others = ips.length > 1 ? ` (of ${ips.length} addresses)` : '';
  return `${ip}${from}${others}`;
}
