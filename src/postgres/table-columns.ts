import { Failure } from '../errors.ts';
import type { Database } from './database.ts';
import { quoted, quotedTable } from './identifiers.ts';
import type { TableName } from './table-name.ts';

/** A table that was altered is looked at again no more often, while members without a column come. */
const LOOK_AGAIN_AFTER_MS = 1_000;

export interface Column {
  name: string;
  /** As SQL; of a domain, the type that it is of: its constraints are those of a row, not of an absent member. */
  type: string;
  /** False where the database gives the value: generated, an identity, a sequence. */
  isSettable: boolean;
}

const COLUMNS = `SELECT a.attname AS "name",
    a.attgenerated = '' AND a.attidentity = '' AND coalesce(pg_get_expr(d.adbin, d.adrelid), '') !~ 'nextval\\(' AS "isSettable",
    CASE WHEN y.typbasetype = 0 THEN format_type(a.atttypid, a.atttypmod) ELSE format_type(y.typbasetype, y.typtypmod) END AS type
  FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`;

/** The columns of a table, read at the first batch of each pull. */
export class TableColumns {
  readonly #database: Database;
  readonly #table: TableName;
  readonly #seen = new Set<string>();
  /** As they were when they were last read. */
  known: readonly Column[] = [];
  #readAt = 0;

  constructor(database: Database, table: TableName) {
    this.#database = database;
    this.#table = table;
  }

  /** A pull begins: the table may have been altered. */
  mayHaveChanged(): void {
    this.#readAt = 0;
  }

  /**
   * The first member without a column, after another look at the table. Throws SINK_FAILED where the column was there
   * before: whoever dropped it did not mean the records.
   */
  async firstUnknown(
    members: readonly string[],
    keyFields: readonly string[],
    deadline: number,
  ): Promise<string | undefined> {
    if (this.#readAt === 0) await this.#read(deadline);
    const key = keyFields.find((field) => this.known.every(({ name }) => name !== field));
    if (key !== undefined) {
      throw new Failure(
        'SINK_FAILED',
        `the database: ${quotedTable(this.#table)} has no column ${quoted(key)}, which CONSUME_SINK_PK_FIELDS names: PostgreSQL makes names without quotes lower case`,
      );
    }
    const unknown = members.find((member) => this.known.every(({ name }) => name !== member));
    if (unknown === undefined) return undefined;
    if (Date.now() - this.#readAt >= LOOK_AGAIN_AFTER_MS) {
      await this.#read(deadline);
      return this.firstUnknown(members, keyFields, deadline);
    }
    if (!this.#seen.has(unknown)) return unknown;
    const name = quotedTable(this.#table);
    throw new Failure(
      'SINK_FAILED',
      `the database: the column ${unknown} of ${name} is gone: add it again, or leave the member out in the pipeline`,
    );
  }

  async #read(deadline: number): Promise<void> {
    const name = quotedTable(this.#table);
    const { rows } = await this.#database.read(deadline, (session) => session.query<Column>(COLUMNS, [name]));
    this.known = rows;
    this.#readAt = Date.now();
    for (const column of rows) this.#seen.add(column.name);
  }
}
