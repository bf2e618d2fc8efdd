import { remaining } from '../../../../src/deadline.ts';
import { Failure, messageOf } from '../../../../src/errors.ts';
import type { ConsumerRecord } from '../../../../src/record.ts';
import type { Pipeline, RecordContext } from '../../records/pipeline.ts';
import { recordFailure, TransientError } from '../../records/record-failure.ts';
import { commonTrace, inTrace, recordTrace } from '../../records/record-trace.ts';
import type { Sink, SinkKind, SinkParts, SinkResult } from '../../records/sink.ts';

/** For a fast handler, the clock is read only after this many records. */
const CLOCK_EVERY = 64;

/** The user's own handler: `handleBatch` or `handleRecord` of `pipeline/handle-record.ts`. */
export const handler: SinkKind<object> = {
  configure: () => ({}),
  open: openHandler,
  takesSource: true,
};

function openHandler(_config: object, { pipeline, resources }: SinkParts): Sink {
  const { handleRecord, handleBatch } = pipeline;
  if (!handleRecord && !handleBatch) {
    throw new Failure('CONFIG_INVALID', 'pipeline/handle-record.ts must export handleRecord or handleBatch');
  }
  return {
    oneByOne: handleBatch === undefined,
    async write(records, call) {
      let opened: unknown;
      try {
        opened = await resources.open(call.origin.environment);
      } catch (cause) {
        const error = new Error(`openResources of the pipeline failed: ${messageOf(cause)}`, { cause });
        return failAll(records, (index) => ({ index, failureClass: 'sink', error }));
      }
      const context = { ...call.origin, deadline: call.deadline, resources: opened };
      if (handleBatch) {
        const late = (error: Error) =>
          failAll(records, (index) => ({ index, failureClass: 'transient', error }));
        return untilDeadline(context, late, (whole) =>
          handleWhole(records, handleBatch, inTrace(whole, commonTrace(records))),
        );
      }
      const progress = { records, handleRecord, startBefore: call.startBefore, index: 0 };
      return untilDeadline(
        context,
        (error) => {
          const { index } = progress;
          return { taken: index + 1, failures: [{ index, failureClass: 'transient', error }] };
        },
        (whole) => handleInOrder(progress, whole),
      );
    },
  };
}

interface Progress {
  records: readonly ConsumerRecord[];
  handleRecord: Pipeline['handleRecord'];
  /** Epoch milliseconds. */
  startBefore: number;
  /** The record that is being handled. */
  index: number;
}

/** A record that is not done by the deadline counts as failed, even if the user's code goes on. */
async function untilDeadline(
  known: Omit<RecordContext, 'signal'>,
  resultWhenLate: (error: Error) => SinkResult,
  handle: (context: RecordContext) => Promise<SinkResult>,
): Promise<SinkResult> {
  const expiry = new AbortController();
  const startedAt = Date.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<SinkResult>((resolve) => {
    timer = setTimeout(() => {
      const error = new TransientError(`the handler did not finish within ${Date.now() - startedAt} ms`);
      expiry.abort(error);
      resolve(resultWhenLate(error));
    }, remaining(known.deadline));
  });
  try {
    return await Promise.race([handle({ ...known, signal: expiry.signal }), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Handles records in turn, up to the first that fails. */
async function handleInOrder(progress: Progress, context: RecordContext): Promise<SinkResult> {
  const { records, handleRecord, startBefore } = progress;
  for (; progress.index < records.length; progress.index++) {
    const record = records[progress.index];
    if (!record || (progress.index % CLOCK_EVERY === 0 && Date.now() >= startBefore)) break;
    try {
      const done = handleRecord?.(record, inTrace(context, recordTrace(record)));
      // Awaiting nothing would cost a turn of the queue for every record.
      if (!done) continue;
      await done;
    } catch (error) {
      return { taken: progress.index + 1, failures: [recordFailure(progress.index, error)] };
    }
    if (Date.now() >= startBefore || context.signal.aborted)
      return { taken: progress.index + 1, failures: [] };
  }
  return { taken: progress.index, failures: [] };
}

async function handleWhole(
  records: readonly ConsumerRecord[],
  handleBatch: NonNullable<Pipeline['handleBatch']>,
  context: RecordContext,
): Promise<SinkResult> {
  try {
    const failed = (await handleBatch(records, context)) ?? [];
    if (failed.some(({ index }) => !Number.isInteger(index) || !records[index])) {
      throw new Error(`handleBatch must return failures with an index from 0 to ${records.length - 1}`);
    }
    return { taken: records.length, failures: failed.map(({ index, error }) => recordFailure(index, error)) };
  } catch (error) {
    return failAll(records, (index) => recordFailure(index, error));
  }
}

function failAll(
  records: readonly ConsumerRecord[],
  failureOf: (index: number) => SinkResult['failures'][number],
): SinkResult {
  return { taken: records.length, failures: records.map((_record, index) => failureOf(index)) };
}
