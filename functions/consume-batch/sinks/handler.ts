import { remaining } from '../../../src/deadline.ts';
import type { Log } from '../../../src/log.ts';
import type { ConsumerRecord } from '../../../src/record.ts';
import type { HandlerContext } from '../handle-record.ts';
import { recordFailure, TransientError } from '../record-failure.ts';
import type { Sink, SinkCall, SinkResult } from './sink.ts';

export type Handle = (record: ConsumerRecord, context: HandlerContext) => Promise<void> | void;

/** Hands records to a handler, one after the other, up to the first that fails. */
export function handlerSink(handle: Handle, log: Log): Sink {
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
  const startedAt = Date.now();
  let index = 0;
  const all = async (): Promise<SinkResult> => {
    const context = { log, deadline, signal: expiry.signal };
    for (; index < records.length; index++) {
      const record = records[index];
      if (!record || (index % CLOCK_EVERY === 0 && Date.now() >= startBefore)) break;
      try {
        const done = handle(record, context);
        // Awaiting nothing would cost a turn of the queue for every record.
        if (done) {
          await done;
          if (Date.now() >= startBefore || expiry.signal.aborted) return { taken: index + 1, failures: [] };
        }
      } catch (error) {
        return { taken: index + 1, failures: [recordFailure(index, error)] };
      }
    }
    return { taken: index, failures: [] };
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<SinkResult>((resolve) => {
    timer = setTimeout(() => {
      const error = new TransientError(`the handler did not finish within ${Date.now() - startedAt} ms`);
      expiry.abort(error);
      resolve({ taken: index + 1, failures: [{ index, failureClass: 'transient', error }] });
    }, remaining(deadline));
  });
  try {
    return await Promise.race([all(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A handler that returns at once is not asked for the time at every record. */
const CLOCK_EVERY = 64;
