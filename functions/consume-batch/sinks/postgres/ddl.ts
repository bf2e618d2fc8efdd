import type { TableConfig } from '../../../../src/postgres/config.ts';
import { quoted } from '../../../../src/postgres/identifiers.ts';
import { insertDdl } from './insert-rows.ts';
import { ONCE_DDL } from './once.ts';
import { OFFSETS_DDL } from './stored-offsets.ts';
import { upsertDdl } from './upsert-rows.ts';

/** The statements that create what the sink needs, one a line, each harmless where it is there. */
export function ddl(
  { tableName, insertMode, keyFields, keysKeptH }: TableConfig,
  topics: readonly string[],
): string[] {
  const tables = topics.map(tableName);
  const schemas = new Set(tables.flatMap(({ schema }) => schema ?? []));
  const created = tables.map((table) =>
    insertMode === 'insert' ? insertDdl(table) : upsertDdl(table, keyFields),
  );
  return [
    ...[...schemas].map((schema) => `CREATE SCHEMA IF NOT EXISTS ${quoted(schema)};`),
    ...new Set(created),
    OFFSETS_DDL,
    ...(keysKeptH === undefined ? [] : ONCE_DDL),
  ];
}
