import { remaining, sleep } from '../../deadline.ts';
import { Failure } from '../../errors.ts';
import type { Broker } from '../connection/broker.ts';
import { connectionFailure, mayNotRead } from '../connection/client-errors.ts';
import type { Connection } from '../connection/connection.ts';
import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import { byPartition, byTopic, type TopicPartition } from '../wire/by-topic.ts';
import type { PartitionError } from '../wire/offset-commit.ts';
import type { Request } from '../wire/request.ts';
import { byLeader, noLeader } from './by-leader.ts';

/** How long a partition may lack a leader that responds. A fail-over takes seconds. */
const PATIENCE_MS = 15_000;
const BACKOFF_MS = 100;

export interface Patience {
  /** Epoch milliseconds. */
  deadline: number;
  /** Each leader is asked once; a leader that doesn't respond by the deadline gives a Failure. */
  once?: boolean | undefined;
}

/** Asks each leader for its partitions. Resolves with a result, or a Failure, for each one in their order. */
export async function askLeaders<P extends TopicPartition, A extends PartitionError>(
  connection: Connection,
  partitions: readonly P[],
  requestFor: (partitions: readonly P[]) => Request<A[]>,
  { deadline, once = false }: Patience,
): Promise<(A | Failure)[]> {
  const until = Math.min(deadline, Date.now() + PATIENCE_MS);
  const results = new Map<P, A | Failure>();
  let open = [...partitions];
  for (let attempt = 0; open.length > 0 && (attempt === 0 || remaining(until) > 0); attempt++) {
    if (attempt > 0) {
      if (once) break;
      await sleep(Math.min(BACKOFF_MS, remaining(until)));
      for (const [topic] of byTopic(open)) {
        await connection.topic(topic, until, { maxAgeMs: 0 }).catch(() => {});
      }
    }
    const asked = [...byLeader(connection, open)].map(([leader, wanted]) =>
      leader
        ? askLeader(leader, wanted, requestFor(wanted), until)
        : wanted.map((item): [P, Failure] => [item, noLeader(item)]),
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

async function askLeader<P extends TopicPartition, A extends PartitionError>(
  leader: Broker,
  partitions: readonly P[],
  request: Request<A[]>,
  deadline: number,
): Promise<[P, A | Failure][]> {
  try {
    const answerOf = byPartition(await leader.send(request, deadline));
    return partitions.map((item) => {
      const answer = answerOf(item);
      if (!answer) return [item, noLeader(item)];
      return [item, answer.errorCode === kafkaErrors.NONE ? answer : refusal(answer)];
    });
  } catch (error) {
    const failure = connectionFailure(error);
    return partitions.map((item) => [item, failure]);
  }
}

function refusal({ topic, partition, errorCode }: PartitionError): Failure {
  if (errorCode === kafkaErrors.TOPIC_AUTHORIZATION_FAILED) return mayNotRead(topic);
  const sentence = `the offsets of partition ${partition} of topic ${topic} are not known: ${kafkaErrorName(errorCode)}`;
  return new Failure('NO_LEADER', sentence);
}
