// What every sink but the handler gets for a record: the record itself, until you rewrite this file.
import type { ConsumerRecord } from '../../../src/record.ts';
import type { RecordContext } from '../records/pipeline.ts';

/**
 * Returns the record as it goes on, an array of several, or undefined to drop it, which counts as handled. Topic,
 * partition and offset stay those of the source. Throw as in handle-record.ts.
 */
export function transformRecord(record: ConsumerRecord, _context: RecordContext): ConsumerRecord {
  return record;
}
