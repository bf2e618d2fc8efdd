import type { TopicPartition } from '../../../../src/kafka/wire/by-topic.ts';
import type { Session } from '../../../../src/postgres/database.ts';
import { ONCE_KEY, ONCE_TABLE } from '../../../../src/postgres/tables.ts';
import { placeOf } from '../../records/dead-letter.ts';
import { PermanentError, TransientError } from '../../records/record-failure.ts';
import { type Idempotency, idempotencyOf } from './idempotency.ts';
import type { Source, Unwritten } from './row-writer.ts';

const KEY = ONCE_KEY.join(', ');
/** More than come in, so that an old backlog shrinks. */
const CLEANED_PER_KEY = 2;

export const ONCE_DDL = [
  `CREATE TABLE IF NOT EXISTS ${ONCE_TABLE} (group_id text, topic text, caller text, key text, index int, digest text NOT NULL, partition int NOT NULL, "offset" bigint NOT NULL, written_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (${KEY}));`,
  `CREATE INDEX IF NOT EXISTS ${ONCE_TABLE}_written_at ON ${ONCE_TABLE} (written_at);`,
];

/** In the order of the key, so that two transactions don't each wait for the other; of a batch's repeats the first wins. */
const CLAIM = `INSERT INTO ${ONCE_TABLE} (${KEY}, digest, partition, "offset")
  SELECT $1, $2, m.caller, m.key, m.index, m.digest, $3, m."offset"
  FROM unnest($4::text[], $5::text[], $6::int[], $7::text[], $8::bigint[]) AS m(caller, key, index, digest, "offset")
  ORDER BY m.caller COLLATE "C", m.key COLLATE "C", m.index, m."offset"
  ON CONFLICT (${KEY}) DO NOTHING RETURNING "offset"`;

/** One look into the index for each, whatever the planner knows of the table. */
const FIND = `SELECT first.* FROM unnest($3::text[], $4::text[], $5::int[]) WITH ORDINALITY AS m(caller, key, index, n)
  LEFT JOIN LATERAL (
    SELECT o.digest, o.partition, o."offset" FROM ${ONCE_TABLE} o
    WHERE o.group_id = $1 AND o.topic = $2 AND o.caller = m.caller AND o.key = m.key AND o.index = m.index LIMIT 1
  ) first ON true ORDER BY m.n`;

/**
 * By one transaction at a time; nobody waits for it. A partitioned table has a `ctid` more than once, so that ages are
 * compared again, in a way for which no index would be taken: each row is looked up by its place.
 */
export const CLEAN = `DELETE FROM ${ONCE_TABLE} WHERE written_at + make_interval(hours => $1) < now() AND ctid = ANY(ARRAY(
  SELECT ctid FROM ${ONCE_TABLE} WHERE written_at < now() - make_interval(hours => $1)
    AND (SELECT pg_try_advisory_xact_lock('${ONCE_TABLE}'::regclass::oid::bigint)) ORDER BY written_at LIMIT $2))`;

/** The record that has a key. */
interface First {
  digest: string | null;
  partition: number;
  /** A bigint, which the driver gives as text. */
  offset: string;
}

interface Keyed extends Idempotency {
  source: Source;
}

/** Another request came before with the same Idempotency-Key. */
class IdempotencyKeyReused extends PermanentError {
  override readonly name = 'IDEMPOTENCY_KEY_REUSED';
}

/**
 * Notes the idempotency keys of the records, in the transaction that writes them, and waits for other transactions
 * that have noted one of them. Resolves with the records that must not be written: repeats, and those whose key came
 * before with another body. A record that is read once more, as after a rewind, is no repeat of itself.
 */
export async function claimKeys(
  session: Session,
  groupId: string,
  { topic, partition }: TopicPartition,
  sources: readonly Source[],
): Promise<Unwritten[]> {
  const keyed = keyedOf(sources);
  if (keyed.length === 0) return [];
  const claimed = await session.query<{ offset: string }>(CLAIM, [
    ...[groupId, topic, partition, ...keysOf(keyed)],
    keyed.map(({ digest }) => digest),
    keyed.map(({ source }) => source.record.offset),
  ]);
  if (claimed.rowCount === keyed.length) return [];
  const own = new Set(claimed.rows.map(({ offset }) => Number(offset)));
  const others = keyed.filter(({ source }) => !own.has(Number(source.record.offset)));
  const { rows } = await session.query<First>(FIND, [groupId, topic, ...keysOf(others)]);
  return others.flatMap((other, at) => unwritten(other, rows[at]));
}

function unwritten({ source, digest, index }: Keyed, first: First | undefined): Unwritten[] {
  if (!first || first.digest === null) throw new TransientError('a key was cleaned while it was looked for');
  const { record } = source;
  const { partition, offset } = { ...first, offset: Number(first.offset) };
  if (first.digest !== digest) {
    const place = placeOf({ ...record, partition, offset });
    const why = `IDEMPOTENCY_KEY_REUSED: this Idempotency-Key came before with another body, whose record ${index} is ${place}: another body needs another key`;
    return [{ source, error: new IdempotencyKeyReused(why) }];
  }
  const isItself = partition === record.partition && offset === record.offset;
  return isItself ? [] : [{ source, error: undefined }];
}

/** Forgets keys that are older than `retentionH`, as many as have come with the records, and some more. */
export async function cleanKeys(
  session: Session,
  retentionH: number,
  sources: readonly Source[],
): Promise<void> {
  const count = keyedOf(sources).length;
  if (count > 0) await session.query(CLEAN, [retentionH, count * CLEANED_PER_KEY]);
}

/** Fails where the table is missing or may not be read. */
export async function requireKeys(session: Session): Promise<void> {
  await session.query(`SELECT FROM ${ONCE_TABLE} LIMIT 0`, []);
}

function keyedOf(sources: readonly Source[]): Keyed[] {
  return sources.flatMap((source) => {
    const idempotency = idempotencyOf(source.record);
    return idempotency ? [{ source, ...idempotency }] : [];
  });
}

function keysOf(keyed: readonly Keyed[]) {
  return [keyed.map(({ caller }) => caller), keyed.map(({ key }) => key), keyed.map(({ index }) => index)];
}
