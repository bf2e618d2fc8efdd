import type { Pipeline } from './records/pipeline.ts';

/** None: where `pipeline/handle-transaction.ts` is there, the build puts it in this file's place. */
export const handleTransaction: Pipeline['handleTransaction'] = undefined;
