import { addressText } from '../../../src/variables.ts';
import { type Asking, question, type Run } from '../ladder/run.ts';
import type { Probe } from '../report.ts';
import { accessPorts } from './addresses.ts';
import { identify } from './identify.ts';

/** More hosts than this that don't answer tell nothing new. */
const MAX_HOSTS = 3;
/** A port that has not answered by then won't: the verdict doesn't wait for it. */
const MAX_WAIT_MS = 2_000;

/** What answers on the other ports that DMS for Kafka has, at an address that is dialled anyway. */
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
