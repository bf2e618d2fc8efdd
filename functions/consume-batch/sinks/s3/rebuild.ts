import { Failure } from '../../../../src/errors.ts';
import type { Connection } from '../../../../src/kafka/connection/connection.ts';
import { logOffsets } from '../../../../src/kafka/fetch/log-offsets.ts';
import type { TopicPartition } from '../../../../src/kafka/wire/by-topic.ts';
import type { Log } from '../../../../src/log.ts';
import type { Content } from '../../../../src/object-storage/store.ts';
import type { ConsumerRecord } from '../../../../src/record.ts';
import type { PullConfig } from '../../config.ts';
import { placeOf } from '../../records/dead-letter.ts';
import { PermanentError } from '../../records/record-failure.ts';
import { type DeadWithLetter, detached, type Prepared } from './gathered-object.ts';
import type { Intent } from './intent.ts';
import { ObjectBody } from './object-body.ts';
import { OffsetWalk } from './offset-runs.ts';
import { type PrepareOptions, prepare } from './prepare.ts';
import { readRange } from './read-range.ts';

export interface Rebuilding extends Omit<PrepareOptions, 'fields'> {
  connection: Connection;
  groupId: string;
  reading: PullConfig;
  /** Epoch milliseconds. */
  deadline: number;
  log: Log;
}

/** An announced object, and its offset. */
export interface OpenIntent extends TopicPartition {
  start: number;
  intent: Intent;
  /** The object is there, so that only its dead letters are wanted. */
  isThere: boolean;
}

/**
 * Reads an announced object's records again and makes exactly that object: nothing of what its first maker decided is
 * decided anew. Throws a Failure where that is no longer possible.
 */
export async function rebuild(
  open: OpenIntent,
  options: Rebuilding,
): Promise<{ content: Content; dead: DeadWithLetter[] }> {
  const { start, intent, isThere, topic, partition } = open;
  const { connection, reading, deadline } = options;
  const body = new ObjectBody(intent.compression);
  const dead: DeadWithLetter[] = [];
  const [records, deadOnes] = [new OffsetWalk(intent.records), new OffsetWalk(intent.dead)];
  const bound = async (end: 'earliest' | 'latest') => {
    const { isolationLevel } = reading;
    const [offset] = await logOffsets(connection, [open], end, { isolationLevel, deadline });
    if (typeof offset !== 'number') throw offset ?? new Failure('NO_LEADER', `${topic}-${partition}`);
    return offset;
  };
  const [logStart, logEnd] = await Promise.all([bound('earliest'), bound('latest')]);
  const range = { topic, partition, from: Math.max(start, logStart), to: Math.min(intent.to, logEnd) };
  for await (const batch of range.from < range.to ? readRange(range, options) : []) {
    const wanted = batch.flatMap((record) => {
      const { offset = 0 } = record;
      const [isIn, isDead] = [records.has(offset), deadOnes.has(offset)];
      return isDead || (isIn && !isThere) ? [{ record, isDead }] : [];
    });
    const gone = isThere ? deadOnes.missing : (records.missing ?? deadOnes.missing);
    if (gone !== undefined) throw goneFailure(open, { gone, logStart }, options);
    const sources = wanted.map(({ record }) => record);
    const { prepared, stop } = await prepare(sources, { ...options, fields: intent.fields });
    for (const [at, one] of prepared.entries()) {
      const { record, isDead = false } = wanted[at] ?? {};
      if (!record) continue;
      if (isDead) dead.push(deadAgain(one, record, options));
      else for (const line of linesAgain(one, record, intent)) await body.add(line);
    }
    if (stop) throw stop;
  }
  records.has(intent.to);
  deadOnes.has(intent.to);
  const gone = isThere ? deadOnes.missing : (records.missing ?? deadOnes.missing);
  if (gone !== undefined) throw goneFailure(open, { gone, logStart }, options);
  return { content: await body.finish(), dead };
}

/** Throws a Failure where the record no longer makes any line. */
function linesAgain(prepared: Prepared, record: ConsumerRecord, { name, build }: Intent): readonly string[] {
  const error = 'dead' in prepared ? prepared.dead.dead.error : undefined;
  if ('lines' in prepared && prepared.lines.length > 0) return prepared.lines;
  const now = error ? `it fails now: ${error.message}` : 'transformRecord drops it now';
  throw new Failure(
    'SINK_FAILED',
    `${placeOf(record)} belongs to object ${name}, which build ${build} announced and did not finish, but ${now}. Let transformRecord take it as before until the object is written`,
    { cause: error },
  );
}

function deadAgain(prepared: Prepared, record: ConsumerRecord, { deadLetter }: Rebuilding): DeadWithLetter {
  if ('dead' in prepared) return prepared.dead;
  const error = new PermanentError('the record failed before, and was left out of an object that way');
  const dead = { record: detached(record), failureClass: 'permanent', error } as const;
  const letter = deadLetter(dead);
  if (letter instanceof Failure) throw letter;
  return { dead, letter };
}

function goneFailure(
  { topic, partition, start, intent: { name, to } }: OpenIntent,
  { gone, logStart }: { gone: number; logStart: number },
  { groupId }: Rebuilding,
): Failure {
  const reset = (offset: string) =>
    `kafka-consumer-groups --reset-offsets --group ${groupId} --topic ${topic}:${partition} --to-offset ${offset} --execute`;
  return new Failure(
    'SINK_FAILED',
    `object ${name} was announced for offsets ${start} to ${to - 1} of ${topic}-${partition}, but record ${gone} is gone from the topic (retention or compaction; it begins at ${logStart} now), so that the object can't be made as announced. If it is in the bucket, go on behind it: ${reset(`${to}`)}; else what is gone is lost, go on with the rest: ${reset(`${Math.max(start, logStart)}`)}`,
  );
}
