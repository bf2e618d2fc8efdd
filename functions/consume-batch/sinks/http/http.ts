import { causesOf } from '../../../../src/errors.ts';
import type { ConsumerRecord } from '../../../../src/record.ts';
import type { Secret } from '../../../../src/secret.ts';
import type { Meanings } from '../../../../src/variables.ts';
import { type FailureClass, type RecordFailure, recordFailure } from '../../records/record-failure.ts';
import { recordTrace } from '../../records/record-trace.ts';
import type { Sink, SinkCall, SinkKind } from '../../records/sink.ts';
import { post } from './post.ts';
import { recordJson } from './record-json.ts';

/** The limits of one POST: worth its round trip, and within what receivers take (nginx: 1 MiB). */
const MAX_RECORDS = 500;
const MAX_BODY_BYTES = 1_000_000;
const BODY_START = '{"records":[';
const BODY_END = ']}';

export const meanings = {
  CONSUME_SINK_HEADERS: {
    secret: true,
    meaning: '`http` sink: request headers of your own, such as `{"Authorization":"Bearer …"}`',
  },
  CONSUME_SINK_FORMAT: {
    meaning:
      '`http` sink: how keys and values are written. `json`: their own JSON text, big numbers and all; no key and no value (a tombstone) are no member; a key that is not JSON is `keyText`, or `keyBase64` where it is not UTF-8',
  },
} as const satisfies Meanings;

export const sinkFormats = ['json', 'text', 'base64'] as const;
export type SinkFormat = (typeof sinkFormats)[number];

interface HttpSinkConfig {
  url: string;
  headers: Record<string, Secret>;
  format: SinkFormat;
}

export const http: SinkKind<HttpSinkConfig> = {
  configure: (variables) => ({
    url: variables.httpUrl('CONSUME_SINK_URL'),
    headers: variables.headers('CONSUME_SINK_HEADERS'),
    format: variables.oneOf('CONSUME_SINK_FORMAT', sinkFormats, 'json'),
  }),
  open: httpSink,
};

/**
 * Posts batches as `{"records":[{topic, partition, offset, timestamp, key, value, headers, traceparents}]}`, each
 * record as `recordJson` writes it. The status is for all of them, unless the response names failed ones as
 * `{"failures":[index, …]}`. Errors name neither the URL nor a header, because both may hold a secret.
 */
function httpSink({ url, headers, format }: HttpSinkConfig): Sink {
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]));
  const write: Sink['write'] = async (records, call) => {
    const batch = encodeBatch(records, format);
    if (batch.indices.length === 0) return { taken: batch.taken, failures: batch.poison };
    const key = idempotencyKey(records.slice(0, batch.taken));
    const all = {
      ...own,
      'content-type': 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
      ...traceHeaders(batch.indices.map((index) => records[index])),
    };
    const failures = await deliver(url, all, batch, call);
    if (failures === 'too large') return write(records.slice(0, Math.ceil(batch.taken / 2)), call);
    return { taken: batch.taken, failures: [...batch.poison, ...failures] };
  };
  return { oneByOne: false, write };
}

interface EncodedBatch {
  taken: number;
  body: string;
  /** The places of the body's records in the batch. */
  indices: number[];
  poison: RecordFailure[];
}

function encodeBatch(records: readonly ConsumerRecord[], format: SinkFormat): EncodedBatch {
  const parts: string[] = [];
  const indices: number[] = [];
  const poison: RecordFailure[] = [];
  let bytes = BODY_START.length + BODY_END.length;
  let taken = 0;
  for (const [index, record] of records.slice(0, MAX_RECORDS).entries()) {
    try {
      const part = recordJson(record, format);
      bytes += Buffer.byteLength(part) + 1;
      if (indices.length > 0 && bytes > MAX_BODY_BYTES) break;
      parts.push(part);
      indices.push(index);
    } catch (error) {
      poison.push(recordFailure(index, error));
    }
    taken++;
  }
  return { taken, body: `${BODY_START}${parts.join(',')}${BODY_END}`, indices, poison };
}

/** A request is part of one trace, so several records have theirs in the body alone. */
function traceHeaders([record, ...others]: readonly (ConsumerRecord | undefined)[]): Record<string, string> {
  const trace = record && others.length === 0 ? recordTrace(record) : undefined;
  if (!trace) return {};
  const { traceparent, tracestate } = trace;
  return { traceparent, ...(tracestate !== undefined && { tracestate }) };
}

/** The same for the same records, so that receivers recognise repetitions; undefined without offsets. */
function idempotencyKey(records: readonly ConsumerRecord[]): string | undefined {
  const first = records[0];
  const last = records.at(-1);
  if (first?.partition === undefined || first.offset === undefined) return undefined;
  return `${first.topic}-${first.partition}-${first.offset}-${last?.offset}`;
}

async function deliver(
  url: string,
  headers: Record<string, string>,
  { body, indices }: EncodedBatch,
  { deadline }: SinkCall,
): Promise<RecordFailure[] | 'too large'> {
  const failAll = (failureClass: FailureClass, error: Error) =>
    indices.map((index) => ({ index, failureClass, error }));
  try {
    const { status, text } = await post(url, { headers, body, deadline });
    if (isOfSink(status)) {
      const remedy = 'look at CONSUME_SINK_URL and CONSUME_SINK_HEADERS';
      const sentence = `the sink answered ${status}, which is not for its records: ${remedy}`;
      return failAll('sink', new SinkAnswer(sentence));
    }
    if ([413, 414].includes(status) && indices.length > 1) return 'too large';
    const failed = failedIndices(text, indices.length);
    const failureClass = classOf(status);
    if (failureClass === undefined && failed === undefined) return [];
    const error = new SinkAnswer(`the sink answered ${status}`);
    if (failed === undefined) return failAll(failureClass ?? 'unclassified', error);
    return failed.map((at) => ({
      index: indices[at] ?? 0,
      failureClass: failureClass ?? 'unclassified',
      error: new SinkAnswer(`the sink answered ${status} and named this record as failed`),
    }));
  } catch (error) {
    return failAll('transient', new SinkAnswer(`the sink did not answer: ${reasonOf(error)}`));
  }
}

class SinkAnswer extends Error {
  override readonly name = 'SinkAnswer';
}

/** The address or the credentials are wrong. No record can change that, so none is given up. */
function isOfSink(status: number): boolean {
  return (status >= 300 && status < 400) || [401, 403, 404, 405, 407].includes(status);
}

/** Undefined: done. */
function classOf(status: number): FailureClass | undefined {
  if (status >= 200 && status < 300) return undefined;
  return status >= 400 && status < 500 && ![408, 425, 429].includes(status) ? 'permanent' : 'transient';
}

/** Undefined where the response names no records. Throws where it names some that were not posted. */
function failedIndices(text: string, count: number): number[] | undefined {
  let failures: unknown;
  try {
    failures = (JSON.parse(text) as { failures?: unknown } | null)?.failures;
  } catch {
    return undefined;
  }
  if (!Array.isArray(failures)) return undefined;
  if (failures.every((index) => Number.isInteger(index) && index >= 0 && index < count)) {
    return [...new Set(failures as number[])];
  }
  throw new Error(`"failures" must hold indices from 0 to ${count - 1}`);
}

/** The code of the socket or time-out, because an error's message may hold the host. */
function reasonOf(error: unknown): string {
  for (const e of causesOf(error)) {
    if (e.name === 'AbortError' || e.name === 'TimeoutError') return 'no time was left';
    if (e.message.startsWith('"failures"')) return e.message;
    if ('code' in e && typeof e.code === 'string') return e.code;
  }
  return 'the connection failed';
}
