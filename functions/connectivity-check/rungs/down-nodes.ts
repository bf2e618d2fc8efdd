import type { Session } from '../../../src/kafka/connection/session.ts';
import { allTopicsRequest, type MetadataResponse } from '../../../src/kafka/wire/metadata.ts';
import type { Run } from '../ladder/run.ts';

/** Nodes that should be there, and the partitions that miss them. */
export interface DownNodes {
  nodeIds: number[];
  /** Partitions of visible topics with a replica on these nodes. */
  partitions: number;
  /** How many of them have no leader. */
  leaderless: number;
}

export const noDownNodes: DownNodes = { nodeIds: [], partitions: 0, leaderless: 0 };

/**
 * Finds nodes that replica lists name but that have no address: some seconds after a broker's death nothing else
 * shows it. A node without replicas was removed on purpose. Empty where the cluster doesn't answer in time.
 */
export async function findDownNodes(
  session: Session,
  { brokers }: MetadataResponse,
  { deadline, log }: Pick<Run, 'deadline' | 'log'>,
): Promise<DownNodes> {
  /** By replica list: how many partitions have it, and how many of these have no leader. */
  const byReplicas = new Map<string, { replicas: number[]; partitions: number; leaderless: number }>();
  try {
    const all = await session.send(
      allTopicsRequest(({ replicas, leader }) => {
        const known = byReplicas.get(`${replicas}`) ?? { replicas, partitions: 0, leaderless: 0 };
        known.partitions++;
        if (leader < 0) known.leaderless++;
        byReplicas.set(`${replicas}`, known);
      }),
      deadline,
    );
    const addressed = new Set([...brokers, ...all.brokers].map(({ nodeId }) => nodeId));
    const isMissing = (nodeId: number) => !addressed.has(nodeId);
    const affected = [...byReplicas.values()].filter(({ replicas }) => replicas.some(isMissing));
    const nodeIds = new Set(affected.flatMap(({ replicas }) => replicas.filter(isMissing)));
    const sum = (member: 'partitions' | 'leaderless') =>
      affected.reduce((total, counts) => total + counts[member], 0);
    return {
      nodeIds: [...nodeIds].sort((a, b) => a - b),
      partitions: sum('partitions'),
      leaderless: sum('leaderless'),
    };
  } catch (error) {
    log.debug('the replica lists could not be read', { error });
    return noDownNodes;
  }
}
