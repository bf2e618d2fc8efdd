import { Failure } from '../../../../src/errors.ts';
import type { OutputField } from '../../../../src/object-storage/config.ts';
import type { ConsumerRecord, ProducerRecord } from '../../../../src/record.ts';
import { type DeadLetter, placeOf } from '../../records/dead-letter.ts';
import { type RecordFailure, recordFailure } from '../../records/record-failure.ts';
import type { Transformation } from '../../records/transform.ts';
import { detached, type Prepared } from './gathered-object.ts';
import { jsonLine } from './json-line.ts';

export interface PrepareOptions {
  fields: readonly OutputField[];
  /** Without it, records are written as they are. Never rejects. */
  transform: ((records: readonly ConsumerRecord[]) => Promise<readonly Transformation[]>) | undefined;
  /** The dead letter of a record, or why there is none. */
  deadLetter: (dead: DeadLetter) => ProducerRecord | Failure;
}

/** What becomes of records, up to the first one that stops the partition. */
export async function prepare(
  records: readonly ConsumerRecord[],
  { fields, transform, deadLetter }: PrepareOptions,
): Promise<{ prepared: Prepared[]; stop: Failure | undefined }> {
  const made = (await transform?.(records)) ?? records.map((record) => [record]);
  const prepared: Prepared[] = [];
  for (const [index, record] of records.entries()) {
    const { offset = 0 } = record;
    const lines = linesOf(made[index] ?? [], index, fields);
    if (!('failureClass' in lines)) {
      prepared.push({ offset, lines });
      continue;
    }
    const { failureClass, error } = lines;
    if (failureClass === 'transient' || failureClass === 'sink') {
      const sentence = `${placeOf(record)}: ${error.message}`;
      return { prepared, stop: new Failure('SINK_FAILED', sentence, { cause: error }) };
    }
    const dead = { record: detached(record), failureClass, error };
    const letter = deadLetter(dead);
    if (letter instanceof Failure) return { prepared, stop: letter };
    prepared.push({ offset, dead: { dead, letter } });
  }
  return { prepared, stop: undefined };
}

/** The lines of a record's outputs, or why it fails. */
function linesOf(
  made: Transformation,
  index: number,
  fields: readonly OutputField[],
): readonly string[] | RecordFailure {
  if ('failureClass' in made) return made;
  try {
    return made.map((output) => jsonLine(output, fields));
  } catch (error) {
    return recordFailure(index, error);
  }
}
