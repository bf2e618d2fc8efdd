import { Failure } from '../../errors.ts';
import { groupBy } from '../../group-by.ts';
import type { Broker } from '../connection/broker.ts';
import type { Connection } from '../connection/connection.ts';
import type { TopicPartition } from '../wire/by-topic.ts';

/** Gathers partitions under their last known leaders; those without a leader stand under `undefined`. */
export function byLeader<T extends TopicPartition>(
  connection: Connection,
  partitions: readonly T[],
): Map<Broker | undefined, T[]> {
  return groupBy(partitions, ({ topic, partition }) => connection.leader(topic, partition));
}

export function noLeader(at: TopicPartition | undefined): Failure {
  return new Failure(
    'NO_LEADER',
    `partition ${at?.partition} of topic ${at?.topic} has no leader at the moment`,
  );
}
