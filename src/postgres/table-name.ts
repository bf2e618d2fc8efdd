import type { Variables } from '../variables.ts';
import { OFFSETS_TABLE, ONCE_TABLE } from './tables.ts';

/** PostgreSQL's own limit (NAMEDATALEN). It would cut a longer name, and two topics could share a table. */
const MAX_NAME_BYTES = 63;

export interface TableName {
  schema: string | undefined;
  table: string;
}

/** The table of a topic. A dot inside the topic's name belongs to the table's name. */
export type TableNameFormat = (topic: string) => TableName;

export function readTableNameFormat(variables: Variables): TableNameFormat {
  const name = 'CONSUME_SINK_TABLE_NAME_FORMAT';
  const format = variables.text(name, '{topic}');
  const [first = '', second, ...more] = format.split('.');
  const [schema, table] = second === undefined ? [undefined, first] : [first, second];
  if (table === '' || schema === '' || schema?.includes('{topic}') || more.length > 0) {
    variables.reject(name, 'must be table or schema.table, with {topic} in the name of the table alone');
  }
  const tableOf = (topic: string) => table.replaceAll('{topic}', topic);
  for (const topic of variables.list('CONSUME_TOPICS')) {
    if ([OFFSETS_TABLE, ONCE_TABLE].includes(tableOf(topic))) {
      variables.reject(name, `gives topic ${topic} the name of a table of the sink's own, ${tableOf(topic)}`);
    }
    if (isTooLong(tableOf(topic)) || isTooLong(schema ?? '')) {
      variables.reject(name, `gives topic ${topic} a name of more than PostgreSQL's ${MAX_NAME_BYTES} bytes`);
    }
  }
  return (topic) => ({ schema, table: tableOf(topic) });
}

function isTooLong(name: string): boolean {
  return Buffer.byteLength(name) > MAX_NAME_BYTES;
}
