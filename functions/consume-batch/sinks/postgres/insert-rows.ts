import { setImmediate } from 'node:timers/promises';
import { Failure } from '../../../../src/errors.ts';
import type { Session } from '../../../../src/postgres/database.ts';
import { quoted, quotedTable } from '../../../../src/postgres/identifiers.ts';
import type { TableName } from '../../../../src/postgres/table-name.ts';
import { ROW_COLUMNS, ROW_KEY } from '../../../../src/postgres/tables.ts';
import type { ConsumerRecord, Header } from '../../../../src/record.ts';
import { placeOf } from '../../records/dead-letter.ts';
import { jsonValue, utf8Text } from '../../records/json-value.ts';
import { PermanentError } from '../../records/record-failure.ts';
import type { RowWriter, Source } from './row-writer.ts';

const COLUMNS = ROW_COLUMNS.map(quoted).join(', ');
const KEY = ROW_KEY.map(quoted).join(', ');
/** A value stands in a list of one: what is in no list is a tombstone, and JSON's null a value. */
const ROWS = 'json_to_recordset($1::json) AS r(o bigint, n int, k bytea, v jsonb, h jsonb, t timestamptz)';

const YIELD_EVERY = 200;

/** In COPY's text format. */
const NULL = '\\N';
const SPECIAL = /[\\\t\n\r]/;
const SPECIALS = /[\\\t\n\r]/g;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** The end of JavaScript's dates. Whoever gives microseconds or nanoseconds is beyond it. */
const LAST_MS = 8_640_000_000_000_000;

export function insertDdl(table: TableName): string {
  return `CREATE TABLE IF NOT EXISTS ${quotedTable(table)} (topic text, partition int, "offset" bigint, n int, key bytea, value jsonb, headers jsonb, "timestamp" timestamptz, PRIMARY KEY (${KEY}));`;
}

/**
 * Keeps each record as a row of its own. A row that is there already, with the record's time, counts as written: COPY,
 * which knows no conflicts, is twice as fast, and conflicts come with a rewound offset alone.
 */
export function insertWriter(table: TableName): RowWriter {
  const name = quotedTable(table);
  const insert = `INSERT INTO ${name} (${COLUMNS}) SELECT $2, $3, r.o, r.n, r.k, r.v -> 0, r.h, r.t FROM ${ROWS} ON CONFLICT (${KEY}) DO NOTHING`;
  const copy = `COPY ${name} (${COLUMNS}) FROM STDIN`;
  const find = `SELECT s."offset" FROM ${name} s JOIN ${ROWS} ON s."offset" = r.o AND s.n = r.n WHERE s.topic = $2 AND s.partition = $3 AND s."timestamp" IS DISTINCT FROM r.t LIMIT 1`;
  return {
    async writingAll(sources) {
      let lines = '';
      for (const [at, { outputs }] of sources.entries()) {
        // The database's answers for another partition must not wait for all of these.
        if (at % YIELD_EVERY === YIELD_EVERY - 1) await setImmediate();
        for (const [n, output] of outputs.entries()) lines += copyLine(output, n);
      }
      return async (session) => {
        if (lines !== '') await session.copy(copy, lines);
      };
    },
    async write(session, sources) {
      const rows = sources.flatMap(({ outputs }) => outputs.map(rowJson));
      const record = sources[0]?.record;
      if (rows.length === 0 || !record) return;
      const values = [`[${rows.join(',')}]`, record.topic, record.partition];
      const { rowCount } = await session.query(insert, values);
      if (rowCount !== rows.length) await requireSame(session, find, values, sources);
    },
  };
}

/** Rows at the offsets of other records are those of a topic that was deleted and made anew. */
async function requireSame(
  session: Session,
  find: string,
  values: readonly unknown[],
  sources: readonly Source[],
): Promise<void> {
  const { rows } = await session.query<{ offset: string }>(find, values);
  const other = rows[0]?.offset;
  if (other === undefined) return;
  const record = sources.find((source) => source.record.offset === Number(other))?.record;
  const place = record ? placeOf(record) : `offset ${other}`;
  throw new Failure(
    'SINK_FAILED',
    `the table holds another record at ${place}, as after its topic was deleted and made anew: empty the table of that topic and the offsets of its partitions, or choose another table`,
  );
}

function rowJson({ offset, key, value, headers, timestamp }: ConsumerRecord, n: number): string {
  const k = key ? `"\\\\x${key.toString('hex')}"` : 'null';
  const v = !value ? '[]' : `[${jsonValue(value).text}]`;
  const t = timestamp === undefined || timestamp < 0 ? 'null' : `"${timeText(timestamp)}"`;
  return `{"o":${offset},"n":${n},"k":${k},"v":${v},"h":${JSON.stringify(headers.map(headerJson))},"t":${t}}`;
}

/** For COPY, which checks the JSON itself. */
function copyLine(record: ConsumerRecord, n: number): string {
  const { topic, partition, offset, key, value, headers, timestamp } = record;
  const k = key ? `\\\\x${key.toString('hex')}` : NULL;
  const v = value ? copyText(utf8Text(value)) : NULL;
  const h = headers.length === 0 ? '[]' : copyText(JSON.stringify(headers.map(headerJson)));
  const t = timestamp === undefined || timestamp < 0 ? NULL : timeText(timestamp);
  return `${topic}\t${partition}\t${offset}\t${n}\t${k}\t${v}\t${h}\t${t}\n`;
}

function copyText(text: string): string {
  return SPECIAL.test(text) ? text.replace(SPECIALS, (char) => ESCAPES[char] ?? char) : text;
}

/** As the http sink gives them: a name may stand there more than once, and a value holds any bytes. */
function headerJson({ key, value }: Header) {
  return { key, value: value?.toString('base64') ?? null };
}

/** JavaScript has a plus before years of more than four digits, and PostgreSQL none. Throws a PermanentError. */
function timeText(epochMs: number): string {
  if (epochMs > LAST_MS) throw new PermanentError(`the timestamp ${epochMs} is beyond the year 275760`);
  return new Date(epochMs).toISOString().replace(/^\+0*/, '');
}
