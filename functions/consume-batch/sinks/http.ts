import type { SinkConfig } from '../../../src/config.ts';
import { remaining } from '../../../src/deadline.ts';
import type { ConsumerRecord } from '../../../src/record.ts';
import { type FailureClass, PoisonError, type RecordFailure, recordFailure } from '../record-failure.ts';
import type { Sink, SinkCall } from './sink.ts';

/** What one POST holds: enough to be worth its round trip, little enough for a receiver's limits. */
const MAX_RECORDS = 500;
const MAX_BYTES = 1024 * 1024;
/** An answer names failed records; what goes beyond this is not read. */
const MAX_ANSWER_BYTES = 1024 * 1024;

type HttpSinkConfig = Extract<SinkConfig, { name: 'http' }>;

/**
 * Posts batches as `{"records":[{topic, partition, offset, timestamp, key, value, headers}]}`. The status
 * says what became of all of them, `{"failures":[index, …]}` in the answer which ones failed alone. Errors
 * name neither the URL nor a header: both may hold a secret.
 */
export function httpSink({ url, headers, format }: HttpSinkConfig): Sink {
  const extraHeaders = Object.entries(headers).map(
    ([name, value]) => [name, value.reveal()] as [string, string],
  );
  return {
    oneByOne: false,
    async write(records, call) {
      const batch = encodeBatch(records, format);
      if (batch.indices.length === 0) return { taken: batch.taken, failures: batch.poison };
      const request = new Headers([...extraHeaders, ['content-type', 'application/json']]);
      const key = idempotencyKey(records.slice(0, batch.taken));
      if (key !== undefined) request.set('idempotency-key', key);
      const failures = await post(url, request, batch, call);
      return { taken: batch.taken, failures: [...batch.poison, ...failures] };
    },
  };
}

interface EncodedBatch {
  taken: number;
  body: string;
  /** Of the records in the body: where they stand in the batch. */
  indices: number[];
  poison: RecordFailure[];
}

function encodeBatch(records: readonly ConsumerRecord[], format: HttpSinkConfig['format']): EncodedBatch {
  const parts: string[] = [];
  const indices: number[] = [];
  const poison: RecordFailure[] = [];
  let bytes = 0;
  let taken = 0;
  for (const [index, record] of records.entries()) {
    if (taken === MAX_RECORDS || (bytes > 0 && bytes + sizeOf(record) > MAX_BYTES)) break;
    taken++;
    try {
      parts.push(encodeRecord(record, format));
      indices.push(index);
      bytes += sizeOf(record);
    } catch (error) {
      poison.push(recordFailure(index, error));
    }
  }
  return { taken, body: `{"records":[${parts.join(',')}]}`, indices, poison };
}

function sizeOf({ key, value }: ConsumerRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

/** Written by hand, because in the format `json` key and value are JSON text already and stay as they are. */
function encodeRecord(record: ConsumerRecord, format: HttpSinkConfig['format']): string {
  const { topic, partition, offset, timestamp, headers } = record;
  const coordinates = JSON.stringify({ topic, partition, offset, timestamp }).slice(1, -1);
  const encoded = headers.map(({ key, value }) => ({ key, value: value?.toString('base64') ?? null }));
  const key = record.key === null ? 'null' : encodeKey(record.key, format);
  const value = record.value === null ? 'null' : encodeValue(record.value, format);
  return `{${coordinates},"key":${key},"value":${value},"headers":${JSON.stringify(encoded)}}`;
}

function encodeKey(key: Buffer, format: HttpSinkConfig['format']): string {
  if (format === 'base64') return JSON.stringify(key.toString('base64'));
  const text = key.toString();
  return format === 'json' && isJson(text) ? text : JSON.stringify(text);
}

function encodeValue(value: Buffer, format: HttpSinkConfig['format']): string {
  if (format === 'base64') return JSON.stringify(value.toString('base64'));
  const text = utf8(value);
  if (format === 'text') return JSON.stringify(text);
  if (!isJson(text)) throw new PoisonError('the value is not JSON (CONSUME_SINK_FORMAT=json)');
  return text;
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new PoisonError('the value is not UTF-8 (CONSUME_SINK_FORMAT=base64 takes any bytes)', { cause });
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The same for the same records, so that a receiver can tell a repetition; absent where offsets are not known. */
function idempotencyKey(records: readonly ConsumerRecord[]): string | undefined {
  const first = records[0];
  const last = records.at(-1);
  if (first?.partition === undefined || first.offset === undefined) return undefined;
  return `${first.topic}-${first.partition}-${first.offset}-${last?.offset}`;
}

async function post(
  url: string,
  headers: Headers,
  { body, indices }: EncodedBatch,
  { deadline }: SinkCall,
): Promise<RecordFailure[]> {
  const failAll = (failureClass: FailureClass, error: Error) =>
    indices.map((index) => ({ index, failureClass, error }));
  try {
    const signal = AbortSignal.timeout(remaining(deadline));
    // A redirect would turn the POST into a GET.
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' });
    const failed = failedIndices(await readText(response), indices.length);
    const failureClass = classOf(response.status);
    if (failureClass === undefined && failed === undefined) return [];
    const error = new SinkAnswer(`the sink answered ${response.status}`);
    if (failed === undefined) return failAll(failureClass ?? 'unclassified', error);
    return failed.map((at) => ({
      index: indices[at] ?? 0,
      failureClass: failureClass ?? 'unclassified',
      error: new SinkAnswer(`the sink answered ${response.status} and named this record as failed`),
    }));
  } catch (error) {
    return failAll('transient', new SinkAnswer(`the sink did not answer: ${reasonOf(error)}`));
  }
}

class SinkAnswer extends Error {
  override readonly name = 'SinkAnswer';
}

/** Undefined: done. */
function classOf(status: number): FailureClass | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) return 'permanent';
  return 'transient';
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Undefined where the answer names no records; throws where it names some that were not posted. */
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

/** The socket's or the time-out's own word; fetch's messages may hold the URL. */
function reasonOf(error: unknown): string {
  for (let e: unknown = error, depth = 0; e instanceof Error && depth < 5; e = e.cause, depth++) {
    if ('code' in e && typeof e.code === 'string') return e.code;
    if (e.name === 'TimeoutError') return 'no time was left';
    if (e.message.startsWith('"failures"')) return e.message;
  }
  return 'the connection failed';
}
