import { Failure } from '../../src/errors.ts';
import type { Connection } from '../../src/kafka/connection/connection.ts';
import { GroupOffsets } from '../../src/kafka/fetch/group-offsets.ts';
import type { TopicPartition } from '../../src/kafka/wire/by-topic.ts';
import type { Log } from '../../src/log.ts';
import type { Environment } from '../../src/variables.ts';
import type { PullConfig } from './config.ts';
import { readPositions } from './pull/positions.ts';
import { replayGroupOf } from './replay/replay-group.ts';
import { pullConfigOf, warm } from './warm.ts';

/** Offsets between the place where the next pull or replay begins and the end of the log, markers included. */
export interface Waiting extends TopicPartition {
  records: number;
}

type Reader = Pick<PullConfig, 'groupId' | 'autoOffsetReset' | 'isolationLevel'>;

/** A pull logs what it finds. Metrics ask again and again, and must not. */
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** The records that wait for the next pull. Partitions that can't be looked at by the deadline are left out. */
export async function waitingRecords(environment: Environment, deadline: number): Promise<Waiting[]> {
  const config = pullConfigOf(environment);
  const { connection } = warm(environment);
  const each = config.topics.map((topic) => waitingIn(topic, config, connection, deadline));
  return (await Promise.all(each)).flat();
}

/** The dead letters that wait for a replay by its default group. */
export async function waitingDeadLetters(environment: Environment, deadline: number): Promise<Waiting[]> {
  const { topics } = pullConfigOf(environment);
  const { connection, consumer } = warm(environment);
  const each = consumer.deadLetterTopicsOf(topics).map((topic) => {
    const groupId = replayGroupOf(topic);
    const replay: Reader = { groupId, autoOffsetReset: 'earliest', isolationLevel: 'read_committed' };
    return waitingIn(topic, replay, connection, deadline);
  });
  return (await Promise.all(each)).flat();
}

async function waitingIn(
  topic: string,
  reader: Reader,
  connection: Connection,
  deadline: number,
): Promise<Waiting[]> {
  try {
    const known = await connection.topic(topic, deadline);
    const partitions = known.partitions.map(({ partition }) => ({ topic, partition }));
    const committed = new GroupOffsets(connection, reader.groupId, silent).committed(partitions, deadline);
    const options = { connection, config: reader, log: silent, deadline, once: true };
    const positions = await readPositions(partitions, committed, options);
    return positions.flatMap((position) => {
      if (position instanceof Failure) return [];
      const { partition, from, end } = position;
      return [{ topic, partition, records: Math.max(0, end - from) }];
    });
  } catch (error) {
    if (error instanceof Failure) return [];
    throw error;
  }
}
