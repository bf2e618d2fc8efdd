import { messageOf } from '../../../../src/errors.ts';
import type { Session } from '../../../../src/postgres/database.ts';
import { codeOf } from '../../../../src/postgres/errors.ts';
import type { Pipeline, Sql, TransactionContext } from '../../records/pipeline.ts';
import { recordFailure } from '../../records/record-failure.ts';
import type { RowWriter } from './row-writer.ts';

type HandleTransaction = NonNullable<Pipeline['handleTransaction']>;

/** What would end the transaction, or its part that may be rolled back, under the sink's feet. */
const ENDS_TRANSACTION =
  /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*(BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE\s+TRANSACTION)\b/i;
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** What the user's code threw without saying whose fault it is: tried again, and then taken for the record's. */
export class HandlerThrew extends Error {
  override readonly name = 'HandlerThrew';
}

/** The user's own statements, in the offsets' transaction. */
export function userWriter(
  handleTransaction: HandleTransaction,
  contextOf: (deadline: number) => Promise<Omit<TransactionContext, 'sql'>>,
): RowWriter {
  return {
    async write(session, sources, deadline) {
      const context = await contextOf(deadline);
      const { sql, close } = guarded(session);
      try {
        await handleTransaction(
          sources.map(({ record }) => record),
          { ...context, sql },
        );
        context.signal.throwIfAborted();
      } catch (error) {
        const isUnclassified = recordFailure(0, error).failureClass === 'unclassified';
        if (!isUnclassified || SQLSTATE.test(codeOf(error)) || !session.isOpen()) throw error;
        throw new HandlerThrew(messageOf(error), { cause: error });
      } finally {
        close();
      }
    },
  };
}

function guarded(session: Session): { sql: Sql; close(): void } {
  let isClosed = false;
  return {
    async sql(text, values = []) {
      if (isClosed) throw new Error('sql was called after handleTransaction had ended');
      const refused = ENDS_TRANSACTION.exec(text)?.[1];
      if (refused !== undefined) {
        throw new Error(
          `${refused.toUpperCase()} is not for handleTransaction: the transaction is that of the offset`,
        );
      }
      const { rows } = await session.query(text, values);
      return rows as never;
    },
    close() {
      isClosed = true;
    },
  };
}
