// Changes each record on its way to every sink except the handler. It changes nothing until you rewrite this file.
import type { ConsumerRecord } from '../../../src/record.ts';
import type { RecordContext } from '../records/pipeline.ts';

/**
 * Returns the record to send, an array of several, or undefined to drop it, which counts as handled. Topic, partition
 * and offset stay those of the source. Throw as in handle-record.ts.
 */
export function transformRecord(record: ConsumerRecord, _context: RecordContext): ConsumerRecord {
  return record;
}
