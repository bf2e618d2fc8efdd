import type { Session } from '../../../../src/postgres/database.ts';
import { quoted, quotedTable } from '../../../../src/postgres/identifiers.ts';
import type { Column, TableColumns } from '../../../../src/postgres/table-columns.ts';
import type { TableName } from '../../../../src/postgres/table-name.ts';
import type { ConsumerRecord } from '../../../../src/record.ts';
import { type JsonValue, jsonValue, utf8Text } from '../../records/json-value.ts';
import { PermanentError } from '../../records/record-failure.ts';
import type { RowWriter } from './row-writer.ts';

export function upsertDdl(table: TableName, keyFields: readonly string[]): string {
  const keys = keyFields.map(quoted);
  const columns = keys.map((key) => `${key} text`).join(', ');
  return `CREATE TABLE IF NOT EXISTS ${quotedTable(table)} (${columns}, /* a column for each other member of the value */ PRIMARY KEY (${keys.join(', ')}));`;
}

/** What a record does to the row of its key. */
interface Change {
  /** A JSON object. */
  text: string;
  /** The members that it sets; undefined: the row is deleted. */
  members: readonly string[] | undefined;
}

/**
 * Keeps the last value of each key. The row is that value: a member that it doesn't have is the column's default, in
 * an old row as in a new one, so that the table doesn't depend on where batches end. PostgreSQL decides which keys
 * are the same, since only it knows their types.
 */
export function upsertWriter(
  table: TableName,
  { keyFields, columns }: { keyFields: readonly string[]; columns: TableColumns },
): RowWriter {
  // A record is checked, and then written once or, where a batch is halved, several times.
  const known = new WeakMap<ConsumerRecord, Change>();
  const changeBy = (output: ConsumerRecord) => {
    const change = known.get(output) ?? changeOf(output, keyFields);
    known.set(output, change);
    return change;
  };
  return {
    begin: () => columns.mayHaveChanged(),
    async check({ outputs }, deadline) {
      for (const output of outputs) {
        const { members = keyFields } = changeBy(output);
        const unknown = await columns.firstUnknown(members, keyFields, deadline);
        if (unknown !== undefined) {
          throw new PermanentError(`the table has no column for the member ${unknown.slice(0, 100)}`);
        }
      }
    },
    async write(session, sources) {
      const changes = sources.flatMap(({ outputs }) => outputs.map(changeBy));
      if (changes.length === 0) return;
      await apply(session, table, { changes, keyFields, columns: columns.known });
    },
  };
}

function changeOf({ key, value }: ConsumerRecord, keyFields: readonly string[]): Change {
  if (value === null) return { text: keyObject(key, keyFields), members: undefined };
  const parsed = jsonValue(value);
  if (parsed.value === null) return { text: keyObject(key, keyFields), members: undefined };
  if (!isMembers(parsed.value)) throw new PermanentError('the value is not a JSON object');
  requireKey(parsed.value, keyFields, 'value');
  return { text: parsed.text, members: Object.keys(parsed.value) };
}

/** A tombstone has its row's key in the record's key: as an object, or as the one key field's value. */
function keyObject(key: Buffer | null, keyFields: readonly string[]): string {
  const [field = '', ...more] = keyFields;
  if (key === null) throw new PermanentError('a tombstone without a key deletes nothing');
  const { text, value } = keyValue(key);
  if (isMembers(value)) {
    requireKey(value, keyFields, 'key');
    return text;
  }
  if (more.length > 0) throw new PermanentError(`the key is not an object of ${keyFields.join(', ')}`);
  return `{${JSON.stringify(field)}:${text}}`;
}

/** Most keys are plain text, and not JSON. Throws PoisonError. */
function keyValue(key: Buffer): JsonValue {
  const text = utf8Text(key, 'key');
  try {
    const value = JSON.parse(text);
    if (value !== null) return { text, value };
  } catch {}
  return { text: JSON.stringify(text), value: text };
}

function requireKey(members: Record<string, unknown>, keyFields: readonly string[], where: string): void {
  const missing = keyFields.find((field) => (members[field] ?? null) === null);
  if (missing !== undefined) throw new PermanentError(`the ${where} has no ${missing}, which is of the key`);
}

function isMembers(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Application {
  changes: readonly Change[];
  keyFields: readonly string[];
  columns: readonly Column[];
}

/** One statement: the last change of each key, and an INSERT for each set of members, since each has other defaults. */
async function apply(
  session: Session,
  table: TableName,
  { changes, keyFields, columns }: Application,
): Promise<void> {
  const name = quotedTable(table);
  const named = new Set([...keyFields, ...changes.flatMap(({ members = [] }) => members)]);
  const used = columns.filter((column) => named.has(column.name));
  const place = (column: string) => `c${used.findIndex((known) => known.name === column)}`;
  const keys = keyFields.map(place).join(', ');
  const groups = new Map<string, number>();
  const groupOf = ({ members }: Change) => {
    const id = members ? JSON.stringify([...members].sort()) : '';
    const group = groups.get(id) ?? groups.size;
    groups.set(id, group);
    return group;
  };
  const groupNumbers = changes.map(groupOf);
  const statements = [...groups].map(
    ([id, group]) => `, s${group} AS (${id === '' ? deletion(group) : upsert(JSON.parse(id), group)})`,
  );
  await session.query(
    `WITH incoming AS MATERIALIZED (
      SELECT i.*, ($2::int[])[i.ord] AS g FROM
        ROWS FROM (json_to_recordset($1::json) AS (${used.map((column) => `${quoted(column.name)} ${column.type}`).join(', ')})) WITH ORDINALITY
        AS i(${used.map((_column, at) => `c${at}`).join(', ')}, ord)
    ), last AS MATERIALIZED (SELECT DISTINCT ON (${keys}) * FROM incoming ORDER BY ${keys}, ord DESC)
    ${statements.join(' ')} SELECT 1`,
    [`[${changes.map(({ text }) => text).join(',')}]`, groupNumbers],
  );

  function deletion(group: number): string {
    const isOfKey = keyFields.map((key) => `t.${quoted(key)} = last.${place(key)}`).join(' AND ');
    return `DELETE FROM ${name} t USING last WHERE last.g = ${group} AND ${isOfKey}`;
  }

  function upsert(members: readonly string[], group: number): string {
    const changed = columns
      .filter((column) => !keyFields.includes(column.name))
      .flatMap((column) => {
        const own = quoted(column.name);
        if (members.includes(column.name)) return [`${own} = EXCLUDED.${own}`];
        return column.isSettable ? [`${own} = DEFAULT`] : [];
      });
    return `INSERT INTO ${name} (${members.map(quoted).join(', ')}) SELECT ${members.map(place).join(', ')} FROM last WHERE g = ${group}
      ON CONFLICT (${keyFields.map(quoted).join(', ')}) DO ${changed.length > 0 ? `UPDATE SET ${changed.join(', ')}` : 'NOTHING'}`;
  }
}
