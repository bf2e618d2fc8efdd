import { Secret } from '../secret.ts';
import type { Meanings, Variables } from '../variables.ts';
import { type DatabaseAddress, readDatabaseUrl } from './database-url.ts';
import { readTableNameFormat, type TableNameFormat } from './table-name.ts';

/** Ten years. */
const MAX_HOURS = 87_600;

export const meanings = {
  CONSUME_SINK_CONNECTION_USER: { unset: 'required with `postgres`', meaning: '`postgres` sink: the user' },
  CONSUME_SINK_CONNECTION_PASSWORD: {
    unset: 'required with `postgres`',
    secret: true,
    meaning: '`postgres` sink: its password',
  },
  CONSUME_SINK_SSL_CA_PEM: {
    unset: "Node.js's roots",
    meaning: '`postgres` sink: certificates of authorities, as text or `file:` and a path in the bundle',
  },
  CONSUME_SINK_SSL_CA_LOCATION: { meaning: '`postgres` sink: the same, in a file' },
  CONSUME_SINK_TABLE_NAME_FORMAT: {
    meaning: '`postgres` sink: where rows go; `{topic}` is the source topic, `schema.table` is allowed',
  },
  CONSUME_SINK_INSERT_MODE: {
    meaning:
      "`postgres` sink: `insert` keeps each record as a row; `upsert` keeps the last value of each key, in columns named like the value's members",
  },
  CONSUME_SINK_PK_FIELDS: {
    unset: 'required with `upsert`',
    meaning: "`postgres` sink: the members that are the table's key",
  },
  CONSUME_SINK_DEDUPLICATE: {
    meaning:
      '`postgres` sink: `true` skips the repeats of a request with an `Idempotency-Key`; another body with the same key is dead-lettered as `IDEMPOTENCY_KEY_REUSED`',
  },
  CONSUME_SINK_DEDUPLICATE_RETENTION_H: {
    meaning: '`postgres` sink: how many hours a key is kept; a repeat that comes later is a new record',
  },
} as const satisfies Meanings;

export interface DatabaseConfig extends DatabaseAddress {
  user: string;
  password: Secret;
  /** PEM. Undefined: Node.js's own roots. */
  ca: string | undefined;
}

function databaseConfig(variables: Variables): DatabaseConfig {
  return {
    ...readDatabaseUrl(variables),
    user: variables.required('CONSUME_SINK_CONNECTION_USER'),
    password: new Secret(variables.required('CONSUME_SINK_CONNECTION_PASSWORD')),
    ca: [
      variables.certificates('CONSUME_SINK_SSL_CA_PEM'),
      variables.certificateFile('CONSUME_SINK_SSL_CA_LOCATION'),
    ].find(Boolean),
  };
}

export const insertModes = ['insert', 'upsert'] as const;

export interface TableConfig {
  tableName: TableNameFormat;
  insertMode: (typeof insertModes)[number];
  /** Members of the value that are the table's key, with `upsert`. */
  keyFields: readonly string[];
  /** How many hours idempotency keys are kept. Undefined: repeats are written like other records. */
  keysKeptH: number | undefined;
}

/** What decides on the tables. */
export function tableConfig(variables: Variables): TableConfig {
  const insertMode = variables.oneOf('CONSUME_SINK_INSERT_MODE', insertModes, 'insert');
  const keyFields = [...new Set(variables.list('CONSUME_SINK_PK_FIELDS'))];
  if (insertMode === 'upsert' && keyFields.length === 0) {
    variables.reject('CONSUME_SINK_PK_FIELDS', 'is required with CONSUME_SINK_INSERT_MODE=upsert');
  }
  const retentionH = variables.integer('CONSUME_SINK_DEDUPLICATE_RETENTION_H', 168, {
    min: 1,
    max: MAX_HOURS,
  });
  const keysKeptH = variables.flag('CONSUME_SINK_DEDUPLICATE', false) ? retentionH : undefined;
  return { tableName: readTableNameFormat(variables), insertMode, keyFields, keysKeptH };
}

export type PostgresConfig = DatabaseConfig & TableConfig;

export function postgresConfig(variables: Variables): PostgresConfig {
  return { ...databaseConfig(variables), ...tableConfig(variables) };
}
