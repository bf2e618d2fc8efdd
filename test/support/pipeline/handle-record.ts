// The pipeline of our own tests' bundles: what a user makes of functions/consume-batch/pipeline/ is never run by them.

import type { RecordContext } from '../../../functions/consume-batch/records/pipeline.ts';
import { PoisonError } from '../../../functions/consume-batch/records/record-failure.ts';
import type { ConsumerRecord } from '../../../src/record.ts';

/** What is not JSON is poison; a tombstone is handled. */
export function handleRecord({ value, offset }: ConsumerRecord, { log }: RecordContext): void {
  if (value === null) return;
  try {
    JSON.parse(value.toString());
  } catch (cause) {
    throw new PoisonError('the value is not JSON', { cause });
  }
  log.debug('handled', { offset });
}
