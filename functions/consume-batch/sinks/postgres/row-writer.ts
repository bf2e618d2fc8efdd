import type { Session } from '../../../../src/postgres/database.ts';
import type { ConsumerRecord } from '../../../../src/record.ts';

/** A source record and what the pipeline made of it, none where it was dropped. */
export interface Source {
  record: ConsumerRecord;
  outputs: readonly ConsumerRecord[];
}

/** A record without rows: why it is refused, or undefined where it repeats one that is done. */
export interface Unwritten {
  source: Source;
  error: Error | undefined;
}

/** Writes the rows of one topic's records. */
export interface RowWriter {
  /** The user's own code: it may be slow, and may leave settings behind in the connection. */
  isUsers?: true;
  /** A pull begins. */
  begin?(): void;
  /** What the table can't take, and a look at the record alone tells. Throws a PermanentError or PoisonError by the deadline (epoch ms). */
  check?(source: Source, deadline: number): Promise<void>;
  /**
   * The fast way, for all records of a batch: encodes them before the database is asked for a turn. Where it fails for
   * their sake, `write` finds out whose. Throws a record's error.
   */
  writingAll?(sources: readonly Source[]): Promise<(session: Session) => Promise<void>>;
  /** In the offsets' transaction. Rejects with what the database says, a record's error, or a Failure. */
  write(session: Session, sources: readonly Source[]): Promise<void>;
}
