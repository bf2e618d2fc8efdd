import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { postgresForTests, sinkVariables } from './postgres.ts';
import { topicWithTable } from './postgres-topic.ts';
import { pullUnderFire } from './under-fire.ts';

const PARTITIONS = 6;

/** Each offset is in the table once, or among the dead letters, or was dropped; the offsets are the log's ends. */
export async function killPostgres(
  t: TestContext,
  cluster: KafkaCluster,
  { records, kills }: { records: number; kills: number },
): Promise<void> {
  const database = await postgresForTests();
  const client = await database.client();
  const { topic } = await topicWithTable({ cluster, database, client }, { partitions: PARTITIONS });
  const destination = {
    port: database.port,
    variables: (port: number) => ({
      ...sinkVariables(database),
      CONSUME_SINK_URL: `postgres://127.0.0.1:${port}/postgres?sslmode=disable`,
    }),
    points: [
      { from: 'client', text: 'INSERT INTO kafka_functions_offsets' },
      { from: 'client', text: 'FROM STDIN' },
      { from: 'client', text: 'COMMIT' },
      // It is committed, and nobody is told.
      { from: 'server', text: 'COMMIT\0' },
    ],
    async restart() {
      await database.stop();
      await database.start();
    },
  } as const;
  // They are written before the COMMIT, so that a kill in between leaves a second one.
  const { values, end } = await pullUnderFire(t, cluster, destination, {
    ...{ records, kills, topic },
    buriesOnce: false,
  });
  const own = await database.client();
  const { rows } = await own.query<{ place: string; value: { n: number } }>(
    `SELECT partition || '/' || "offset" AS place, value FROM "${topic}"`,
  );
  // The table's key would not let a place in twice.
  assert.deepEqual(new Map(rows.map(({ place, value }) => [place, `{"n":${value.n}}`])), new Map(values));
  const offsets = await own.query(
    'SELECT sum(next_offset)::int AS handled FROM kafka_functions_offsets WHERE topic = $1',
    [topic],
  );
  assert.equal(offsets.rows[0]?.handled, end);
}
