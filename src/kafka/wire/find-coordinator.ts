import findCoordinator from 'kafkajs/src/protocol/requests/findCoordinator/index.js';
import { kafkajsRequest, type Request } from './request.ts';

const GROUP = 0;

/** Which broker looks after a group; the error code says why there is none. */
export function findGroupCoordinator(groupId: string): Request<{ errorCode: number; nodeId: number }> {
  const request = kafkajsRequest(findCoordinator, { groupId, coordinatorType: GROUP });
  return {
    ...request,
    decode: async (payload, version) => {
      const { errorCode, coordinator } = await request.decode(payload, version);
      return { errorCode, nodeId: coordinator.nodeId };
    },
  };
}
