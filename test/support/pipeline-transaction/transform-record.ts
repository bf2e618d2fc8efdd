import type { ConsumerRecord } from '../../../src/record.ts';

export const transformRecord = (record: ConsumerRecord) => record;
