import { Budget } from '../../src/budget.ts';
import type {
  FetchedRecords,
  FetchedRecordsReader,
  ReaderOptions,
} from '../../src/kafka/wire/records/record-batch-reader.ts';
import { recordingLog } from './log.ts';

const MIB = 1024 * 1024;

/** What a pull reads record batches with, unless told otherwise. */
export function readerOptions(options: Partial<ReaderOptions> = {}): ReaderOptions {
  return {
    isolationLevel: 'read_committed',
    checkCrcs: true,
    unreadable: 'stop',
    maxBatchBytes: 64 * MIB,
    memory: new Budget(32 * MIB),
    log: recordingLog(),
    ...options,
  };
}

/** As a pull takes records: what was taken before is handled by now. */
export async function take(
  reader: FetchedRecordsReader,
  ...limits: [number, number?]
): Promise<FetchedRecords> {
  await reader.ready();
  return reader.take(...limits);
}
