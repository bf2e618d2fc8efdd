// A pipeline that leaves some records out.

import type { ConsumerRecord } from '../../../src/record.ts';

export const transformRecord = (record: ConsumerRecord) =>
  record.value?.includes('"drop"') ? undefined : record;
