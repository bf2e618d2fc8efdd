import { addressText } from '../../src/variables.ts';
import type { Climb } from './climb.ts';
import { baseOf, stageOf, stages } from './faults.ts';
import type { Findings } from './findings.ts';
import type { Ladder } from './ladder/ladder.ts';

type BrokenRung = NonNullable<Ladder['broken']>;

/** A fault, and the climb that met it. */
export interface FoundFault {
  climb: Climb;
  broken: BrokenRung;
}

/**
 * Sorts the faults: first those that break every address that can be reached, then those that break more places, then
 * by the lowest rung, bootstrap addresses before brokers. A bootstrap address that fails while another one leads to
 * the cluster comes last. Where every node of the cluster answers, it is a spare and not a fault.
 */
export function rankFaults(findings: Findings): { faults: FoundFault[]; spares: FoundFault[] } {
  const { bootstraps, brokers, seat, down } = findings;
  const climbs = [...bootstraps, ...brokers];
  const found = [
    ...climbs.flatMap((climb) => (climb.ladder.broken ? [{ climb, broken: climb.ladder.broken }] : [])),
    ...down.nodeIds.flatMap((nodeId) => downFault(nodeId, findings)),
  ];
  const isSpare = ({ climb }: FoundFault) =>
    seat !== undefined && answers(seat) && bootstraps.includes(climb) && !answers(climb);
  const connected = new Set(climbs.filter(isConnected).map(({ address }) => addressText(address)));
  const faults = sorted(
    found.filter((fault) => !isSpare(fault)),
    connected,
  );
  const spares = sorted(found.filter(isSpare), connected);
  if (down.nodeIds.length === 0 && brokers.every(answers)) return { faults, spares };
  return { faults: distinct([...faults, ...spares]), spares: [] };
}

function downFault(nodeId: number, { seat, brokers, down }: Findings): FoundFault[] {
  if (!seat) return [];
  const { nodeIds, partitions, leaderless } = down;
  const count = `${nodeIds.length} of ${nodeIds.length + brokers.length}`;
  const cost = leaderless > 0 ? `, and ${leaderless} of them have no leader` : '';
  const evidence = `broker ${nodeId}, ${count}; ${partitions} partitions have a replica there${cost}`;
  return [
    { climb: seat, broken: { fault: 'BROKER_DOWN', target: `broker ${nodeId}`, evidence, probes: [] } },
  ];
}

function sorted(found: readonly FoundFault[], connected: ReadonlySet<string>): FoundFault[] {
  const faults = distinct(found);
  const weight = ({ broken }: FoundFault) => {
    const alike = faults.filter((other) => baseOf(other.broken.fault) === baseOf(broken.fault));
    const places = new Set(alike.map(({ climb }) => addressText(climb.address)));
    const breaksAll =
      connected.size > 0 && isOfAddress(broken) && [...connected].every((address) => places.has(address));
    return [breaksAll ? 0 : 1, -alike.length, rung(broken)] as const;
  };
  const weighed = faults.map((fault) => ({ fault, weight: weight(fault) }));
  weighed.sort(({ weight: a }, { weight: b }) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
  return weighed.map(({ fault }) => fault);
}

/** An address that is both a bootstrap address and a broker's counts once. */
function distinct(found: readonly FoundFault[]): FoundFault[] {
  const byPlace = new Map<string, FoundFault>();
  for (const fault of found) {
    const { climb, broken } = fault;
    const place = `${baseOf(broken.fault)} ${broken.target ?? addressText(climb.address)}`;
    if (!byPlace.has(place)) byPlace.set(place, fault);
  }
  return [...byPlace.values()];
}

function rung({ fault }: BrokenRung): number {
  return stages.indexOf(stageOf(fault));
}

/** Whether the address gave metadata and could be asked for more. */
function answers({ ladder: { broken } }: Climb): boolean {
  return !broken || !isOfAddress(broken);
}

/** Whether the fault blocks everything at an address, unlike a fault of a topic. */
function isOfAddress(broken: BrokenRung): boolean {
  return rung(broken) <= stages.indexOf('metadata');
}

function isConnected({ ladder: { broken } }: Climb): boolean {
  return !broken || rung(broken) > stages.indexOf('tcp');
}
