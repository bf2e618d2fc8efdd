import { Failure } from '../../errors.ts';
import type { Connection } from '../connection/connection.ts';
import type { TopicPartition } from '../wire/by-topic.ts';
import type { IsolationLevel } from '../wire/fetch.ts';
import { type LogEnd, listOffsetsRequest } from '../wire/list-offsets.ts';
import { askLeaders, type Patience } from './ask-leaders.ts';

/**
 * Where each log begins (`earliest`) or ends (`latest`: the last stable offset under read_committed, else the high
 * watermark). Resolves with an offset or a Failure for each partition, in their order.
 */
export async function logOffsets(
  connection: Connection,
  partitions: readonly TopicPartition[],
  end: LogEnd,
  { isolationLevel, ...patience }: Patience & { isolationLevel: IsolationLevel },
): Promise<(number | Failure)[]> {
  const answers = await askLeaders(
    connection,
    partitions,
    (wanted) => listOffsetsRequest(wanted, end, isolationLevel),
    patience,
  );
  return answers.map((answer) => (answer instanceof Failure ? answer : answer.offset));
}
