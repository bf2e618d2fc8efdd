import { within } from '../../../../src/deadline.ts';
import { Failure, messageOf } from '../../../../src/errors.ts';
import type { Session } from '../../../../src/postgres/database.ts';
import type { Pipeline, Sql, TransactionContext } from '../../records/pipeline.ts';
import { recordFailure, TransientError } from '../../records/record-failure.ts';
import { commonTrace, inTrace } from '../../records/record-trace.ts';
import type { RowWriter } from './row-writer.ts';

type HandleTransaction = NonNullable<Pipeline['handleTransaction']>;

/** What would end the transaction, or its part that may be rolled back, under the sink's feet. */
const ENDS_TRANSACTION =
  /^(?:\s|;|--[^\n\r]*(?:[\n\r]|$)|\/\*[\s\S]*?\*\/)*(BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE\s+TRANSACTION)\b/i;

/** What the user's code threw without saying whose fault it is: tried again, and then taken for the record's. */
export class HandlerThrew extends Error {
  override readonly name = 'HandlerThrew';
}

interface UserContext extends Omit<TransactionContext, 'sql'> {
  /** Epoch milliseconds: by then the user's code has ended. */
  deadline: number;
}

/** The user's own statements, in the offsets' transaction. */
export function userWriter(
  handleTransaction: HandleTransaction,
  contextOf: () => Promise<UserContext>,
): RowWriter {
  return {
    isUsers: true,
    async write(session, sources) {
      if (sources.length === 0) return;
      const statements = new Statements(session);
      const records = sources.map(({ record }) => record);
      const context = inTrace(await contextOf(), commonTrace(records));
      const startedAt = Date.now();
      const late = () =>
        new TransientError(`handleTransaction did not finish within ${Date.now() - startedAt} ms`);
      try {
        const handling = Promise.resolve(handleTransaction(records, { ...context, sql: statements.run }));
        await within(handling, context.deadline, late);
      } catch (error) {
        throw statements.failed ?? blamed(error);
      } finally {
        statements.close();
      }
      // Whatever became of a failed statement's error: it has aborted the transaction.
      if (statements.failed) throw statements.failed;
      if (statements.pending > 0) {
        throw new Failure(
          'SINK_FAILED',
          'handleTransaction ended before its statements: await each sql(), also in loops (forEach awaits nothing)',
        );
      }
    },
  };
}

/** For our own statements after the user's: puts back what decides on which tables they see. */
export async function settingsKeeper(session: Session): Promise<() => Promise<void>> {
  const { rows } = await session.query<{ path: string; role: string }>(
    `SELECT current_setting('search_path') AS path, current_setting('role') AS role`,
    [],
  );
  const values = [rows[0]?.path, rows[0]?.role];
  return async () => {
    await session.query(`SELECT set_config('search_path', $1, true), set_config('role', $2, true)`, values);
  };
}

/** Of what was thrown without a failed statement: itself where it says whose fault it is. */
function blamed(error: unknown): unknown {
  if (error instanceof Failure || recordFailure(0, error).failureClass !== 'unclassified') return error;
  return new HandlerThrew(messageOf(error), { cause: error });
}

/** The statements of one call of the user's code. */
class Statements {
  readonly #session: Session;
  #isClosed = false;
  #last: Promise<unknown> = Promise.resolve();
  /** Statements without an answer. */
  pending = 0;
  /** What the database, or its connection, said of the first that failed. */
  failed: Error | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** In turn, whether they are awaited one by one or together. */
  readonly run: Sql = async (text, values = []) => {
    if (this.#isClosed) throw new Error('sql was called after handleTransaction had ended');
    const refused = ENDS_TRANSACTION.exec(text)?.[1];
    if (refused !== undefined) {
      throw new Error(
        `${refused.toUpperCase()} is not for handleTransaction: the transaction is that of the offset`,
      );
    }
    this.pending++;
    const running = this.#last.then(() => this.#session.query(text, values));
    this.#last = running.catch(() => {});
    try {
      const { rows } = await running;
      return rows as never;
    } catch (error) {
      if (error instanceof Error) this.failed ??= error;
      throw error;
    } finally {
      this.pending--;
    }
  };

  close(): void {
    this.#isClosed = true;
  }
}
