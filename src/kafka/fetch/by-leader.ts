import { Failure } from '../../errors.ts';
import type { Broker } from '../connection/broker.ts';
import type { Connection } from '../connection/connection.ts';
import type { TopicPartition } from '../wire/by-topic.ts';

/** Partitions gathered under their leaders as last heard of; under `undefined` those without one. */
export function byLeader<T extends TopicPartition>(
  connection: Connection,
  partitions: readonly T[],
): Map<Broker | undefined, T[]> {
  const leaders = new Map<Broker | undefined, T[]>();
  for (const item of partitions) {
    const leader = connection.leader(item.topic, item.partition);
    leaders.set(leader, [...(leaders.get(leader) ?? []), item]);
  }
  return leaders;
}

export function noLeader(at: TopicPartition | undefined): Failure {
  return new Failure(
    'NO_LEADER',
    `partition ${at?.partition} of topic ${at?.topic} has no leader at the moment`,
  );
}
