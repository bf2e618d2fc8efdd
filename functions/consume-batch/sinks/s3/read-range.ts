import { remaining } from '../../../../src/deadline.ts';
import { Failure } from '../../../../src/errors.ts';
import type { Connection } from '../../../../src/kafka/connection/connection.ts';
import { Fetcher } from '../../../../src/kafka/fetch/fetching.ts';
import { PARTITION_BYTES } from '../../../../src/kafka/fetch/partition.ts';
import type { TopicPartition } from '../../../../src/kafka/wire/by-topic.ts';
import type { Log } from '../../../../src/log.ts';
import type { ConsumerRecord } from '../../../../src/record.ts';
import type { PullConfig } from '../../config.ts';
import { MAX_BATCH } from '../../pull/partition-pull.ts';

const MIB = 1024 * 1024;
const MAX_FETCH_BYTES = 16 * MIB;
const MAX_BATCH_BYTES = 64 * MIB;

interface ReadOptions {
  connection: Connection;
  reading: Pick<PullConfig, 'isolationLevel' | 'checkCrcs' | 'unreadable' | 'maxBytes'>;
  /** Epoch milliseconds. */
  deadline: number;
  log: Log;
}

/** The records of a partition from `from` to before `to`, in batches, beside whatever a pull reads. Throws a Failure. */
export async function* readRange(
  { from, to, ...at }: TopicPartition & { from: number; to: number },
  { connection, reading, deadline, log }: ReadOptions,
): AsyncGenerator<ConsumerRecord[]> {
  const { isolationLevel, checkCrcs, unreadable, maxBytes } = reading;
  const fetcher = new Fetcher(
    connection,
    {
      ...{ isolationLevel, checkCrcs, unreadable, deadline },
      maxBatchBytes: Math.max(MAX_BATCH_BYTES, maxBytes),
      maxBytes: Math.min(MAX_FETCH_BYTES, Math.ceil(maxBytes / 2)),
      recordsLeft: () => Number.MAX_SAFE_INTEGER,
    },
    log,
  );
  const timer = setTimeout(() => fetcher.close(), remaining(deadline));
  let next = from;
  try {
    fetcher.add({ ...at, offset: from, end: to });
    while (next < to) {
      const reader = await fetcher.next(at);
      if (!reader) break;
      try {
        for (;;) {
          await reader.ready();
          const batch = reader.take(MAX_BATCH, PARTITION_BYTES);
          if (batch.records.length === 0 && batch.nextOffset <= next) break;
          next = batch.nextOffset;
          // A batch may go on behind the end.
          yield batch.records.filter(({ offset = 0 }) => offset < to);
        }
      } finally {
        reader.close();
      }
    }
  } finally {
    clearTimeout(timer);
    fetcher.close();
  }
  if (next < to && remaining(deadline) === 0) {
    const { topic, partition } = at;
    throw new Failure(
      'SINK_FAILED',
      `the records of ${topic}-${partition} from ${from} to ${to - 1} could not be read again in time: give the function more of it`,
    );
  }
}
