import type { TopicPartition } from '../../../../src/kafka/wire/by-topic.ts';
import type { Session } from '../../../../src/postgres/database.ts';
import { OFFSETS_TABLE } from '../../../../src/postgres/tables.ts';

export const OFFSETS_DDL = `CREATE TABLE IF NOT EXISTS ${OFFSETS_TABLE} (group_id text, topic text, partition int, next_offset bigint NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (group_id, topic, partition));`;

interface Row {
  topic: string;
  partition: number;
  /** A bigint, which the driver gives as text. */
  next_offset: string;
}

/** The offsets of the group that are stored beside its rows. */
export async function readOffsets(
  session: Session,
  groupId: string,
  topics: readonly string[],
): Promise<(TopicPartition & { offset: number })[]> {
  const { rows } = await session.query<Row>(
    `SELECT topic, partition, next_offset FROM ${OFFSETS_TABLE} WHERE group_id = $1 AND topic = ANY($2)`,
    [groupId, topics],
  );
  return rows.map(({ topic, partition, next_offset }) => ({ topic, partition, offset: Number(next_offset) }));
}

/** The stored offset, which waits for a transaction that is about to change it. */
export async function lockedOffset(
  session: Session,
  groupId: string,
  { topic, partition }: TopicPartition,
): Promise<number | undefined> {
  const { rows } = await session.query<Row>(
    `SELECT next_offset FROM ${OFFSETS_TABLE} WHERE group_id = $1 AND topic = $2 AND partition = $3 FOR UPDATE`,
    [groupId, topic, partition],
  );
  return rows[0] && Number(rows[0].next_offset);
}

interface Move extends TopicPartition {
  /** Undefined: neither the database nor Kafka has one. */
  from: number | undefined;
  to: number;
}

/**
 * Compare and set: false where another offset than `from` is stored, so that another pull is, or has been, at work.
 * Where none is stored, the group has come from Kafka's offsets.
 */
export async function moveOffset(
  session: Session,
  groupId: string,
  { topic, partition, from, to }: Move,
): Promise<boolean> {
  const { rowCount } = await session.query(
    `INSERT INTO ${OFFSETS_TABLE} AS o (group_id, topic, partition, next_offset) VALUES ($1, $2, $3, $4)
      ON CONFLICT (group_id, topic, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset, updated_at = now() WHERE o.next_offset = $5`,
    [groupId, topic, partition, to, from],
  );
  return rowCount === 1;
}
