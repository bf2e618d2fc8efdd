import type { Session } from '../../src/kafka/session.ts';
import { type MetadataResponse, metadataRequest } from '../../src/kafka/wire/metadata.ts';
import type { Run } from './run.ts';

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
  run: Run,
): Promise<DownNodes> {
  try {
    const all = await session.send(metadataRequest('all'), run.deadline);
    const addressed = new Set([...brokers, ...all.brokers].map(({ nodeId }) => nodeId));
    const isMissing = (nodeId: number) => !addressed.has(nodeId);
    const affected = all.topics
      .flatMap(({ partitions }) => partitions)
      .filter(({ replicas }) => replicas.some(isMissing));
    const nodeIds = new Set(affected.flatMap(({ replicas }) => replicas.filter(isMissing)));
    return {
      nodeIds: [...nodeIds].sort((a, b) => a - b),
      partitions: affected.length,
      leaderless: affected.filter(({ leader }) => leader < 0).length,
    };
  } catch (error) {
    run.log.debug('the replica lists could not be read', { error });
    return noDownNodes;
  }
}
