import { remaining } from '../../../../src/deadline.ts';
import type { Log } from '../../../../src/log.ts';
import type { ConsumerRecord } from '../../../../src/record.ts';
import type { HandlerContext } from '../../pipeline/handle-record.ts';
import { recordFailure, TransientError } from '../../records/record-failure.ts';
import type { Sink, SinkCall, SinkKind, SinkResult } from '../../records/sink.ts';

export type Handle = (record: ConsumerRecord, context: HandlerContext) => Promise<void> | void;

/** The user's own handler: `pipeline/handle-record.ts`. */
export const handler: SinkKind<object> = {
  configure: () => ({}),
  open: (_config, { handle, log }) => handlerSink(handle, log),
};

/** Hands records to a handler, one after the other, up to the first that fails. */
function handlerSink(handle: Handle, log: Log): Sink {
  return {
    oneByOne: true,
    write: (records, call) => handleUntilDeadline(records, call, handle, log),
  };
}

async function handleUntilDeadline(
  records: readonly ConsumerRecord[],
  { startBefore, deadline }: SinkCall,
  handle: Handle,
  log: Log,
): Promise<SinkResult> {
  const expiry = new AbortController();
  const run: Run = {
    records,
    handle,
    context: { log, deadline, signal: expiry.signal },
    startBefore,
    index: 0,
  };
  const startedAt = Date.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<SinkResult>((resolve) => {
    timer = setTimeout(() => {
      const error = new TransientError(`the handler did not finish within ${Date.now() - startedAt} ms`);
      expiry.abort(error);
      const { index } = run;
      resolve({ taken: index + 1, failures: [{ index, failureClass: 'transient', error }] });
    }, remaining(deadline));
  });
  try {
    return await Promise.race([handleInOrder(run), late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Run {
  records: readonly ConsumerRecord[];
  handle: Handle;
  context: HandlerContext;
  /** Epoch milliseconds. */
  startBefore: number;
  /** The record that is being handled. */
  index: number;
}

async function handleInOrder(run: Run): Promise<SinkResult> {
  const { records, handle, context, startBefore } = run;
  for (; run.index < records.length; run.index++) {
    const record = records[run.index];
    if (!record || (run.index % CLOCK_EVERY === 0 && Date.now() >= startBefore)) break;
    try {
      const done = handle(record, context);
      // Awaiting nothing would cost a turn of the queue for every record.
      if (!done) continue;
      await done;
    } catch (error) {
      return { taken: run.index + 1, failures: [recordFailure(run.index, error)] };
    }
    if (Date.now() >= startBefore || context.signal.aborted) return { taken: run.index + 1, failures: [] };
  }
  return { taken: run.index, failures: [] };
}

/** A handler that returns at once is not asked for the time at every record. */
const CLOCK_EVERY = 64;
