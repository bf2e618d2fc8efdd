import { withFields } from '../../../src/log.ts';
import type { ConsumerRecord } from '../../../src/record.ts';
import { type Trace, traceOf } from '../../../src/trace.ts';
import type { CallOrigin } from './pipeline.ts';

/** More than any valid value has. */
const MAX_READ_BYTES = 1_024;

/** The trace in a record's headers. Of several headers with one name the last counts, as for Kafka's `lastHeader`. */
export function recordTrace({ headers }: ConsumerRecord): Trace | undefined {
  let traceparent: Buffer | null = null;
  let tracestate: Buffer | null = null;
  for (const { key, value } of headers) {
    if (key === 'traceparent') traceparent = value;
    else if (key === 'tracestate') tracestate = value;
  }
  if (traceparent === null) return undefined;
  return traceOf({ traceparent: textOf(traceparent), tracestate: textOf(tracestate) });
}

/** For a log line about one record; without members where it has no trace, so that the call's stays. */
export function traceIdOf(record: ConsumerRecord): { traceId?: string } {
  const trace = recordTrace(record);
  return trace ? { traceId: trace.traceId } : {};
}

/** The trace that all of these records have; undefined where they differ. */
export function commonTrace(records: readonly ConsumerRecord[]): Trace | undefined {
  const [first, ...others] = records;
  const trace = first && recordTrace(first);
  const isSame = (other: ConsumerRecord) => {
    const { traceparent, tracestate } = recordTrace(other) ?? {};
    return traceparent === trace?.traceparent && tracestate === trace?.tracestate;
  };
  return trace && others.every(isSame) ? trace : undefined;
}

/** The context for records of this trace, whose lines name it; without a trace, the context of the call. */
export function inTrace<Context extends CallOrigin>(context: Context, trace: Trace | undefined): Context {
  if (!trace) return context;
  return { ...context, ...trace, log: withFields(context.log, { traceId: trace.traceId }) };
}

/** Every byte as a character, so that no other bytes can pass for a valid text. A cut one is too long all the same. */
function textOf(value: Buffer | null): string | undefined {
  return value?.toString('latin1', 0, MAX_READ_BYTES);
}
