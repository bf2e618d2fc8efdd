import { Failure } from '../../../src/errors.ts';
import type { Connection } from '../../../src/kafka/connection/connection.ts';
import type { GroupOffsets } from '../../../src/kafka/fetch/group-offsets.ts';
import { TransactionalProducer } from '../../../src/kafka/produce/transactional-producer.ts';
import type { TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import type { Log } from '../../../src/log.ts';

interface OldIdsOptions {
  connection: Connection;
  group: GroupOffsets;
  log: Log;
}

/**
 * Shuts out pulls of versions before 0.2.0, whose transactional ids were `<group>-<topic>-<partition>`, and ends
 * their open transactions. Remove it in 0.4.0, when nobody upgrades from there any more.
 */
export function oldTransactionalIds({ connection, group, log }: OldIdsOptions) {
  let mayUse = true;
  return {
    /** Throws a Failure, unless this user may not use the old id: then no old pull could use it either. */
    async shutOut({ topic, partition }: TopicPartition, deadline: number): Promise<void> {
      const transactionalId = `${group.groupId}-${topic}-${partition}`;
      try {
        if (mayUse) await new TransactionalProducer(connection, transactionalId, group, log).begin(deadline);
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== 'TOPIC_NOT_AUTHORIZED') throw error;
        if (mayUse) {
          log.warn(
            'a version before 0.2.0 that is still at work would not be noticed: its transactional ids are not permitted',
            { transactionalId },
          );
        }
        mayUse = false;
      }
    },
  };
}
