import { codeOf, messageOf } from '../../../src/errors.ts';
import { Database, type Session } from '../../../src/postgres/database.ts';
import { faultOf } from '../../../src/postgres/errors.ts';
import { quotedTable } from '../../../src/postgres/identifiers.ts';
import {
  OFFSETS_TABLE,
  ONCE_COLUMNS,
  ONCE_KEY,
  ONCE_TABLE,
  ROW_COLUMNS,
  ROW_KEY,
} from '../../../src/postgres/tables.ts';
import type { Fault } from '../faults.ts';
import type { CheckedDatabase, Finding } from './sink.ts';
import { pathFault } from './sink-path.ts';

interface Needed {
  /** As SQL. */
  name: string;
  privileges: readonly string[];
  columns: readonly string[];
  /** A unique constraint has exactly these. */
  key: readonly string[];
}

/** What PostgreSQL says of one table; columns and keys as lists of names. */
interface Table {
  isThere: boolean;
  lacking: string[];
  columns: string[];
  keys: string[][];
  /** Its keys are those of other tables. */
  isView: boolean;
}

/** A privilege may be granted for columns; a unique key may have more columns with it, and must hold at once. */
const LOOK = `SELECT t IS NOT NULL AS "isThere",
    ARRAY(SELECT p FROM unnest($2::text[]) p WHERE NOT CASE p WHEN 'DELETE' THEN has_table_privilege(t, p) ELSE has_any_column_privilege(t, p) END) AS lacking,
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = t AND attnum > 0 AND NOT attisdropped) AS columns,
    coalesce((SELECT json_agg((SELECT json_agg(attname) FROM pg_attribute WHERE attrelid = t AND attnum = ANY((indkey::int2[])[0:indnkeyatts - 1])))
      FROM pg_index WHERE indrelid = t AND indisunique AND indimmediate AND indpred IS NULL AND indexprs IS NULL), '[]') AS keys,
    (SELECT relkind = 'v' FROM pg_class WHERE oid = t) AS "isView"
  FROM to_regclass($1) t`;

/** Connects, logs in, and looks at each table. Reads no row and writes nothing. */
export async function inspectTables(sink: CheckedDatabase, deadline: number): Promise<Finding> {
  const database = new Database(sink);
  try {
    return await database.read(deadline, (session) => inspectEach(neededBy(sink), session));
  } catch (error) {
    const code = codeOf(error);
    const said = messageOf(error) || code;
    return { fault: faultBefore(error), evidence: said.includes(code) ? said : `${said} (${code})` };
  } finally {
    await database.close();
  }
}

function neededBy({ topics, tableName, insertMode, keyFields, keysKeptH }: CheckedDatabase): Needed[] {
  const isInsert = insertMode === 'insert';
  const tables = topics.map(
    (topic): Needed => ({
      name: quotedTable(tableName(topic)),
      privileges: isInsert ? ['SELECT', 'INSERT'] : ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
      columns: isInsert ? ROW_COLUMNS : keyFields,
      key: isInsert ? ROW_KEY : keyFields,
    }),
  );
  const offsets = ['group_id', 'topic', 'partition'];
  const once = { name: ONCE_TABLE, privileges: ['SELECT', 'INSERT', 'DELETE'] };
  return [
    {
      ...{ name: OFFSETS_TABLE, privileges: ['SELECT', 'INSERT', 'UPDATE'], key: offsets },
      columns: [...offsets, 'next_offset', 'updated_at'],
    },
    ...(keysKeptH === undefined ? [] : [{ ...once, columns: ONCE_COLUMNS, key: ONCE_KEY }]),
    ...tables,
  ];
}

async function inspectEach(needed: readonly Needed[], session: Session): Promise<Finding> {
  for (const one of needed) {
    const { rows } = await session.query<Table>(LOOK, [one.name, one.privileges]);
    const finding = rows[0] && judge(one, rows[0]);
    if (finding) return { ...finding, target: one.name };
  }
  return { evidence: `logged in, as they should be: ${needed.map(({ name }) => name).join(', ')}` };
}

function judge({ name, columns, key }: Needed, table: Table): Finding | undefined {
  if (!table.isThere) return { fault: 'SINK_MISSING', evidence: `there is no table ${name}` };
  if (table.lacking.length > 0) {
    return { fault: 'SINK_FORBIDDEN', evidence: `the user lacks ${table.lacking.join(', ')} on ${name}` };
  }
  const absent = columns.filter((column) => !table.columns.includes(column));
  if (absent.length > 0) {
    return { fault: 'SINK_MISMATCH', evidence: `${name} has no column ${absent.join(', ')}` };
  }
  const isKey = (found: readonly string[]) => [...found].sort().join() === [...key].sort().join();
  if (table.isView || table.keys.some(isKey)) return undefined;
  return { fault: 'SINK_MISMATCH', evidence: `${name} has no unique key of ${key.join(', ')}` };
}

/** By what broke on the way to the tables. */
function faultBefore(error: unknown): Fault {
  const code = codeOf(error);
  if (code === '3D000') return 'SINK_MISSING';
  if (code === '42501') return 'SINK_FORBIDDEN';
  const fault = pathFault(error);
  return fault === 'SINK_TCP' && faultOf(error) === 'configuration' ? 'SINK_LOGIN' : fault;
}
