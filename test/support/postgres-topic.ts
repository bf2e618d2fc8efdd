import type { Client } from 'pg';
import type { ConsumeConfig } from '../../functions/consume-batch/config.ts';
import type { Pipeline } from '../../functions/consume-batch/records/pipeline.ts';
import { ddl } from '../../functions/consume-batch/sinks/postgres/ddl.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { tableConfig } from '../../src/postgres/config.ts';
import { readConfig } from '../../src/variables.ts';
import { newTopic } from './cluster.ts';
import { newConsumer } from './consumer.ts';
import { committedRecords } from './group.ts';
import { sinkOf, type TestPostgres } from './postgres.ts';
import { publish, readTopic } from './records.ts';

export interface TopicSetting {
  partitions?: number;
  /** More variables of the sink. */
  variables?: Record<string, string>;
  /** Instead of what `npm run sink -- ddl` prints; `{table}` is the table's name. Empty: none. */
  table?: string;
  config?: Partial<ConsumeConfig>;
  pipeline?: Pipeline;
}

/** A topic with its dead-letter topic, its table, and a consumer from one to the other. */
export async function topicWithTable(
  { cluster, database, client }: { cluster: KafkaCluster; database: TestPostgres; client: Client },
  { partitions = 1, variables = {}, table, config = {}, pipeline = {} }: TopicSetting = {},
) {
  const topic = await newTopic(cluster, { partitions });
  await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1 });
  const name = `"${topic}"`;
  const tables = readConfig((variable) => variables[variable], tableConfig);
  for (const statement of ddl(tables, [topic]).filter((one) => table === undefined || !one.includes(name)))
    await client.query(statement);
  if (table) await client.query(table.replaceAll('{table}', name));
  const consumer = () =>
    newConsumer(cluster, topic, { pipeline, sink: sinkOf(database, variables), ...config });
  return {
    ...{ topic, table: name, another: consumer },
    ...consumer(),
    publish: (records: Parameters<typeof publish>[2]) => publish(cluster, topic, records),
    query: async (sql: string) => (await client.query(sql.replaceAll('{table}', name))).rows,
    dead: async () => {
      const letters = await readTopic(cluster, `${topic}.dead-letter`);
      return letters.map(({ value, headers }) => ({
        value: value?.toString(),
        name: String(headers['__connect.errors.exception.class.name']),
        why: String(headers['__connect.errors.exception.message']),
      }));
    },
    /** The offsets in the database, by partition. */
    stored: async () => {
      const { rows } = await client.query(
        'SELECT next_offset FROM kafka_functions_offsets WHERE topic = $1 ORDER BY partition',
        [topic],
      );
      return rows.map(({ next_offset }) => Number(next_offset));
    },
    rewind: (offset: number) =>
      client.query('UPDATE kafka_functions_offsets SET next_offset = $2 WHERE topic = $1', [topic, offset]),
    committed: () => committedRecords(cluster, topic),
  };
}
