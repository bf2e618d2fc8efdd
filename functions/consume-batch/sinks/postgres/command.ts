/** `npm run sink -- ddl | look`: the tables of the `postgres` sink, as SQL, and what is in them. */
import { messageOf } from '../../../../src/errors.ts';
import { postgresConfig, tableConfig } from '../../../../src/postgres/config.ts';
import { Database } from '../../../../src/postgres/database.ts';
import { quotedTable } from '../../../../src/postgres/identifiers.ts';
import { ONCE_TABLE } from '../../../../src/postgres/tables.ts';
import { environmentOf } from '../../../../src/settings-files.ts';
import { readConfig, type Variables } from '../../../../src/variables.ts';
import { ddl } from './ddl.ts';

const USAGE = `Usage: npm run sink -- <ddl | look>

  ddl   prints SQL that creates what CONSUME_SINK=postgres needs for CONSUME_TOPICS, and connects to nothing; each
        statement is harmless where the table is there: npm run --silent sink -- ddl | psql …
  look  shows how many rows the tables have, and the last ones

It reads the CONSUME_… variables of this shell over those of settings/.`;
const CALLED_WRONGLY = 64;
const FAILED = 1;
const LOOK_MS = 10_000;
const ROWS = 10;

const commands: Record<string, () => Promise<void> | void> = { ddl: printDdl, look };

const [name = '', ...rest] = process.argv.slice(2);
const command = rest.length > 0 ? undefined : commands[name];
if (name === '--help' || name === '-h') {
  console.log(USAGE);
} else if (!command) {
  console.error(
    `${name === '' ? 'what to do is missing' : `'${[name, ...rest].join(' ')}' is not known`}\n\n${USAGE}`,
  );
  process.exitCode = CALLED_WRONGLY;
} else {
  try {
    await command();
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = FAILED;
  }
}

function printDdl(): void {
  const { tables, topics } = readConfig(environmentOf('consume-batch'), (variables) => ({
    topics: topicsOf(variables),
    tables: tableConfig(variables),
  }));
  for (const statement of ddl(tables, topics)) console.log(statement);
}

async function look(): Promise<void> {
  const { config, topics } = readConfig(environmentOf('consume-batch'), (variables) => ({
    topics: topicsOf(variables),
    config: postgresConfig(variables),
  }));
  const database = new Database(config);
  const order = config.insertMode === 'insert' ? 'ORDER BY "timestamp" DESC, "offset" DESC' : '';
  const tables = topics.map((topic) => ({ table: quotedTable(config.tableName(topic)), order }));
  if (config.keysKeptH !== undefined) tables.push({ table: ONCE_TABLE, order: 'ORDER BY written_at DESC' });
  try {
    for (const { table, order } of tables) {
      await database.read(Date.now() + LOOK_MS, async (session) => {
        const counted = await session.query<{ rows: string }>(`SELECT count(*) AS rows FROM ${table}`, []);
        const { rows } = await session.query(`SELECT * FROM ${table} ${order} LIMIT ${ROWS}`, []);
        console.log(`${table}: ${counted.rows[0]?.rows} rows`);
        for (const row of rows) console.log(JSON.stringify(row, shown));
      });
    }
  } finally {
    await database.close();
  }
}

function topicsOf(variables: Variables): string[] {
  const topics = variables.list('CONSUME_TOPICS');
  if (topics.length === 0) variables.reject('CONSUME_TOPICS', 'is required: it names the tables');
  return topics;
}

/** Keys as text, where JSON would show a Buffer's bytes. */
function shown(_name: string, value: unknown): unknown {
  const isBuffer = typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer';
  return isBuffer && 'data' in value ? Buffer.from(value.data as number[]).toString() : value;
}
