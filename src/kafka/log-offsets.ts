import { remaining, sleep } from '../deadline.ts';
import { Failure } from '../errors.ts';
import type { Broker } from './broker.ts';
import { connectionFailure } from './client-errors.ts';
import type { Connection } from './connection.ts';
import { kafkaErrorName, kafkaErrors } from './error-codes.ts';
import { byTopic, type TopicPartition } from './wire/by-topic.ts';
import type { IsolationLevel } from './wire/fetch.ts';
import { type LogEnd, listOffsetsRequest } from './wire/list-offsets.ts';

/** How long a partition may be without a leader that answers: a fail-over takes seconds. */
const PATIENCE_MS = 15_000;
const BACKOFF_MS = 100;

/**
 * Where a partition's log begins (`earliest`) or ends (`latest`: the last stable offset under
 * read_committed, else the high watermark), one answer a partition, in their order: an offset, or why
 * its leader did not tell.
 */
export async function logOffsets(
  connection: Connection,
  partitions: readonly TopicPartition[],
  end: LogEnd,
  { isolationLevel, deadline }: { isolationLevel: IsolationLevel; deadline: number },
): Promise<(number | Failure)[]> {
  const patience = Math.min(deadline, Date.now() + PATIENCE_MS);
  const results = new Map<TopicPartition, number | Failure>();
  let open = [...partitions];
  for (let attempt = 0; open.length > 0 && (attempt === 0 || remaining(patience) > 0); attempt++) {
    if (attempt > 0) {
      await sleep(Math.min(BACKOFF_MS, remaining(patience)));
      for (const [topic] of byTopic(open)) {
        await connection.topic(topic, patience, { maxAgeMs: 0 }).catch(() => {});
      }
    }
    const asked = [...byLeader(connection, open, results)].map(([leader, wanted]) =>
      askLeader(leader, wanted, { end, isolationLevel, deadline: patience }),
    );
    for (const answers of await Promise.all(asked)) {
      for (const [item, answer] of answers) results.set(item, answer);
    }
    open = open.filter((item) => {
      const result = results.get(item);
      return result === undefined || (result instanceof Failure && result.retriable);
    });
  }
  return partitions.map((item) => results.get(item) ?? noLeader(item));
}

function byLeader(
  connection: Connection,
  partitions: readonly TopicPartition[],
  results: Map<TopicPartition, number | Failure>,
): Map<Broker, TopicPartition[]> {
  const leaders = new Map<Broker, TopicPartition[]>();
  for (const item of partitions) {
    const leader = connection.leader(item.topic, item.partition);
    if (!leader) results.set(item, noLeader(item));
    else leaders.set(leader, [...(leaders.get(leader) ?? []), item]);
  }
  return leaders;
}

async function askLeader(
  leader: Broker,
  partitions: readonly TopicPartition[],
  { end, isolationLevel, deadline }: { end: LogEnd; isolationLevel: IsolationLevel; deadline: number },
): Promise<[TopicPartition, number | Failure][]> {
  try {
    const listed = await leader.send(listOffsetsRequest(partitions, end, isolationLevel), deadline);
    const answers = new Map(listed.map((answer) => [`${answer.topic}/${answer.partition}`, answer]));
    return partitions.map((item) => {
      const answer = answers.get(`${item.topic}/${item.partition}`);
      if (!answer) return [item, noLeader(item)];
      return [item, answer.errorCode === kafkaErrors.NONE ? answer.offset : refusal(item, answer)];
    });
  } catch (error) {
    const failure = connectionFailure(error);
    return partitions.map((item) => [item, failure]);
  }
}

function refusal({ topic, partition }: TopicPartition, { errorCode }: { errorCode: number }): Failure {
  if (errorCode === kafkaErrors.TOPIC_AUTHORIZATION_FAILED) {
    return new Failure(
      'TOPIC_NOT_AUTHORIZED',
      `the cluster does not let this function read topic ${topic}: it needs Read on it`,
    );
  }
  const sentence = `the offsets of partition ${partition} of topic ${topic} are not known: ${kafkaErrorName(errorCode)}`;
  return new Failure('NO_LEADER', sentence);
}

function noLeader({ topic, partition }: TopicPartition): Failure {
  return new Failure('NO_LEADER', `partition ${partition} of topic ${topic} has no leader at the moment`);
}
