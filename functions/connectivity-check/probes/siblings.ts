import { addressText } from '../../../src/variables.ts';
import { type Asking, question, type Run } from '../ladder/run.ts';
import type { Probe } from '../report.ts';
import { accessPorts } from './addresses.ts';
import { identify } from './identify.ts';

/** More silent hosts than this tell nothing new. */
const MAX_HOSTS = 3;
/** The verdict doesn't wait longer for a port to answer. */
const MAX_WAIT_MS = 2_000;

/** Asks the other ports of DMS for Kafka at an address that is dialled anyway. */
export async function askSiblings(
  ip: string,
  port: number,
  run: Asking & Pick<Run, 'hostsAsked'>,
): Promise<Probe[]> {
  const { hostsAsked } = run;
  if (hostsAsked.has(ip) || hostsAsked.size >= MAX_HOSTS) return [];
  hostsAsked.add(ip);
  const others = accessPorts.filter((other) => other !== port);
  const asking = question(run, MAX_WAIT_MS);
  return Promise.all(
    others.map(async (other) => {
      const { text, ms } = await identify(ip, other, asking);
      return { address: addressText({ host: ip, port: other }), answer: text, ms: Math.round(ms) };
    }),
  );
}
