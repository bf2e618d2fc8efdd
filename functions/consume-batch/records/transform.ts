import { backoffMs } from '../../../src/backoff.ts';
import { remaining, sleep } from '../../../src/deadline.ts';
import type { ConsumerRecord, Header } from '../../../src/record.ts';
import { IDEMPOTENCY_PREFIX } from '../../../src/reserved-headers.ts';
import type { Pipeline, RecordContext } from './pipeline.ts';
import { type RecordFailure, recordFailure } from './record-failure.ts';
import { inTrace, recordTrace } from './record-trace.ts';
import type { Sink, SinkCall, SinkParts, SinkResult } from './sink.ts';

type Transform = NonNullable<Pipeline['transformRecord']>;

/** The outputs of a record, none where it is dropped, or why it failed. */
export type Transformation = readonly ConsumerRecord[] | RecordFailure;

/** Wraps a sink so that it gets the outputs of `transformRecord`. Failures are assigned to the source records. */
export function transforming(sink: Sink, transform: Transform, parts: SinkParts): Sink {
  return {
    ...sink,
    async write(records, call) {
      const made = await transformAll(records, transform, parts, call);
      // Nothing has changed, as with the pipeline as shipped, so no failure has to be assigned.
      if (made.every((outputs, index) => Array.isArray(outputs) && isOnly(outputs, records[index]))) {
        return sink.write(records, call);
      }
      return writeOutputs(sink, made, call);
    },
  };
}

/** Never rejects: an error of a record's transformation is that record's failure. */
export async function transformAll(
  records: readonly ConsumerRecord[],
  transform: Transform,
  { resources }: SinkParts,
  { origin, deadline }: Pick<SinkCall, 'origin' | 'deadline'>,
): Promise<Transformation[]> {
  const made: Transformation[] = [];
  let context: RecordContext;
  try {
    const opened = await resources.open(origin.environment);
    const signal = AbortSignal.timeout(remaining(deadline));
    context = { ...origin, deadline, signal, resources: opened };
  } catch (cause) {
    const error = new Error('openResources of the pipeline failed', { cause });
    return records.map((_record, index) => ({ index, failureClass: 'sink', error }));
  }
  for (const [index, record] of records.entries()) {
    try {
      const result = transform(record, inTrace(context, recordTrace(record)));
      // Awaiting nothing would cost a turn of the queue for every record.
      made.push(outputsOf(record, result instanceof Promise ? await result : result));
    } catch (error) {
      made.push(recordFailure(index, error));
    }
  }
  return made;
}

export interface RetryingCall extends Pick<SinkCall, 'origin' | 'deadline' | 'startBefore'> {
  retries: number;
  retryBackoffMs: number;
}

/** As `transformAll`, with retries and a back-off until `startBefore` for failures that may pass. */
export async function transformRetrying(
  records: readonly ConsumerRecord[],
  transform: Transform,
  parts: SinkParts,
  call: RetryingCall,
): Promise<Transformation[]> {
  const made = await transformAll(records, transform, parts, call);
  for (let attempt = 1; attempt <= call.retries; attempt++) {
    const again = made.flatMap((one, index) => ('failureClass' in one && mayPass(one) ? [index] : []));
    const backoff = backoffMs(attempt, call.retryBackoffMs);
    if (again.length === 0 || Date.now() + backoff >= call.startBefore) break;
    await sleep(backoff);
    const chosen = records.filter((_record, index) => again.includes(index));
    const repeated = await transformAll(chosen, transform, parts, call);
    for (const [at, index] of again.entries()) made[index] = repeated[at] ?? [];
  }
  return made;
}

function mayPass({ failureClass }: RecordFailure): boolean {
  return failureClass === 'transient' || failureClass === 'unclassified';
}

function outputsOf(
  source: ConsumerRecord,
  result: Awaited<ReturnType<Transform>>,
): readonly ConsumerRecord[] {
  if (result === source) return [source];
  const outputs = result === undefined ? [] : Array.isArray(result) ? result : [result as ConsumerRecord];
  // A transformation can't change where a record comes from.
  const { topic, partition, offset } = source;
  const place = {
    topic,
    ...(partition !== undefined && { partition }),
    ...(offset !== undefined && { offset }),
  };
  const [only, ...others]: readonly ConsumerRecord[] = outputs;
  if (only && others.length === 0) return [{ ...only, ...place }];
  // Of several, all but one would look like repeats: they can't all be the same record of a request.
  const isKept = ({ key }: Header) => !key.startsWith(IDEMPOTENCY_PREFIX);
  return outputs.map((output: ConsumerRecord) => {
    const headers = output.headers.filter(isKept);
    return { ...output, ...place, headers };
  });
}

function isOnly(outputs: readonly ConsumerRecord[], record: ConsumerRecord | undefined): boolean {
  return outputs.length === 1 && outputs[0] === record;
}

/** Writes all outputs, in as many calls of the sink as it needs, and assigns the results to the source records. */
async function writeOutputs(
  sink: Sink,
  made: readonly Transformation[],
  call: SinkCall,
): Promise<SinkResult> {
  const failures = new Map<number, RecordFailure>();
  const outputs: { record: ConsumerRecord; index: number }[] = [];
  for (const [index, transformation] of made.entries()) {
    if ('failureClass' in transformation) failures.set(index, transformation);
    else outputs.push(...transformation.map((record) => ({ record, index })));
  }
  let done = 0;
  while (done < outputs.length && (done === 0 || Date.now() < call.startBefore)) {
    const rest = outputs.slice(done);
    const result = await sink.write(
      rest.map(({ record }) => record),
      call,
    );
    for (const failure of result.failures) {
      const index = rest[failure.index]?.index ?? 0;
      if (!failures.has(index)) failures.set(index, { ...failure, index });
    }
    if (result.taken === 0) break;
    done += result.taken;
  }
  // A record with outputs left is not taken: it comes again as a whole.
  const taken = outputs[done]?.index ?? made.length;
  return { taken, failures: [...failures.values()].filter(({ index }) => index < taken) };
}
