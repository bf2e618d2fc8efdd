import type { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import type { ConnectionOptions } from 'node:tls';
import type { Client as PgClient, QueryResult, QueryResultRow } from 'pg';
// The driver without its pool, whose timers a frozen function would wake up to.
import Client from 'pg/lib/client.js';
import { from as copyFrom } from 'pg-copy-streams';
import { Budget } from '../budget.ts';
import { remaining } from '../deadline.ts';
import { Failure } from '../errors.ts';
import type { DatabaseConfig } from './config.ts';
import { faultOf } from './errors.ts';

/** A function may have been frozen, and its connection lost without a sign. */
const PROVE_AFTER_MS = 5_000;
const PROOF_MS = 2_000;
/** How long the server holds a transaction of a frozen function, with its locks. */
const IDLE_IN_TRANSACTION_MS = 10_000;
const LOCK_MS = 2_000;

/** One transaction. It has ended when `transaction` resolves or rejects. */
export interface Session {
  /** One statement; its parameters are never part of its text. */
  query<Row extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<QueryResult<Row>>;
  /** COPY … FROM STDIN, and its rows in PostgreSQL's text format. */
  copy(statement: string, rows: string): Promise<void>;
}

/** One connection to PostgreSQL, whose users take turns. It is proven after idling, and made anew where it is lost. */
export class Database {
  readonly #config: DatabaseConfig;
  readonly #turns = new Budget(1);
  #client: PgClient | undefined;
  #usedAt = 0;

  constructor(config: DatabaseConfig) {
    this.#config = config;
  }

  /**
   * Runs statements that change nothing, once more where the connection turns out to be lost. Rejects with what the
   * driver says, or a Failure where no time is left.
   */
  async read<T>(deadline: number, work: (session: Session) => Promise<T>): Promise<T> {
    const read = (client: PgClient) => work(sessionOf(client));
    try {
      return await this.#withClient(deadline, read);
    } catch (error) {
      if (error instanceof Failure || faultOf(error) !== 'world') throw error;
      return this.#withClient(deadline, read);
    }
  }

  /**
   * Runs `work` in a transaction and commits it. Works through PgBouncer's transaction mode: no named statements, and
   * settings for the transaction alone. Where the answer to COMMIT is lost, nobody knows whether it was committed.
   * `discards`: whatever else the work has set in the connection ends with it.
   */
  transaction<T>(
    deadline: number,
    work: (session: Session) => Promise<T>,
    { discards = false } = {},
  ): Promise<T> {
    return this.#withClient(deadline, async (client) => {
      const limits = [
        `idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS}`,
        `lock_timeout = ${LOCK_MS}`,
        `statement_timeout = ${Math.max(1, remaining(deadline))}`,
      ];
      await client.query(`BEGIN; ${limits.map((limit) => `SET LOCAL ${limit};`).join(' ')}`);
      try {
        const result = await work(sessionOf(client));
        const { command } = await client.query('COMMIT');
        // PostgreSQL answers COMMIT in an aborted transaction with ROLLBACK, and no error.
        if (command !== 'COMMIT')
          throw new Error('the transaction was aborted by an error that was not thrown on');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch(() => this.#drop(client));
        throw error;
      } finally {
        if (discards) await client.query('DISCARD ALL').catch(() => this.#drop(client));
      }
    });
  }

  async close(): Promise<void> {
    await this.#client?.end().catch(() => {});
    this.#client = undefined;
  }

  async #withClient<T>(deadline: number, work: (client: PgClient) => Promise<T>): Promise<T> {
    const turn = await this.#turns.take(1, deadline);
    if (!turn || remaining(deadline) === 0) {
      turn?.release();
      throw new Failure('SINK_FAILED', 'the database: no time was left for it');
    }
    let timer: NodeJS.Timeout | undefined;
    let isLate = false;
    try {
      const client = await this.#proven(deadline);
      timer = setTimeout(() => {
        isLate = true;
        this.#drop(client);
      }, remaining(deadline));
      return await work(client);
    } catch (error) {
      if (isLate)
        throw new Failure('SINK_FAILED', 'the database: it did not answer in time', { cause: error });
      throw error;
    } finally {
      clearTimeout(timer);
      this.#usedAt = Date.now();
      turn.release();
    }
  }

  async #proven(deadline: number): Promise<PgClient> {
    const client = this.#client;
    if (client) {
      if (Date.now() - this.#usedAt < PROVE_AFTER_MS) return client;
      const timer = setTimeout(() => this.#drop(client), Math.min(PROOF_MS, remaining(deadline)));
      try {
        await client.query('SELECT 1');
        return client;
      } catch {
        this.#drop(client);
      } finally {
        clearTimeout(timer);
      }
    }
    return this.#connect(deadline);
  }

  async #connect(deadline: number): Promise<PgClient> {
    const { host, port, database, user, password, sslMode, ca } = this.#config;
    const client: PgClient = new Client({
      ...{ host, port, database, user, password: password.reveal() },
      ssl: sslMode === 'disable' ? false : tlsOptions(sslMode, ca),
      connectionTimeoutMillis: Math.max(1, remaining(deadline)),
      application_name: 'kafka-functions',
      keepAlive: true,
    });
    // A connection that is lost between two statements: the next one finds out.
    client.on('error', () => this.#drop(client));
    try {
      await client.connect();
    } catch (error) {
      this.#drop(client);
      throw error;
    }
    this.#client = client;
    return client;
  }

  /** At once: statements under way reject, and the server rolls back. */
  #drop(client: PgClient): void {
    if (this.#client === client) this.#client = undefined;
    socketOf(client).destroy();
  }
}

function sessionOf(client: PgClient): Session {
  return {
    // By the extended protocol always: the server then takes one statement alone.
    query: (text, values) => client.query({ text, values: [...values], queryMode: 'extended' } as never),
    copy: (statement, rows) => {
      const stream = client.query(copyFrom(statement));
      stream.end(rows);
      return finished(stream);
    },
  };
}

function tlsOptions(sslMode: DatabaseConfig['sslMode'], ca: string | undefined): ConnectionOptions {
  return {
    ...(ca !== undefined && { ca }),
    // What PostgreSQL means by it: the authority is proven, the host's name is not.
    ...(sslMode === 'verify-ca' && { checkServerIdentity: () => undefined }),
  };
}

function socketOf(client: PgClient): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream;
}
