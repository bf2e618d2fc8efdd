import { remaining } from '../../../../src/deadline.ts';
import { Failure, messageOf, toFailure } from '../../../../src/errors.ts';
import type { GroupOffsets } from '../../../../src/kafka/fetch/group-offsets.ts';
import { byPartition, partitionKey } from '../../../../src/kafka/wire/by-topic.ts';
import type { OffsetToCommit } from '../../../../src/kafka/wire/offset-commit.ts';
import type { PostgresConfig } from '../../../../src/postgres/config.ts';
import { Database } from '../../../../src/postgres/database.ts';
import { databaseFailure, isMissingTable } from '../../../../src/postgres/errors.ts';
import { TableColumns } from '../../../../src/postgres/table-columns.ts';
import type { Environment } from '../../../../src/variables.ts';
import type { PartitionHandler } from '../../pull/partition-handler.ts';
import { UNKNOWN_EPOCH } from '../../pull/positions.ts';
import type { Resources } from '../../records/resources.ts';
import type { PullParts, PullSink, SinkParts } from '../../records/sink.ts';
import { ddl } from './ddl.ts';
import { insertWriter } from './insert-rows.ts';
import { requireKeys } from './once.ts';
import { PartitionWriter } from './partition-writer.ts';
import type { RowWriter } from './row-writer.ts';
import { readOffsets } from './stored-offsets.ts';
import { upsertWriter } from './upsert-rows.ts';
import { userWriter } from './user-transaction.ts';

/** What an instance keeps from pull to pull: one connection, and what it knows of the tables. */
export function openPostgres(config: PostgresConfig, parts: SinkParts): Required<PullSink> {
  const database = new Database(config);
  const writers = new Map<string, RowWriter>();
  const writerOf = (topic: string): RowWriter => {
    const known = writers.get(topic) ?? newWriter(topic, config, database);
    writers.set(topic, known);
    return known;
  };
  const failureOf = (error: unknown, topics: readonly string[]): Failure =>
    isMissingTable(error)
      ? databaseFailure(error, `create it (npm run sink -- ddl): ${ddl(config, topics).join(' ')}`)
      : databaseFailure(error);
  return {
    async committed(partitions, kafkas, { groupId, deadline }) {
      const topics = [...new Set(partitions.map(({ topic }) => topic))];
      try {
        const stored = byPartition(
          await database.read(deadline, async (session) => {
            if (config.keysKeptH !== undefined) await requireKeys(session);
            return readOffsets(session, groupId, topics);
          }),
        );
        return partitions.map((partition, at) => {
          const kafka = kafkas[at];
          const own = stored(partition);
          if (!own) return kafka;
          const isSame = kafka !== undefined && !(kafka instanceof Failure) && kafka.offset === own.offset;
          return isSame ? kafka : { ...own, leaderEpoch: UNKNOWN_EPOCH, metadata: '', errorCode: 0 };
        });
      } catch (error) {
        const failure = failureOf(error, topics);
        return partitions.map(() => failure);
      }
    },
    handlePulled(pull) {
      const { handleTransaction } = parts.pipeline;
      for (const writer of writers.values()) writer.begin?.();
      const own = handleTransaction && userWriter(handleTransaction, contextOf(parts, pull));
      return databaseHandler({
        ...parts,
        ...pull,
        database,
        writerOf: own ? () => own : writerOf,
        keysKeptH: config.keysKeptH,
        failureOf,
      });
    },
  };
}

function contextOf({ resources }: SinkParts, { origin, times }: PullParts) {
  return async () => ({
    ...origin,
    deadline: times.handleBefore,
    signal: AbortSignal.timeout(remaining(times.handleBefore)),
    resources: await opened(resources, origin.environment),
  });
}

async function opened(resources: Resources, environment: Environment): Promise<unknown> {
  try {
    return await resources.open(environment);
  } catch (cause) {
    throw new Failure('SINK_FAILED', `openResources of the pipeline failed: ${messageOf(cause)}`, { cause });
  }
}

function newWriter(
  topic: string,
  { tableName, insertMode, keyFields }: PostgresConfig,
  database: Database,
): RowWriter {
  const table = tableName(topic);
  if (insertMode === 'insert') return insertWriter(table);
  return upsertWriter(table, { keyFields, columns: new TableColumns(database, table) });
}

export interface DatabasePull extends SinkParts, PullParts {
  database: Database;
  writerOf: (topic: string) => RowWriter;
  /** Undefined: repeats are not looked for. */
  keysKeptH: number | undefined;
  /** What the driver threw, with a remedy. */
  failureOf: (error: unknown, topics: readonly string[]) => Failure;
}

/** Rows and offsets move in the database. Kafka's offsets follow when all partitions have ended, to show the lag. */
function databaseHandler(pull: DatabasePull): PartitionHandler {
  const { group, times, notes, origin } = pull;
  const partitions = new Map<string, PartitionWriter>();
  const moved = new Map<string, OffsetToCommit>();
  return {
    async renew(committed) {
      const metadata = notes.renewed(committed.metadata);
      const [failure] = await group.commit([{ ...committed, metadata }], times.deadline);
      if (failure) throw failure;
    },
    async begin(position) {
      const { committed, leaderEpoch, topic, partition } = position;
      // Kafka has another offset, as after a pull that was killed before its end.
      if (committed !== undefined && leaderEpoch === UNKNOWN_EPOCH) {
        const offset = { topic, partition, offset: committed, leaderEpoch, metadata: notes.text() };
        moved.set(partitionKey(position), offset);
      }
      partitions.set(partitionKey(position), new PartitionWriter(position, pull));
      return position;
    },
    async handle(position, batch) {
      const partition = partitions.get(partitionKey(position)) ?? new PartitionWriter(position, pull);
      partitions.set(partitionKey(position), partition);
      const result = await partition.handle(batch);
      const { topic, partition: number } = position;
      if (result.to !== undefined) {
        const { leaderEpoch } = batch;
        const offset = { topic, partition: number, offset: result.to, leaderEpoch, metadata: notes.text() };
        moved.set(partitionKey(position), offset);
      }
      return result;
    },
    async finish() {
      if (moved.size === 0) return;
      const failure = await commitAll(group, [...moved.values()], times.deadline);
      if (failure) {
        const { code } = failure;
        origin.log.warn('Kafka shows an old lag: the offsets are in the database alone', {
          code,
          error: failure,
        });
      }
    },
  };
}

async function commitAll(
  group: GroupOffsets,
  offsets: readonly OffsetToCommit[],
  deadline: number,
): Promise<Failure | undefined> {
  try {
    return (await group.commit(offsets, deadline)).find(Boolean);
  } catch (error) {
    return toFailure(error);
  }
}
