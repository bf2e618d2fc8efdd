import * as handling from './pipeline/handle-record.ts';
import * as resources from './pipeline/resources.ts';
import * as transforming from './pipeline/transform-record.ts';
import type { Pipeline } from './records/pipeline.ts';
import * as transaction from './users-transaction.ts';

/** The user's own code. */
export const pipeline: Pipeline = { ...handling, ...transforming, ...resources, ...transaction };
