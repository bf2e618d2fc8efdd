import { addressText } from '../../src/variables.ts';
import type { Climb } from './climb.ts';
import { type Case, explanations, type Wording } from './explanations.ts';
import { baseOf } from './faults.ts';
import type { Findings } from './findings.ts';
import type { Notice } from './ladder/ladder.ts';
import type { Run } from './ladder/run.ts';
import { accessModeOf, accessPorts, isLoopback, isPrivate } from './probes/addresses.ts';
import type { Finding } from './report.ts';
import { warnings } from './warnings.ts';

const OTHER_CLOUDS = /\.(amazonaws\.com|confluent\.cloud|servicebus\.windows\.net|aivencloud\.com)$/i;

type BrokenLadder = NonNullable<Climb['ladder']['broken']>;

/** Explains a fault with one cause and one remedy, in the words of the cluster at hand. */
export function adviseFault(climb: Climb, broken: BrokenLadder, findings: Findings): Finding {
  const isAdvertised = broken.fault.startsWith('ADVERTISED_');
  const target = broken.target ?? addressText(climb.address);
  const { host, port } = climb.address;
  const { evidence, probes } = broken;
  const dms = wordingFor(findings.run);
  const found = { target, host, port, ips: climb.ips, evidence, probes, findings, dms };
  const { cause, remedy } = explanations[baseOf(broken.fault)](found);
  const introduction = isAdvertised ? advertisedIntroduction(found, climb) : '';
  return { fault: broken.fault, target, cause: `${introduction}${cause}`, remedy };
}

/** Explains a warning and how to act on it in time. */
export function adviseWarning({ warning, target, detail }: Notice, { run }: Findings): Finding {
  const { cause, remedy } = warnings[warning](detail, wordingFor(run));
  return { fault: warning, target, cause, remedy };
}

/** DMS always has these ports, on IP addresses, and its console exists for nobody else. */
function wordingFor({ connection }: Run): Wording {
  const isDms = connection.bootstrapServers.every(
    ({ host, port }) => accessPorts.includes(port) && !isLoopback(host) && !OTHER_CLOUDS.test(host),
  );
  return (words, other = '') => (isDms ? words : other);
}

function advertisedIntroduction({ findings, target, ips }: Case, climb: Climb): string {
  const { brokers, bootstraps, topic } = findings;
  const failed = brokers.filter(({ ladder }) => ladder.broken);
  const led = topic?.partitions.filter(({ leader }) => leader === climb.nodeId).length ?? 0;
  const publicBootstrap = bootstraps.some(
    ({ address, ips: own }) => own.some((ip) => !isPrivate(ip)) && accessModeOf(address.port) === 'public',
  );
  const share =
    failed.length === 1
      ? `only broker ${climb.nodeId} of ${brokers.length} fails`
      : `${failed.length} of ${brokers.length} brokers fail`;
  const cost = led > 0 ? `, which leads ${led} partitions of ${topic?.name}` : '';
  const mix =
    publicBootstrap && ips.some(isPrivate)
      ? ' The address is a private one, advertised to a client that came by public access.'
      : '';
  return `A bootstrap address answers, but it advertises ${target} as a broker, and ${share}${cost}.${mix} `;
}
