import type { Session } from '../../../src/kafka/connection/session.ts';
import { allTopicsRequest, type MetadataResponse } from '../../../src/kafka/wire/metadata.ts';
import type { Run } from '../ladder/run.ts';

/** Nodes that should be there, and what is missing with them. */
export interface DownNodes {
  nodeIds: number[];
  /** Partitions, of the topics that this user may see, that have a replica there. */
  partitions: number;
  /** Those of them that have no leader. */
  leaderless: number;
}

export const noDownNodes: DownNodes = { nodeIds: [], partitions: 0, leaderless: 0 };

/**
 * Nodes that the replica lists name and the cluster gives no address for: some seconds after a broker's death
 * nothing else tells of it. A node without replicas was removed on purpose. None where the cluster does not
 * answer for all of its topics in time.
 */
export async function findDownNodes(
  session: Session,
  { brokers }: MetadataResponse,
  { deadline, log }: Pick<Run, 'deadline' | 'log'>,
): Promise<DownNodes> {
  /** By the nodes of a replica list: how many partitions have it, and how many of them no leader. */
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
