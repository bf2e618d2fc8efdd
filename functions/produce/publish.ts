import { randomUUID } from 'node:crypto';
import type { ProduceConfig } from '../../src/config.ts';
import { Failure, toFailure } from '../../src/errors.ts';
import { failureResponse, type HttpRequest, type HttpResponse, jsonResponse } from '../../src/http.ts';
import type { Producer } from '../../src/kafka/producer.ts';
import type { Log } from '../../src/log.ts';
import { invalid, readRecords, type Target } from './request.ts';
import { answerType, offsetsResponse } from './response.ts';

/** An answer comes within 5 s; the rest of them is for reading the request and writing the answer. */
const ANSWER_WITHIN_MS = 4_800;

export interface Publisher {
  producer: Producer;
  config: ProduceConfig;
  log: Log;
}

export type Publish = (request: HttpRequest, deadline: number) => Promise<HttpResponse>;

/** The produce function without any platform: plain requests in, plain answers out, by the deadline (epoch ms). */
export function createPublish(publisher: Publisher): Publish {
  return async (request, deadline) => {
    const started = Date.now();
    const response = await answer(request, Math.min(deadline, started + ANSWER_WITHIN_MS), publisher);
    response.headers['x-request-id'] = requestId(request);
    return response;
  };
}

async function answer(request: HttpRequest, deadline: number, publisher: Publisher): Promise<HttpResponse> {
  const type = answerType(request);
  try {
    if (!type)
      throw new Failure('NOT_ACCEPTABLE', 'the answer is application/vnd.kafka.v2+json or application/json');
    return await route(request, deadline, type, publisher);
  } catch (error) {
    const failure = toFailure(error);
    const level = failure.code === 'INTERNAL' ? 'error' : 'warn';
    publisher.log[level]('request failed', {
      requestId: requestId(request),
      code: failure.code,
      error: failure,
    });
    return failureResponse(failure, type);
  }
}

async function route(
  request: HttpRequest,
  deadline: number,
  type: string,
  publisher: Publisher,
): Promise<HttpResponse> {
  const { method, path } = request;
  if (path.endsWith('/healthy')) {
    only(['GET', 'HEAD'], method);
    return jsonResponse(200, { status: 'healthy' });
  }
  const target = targetOf(request);
  if (!target) throw new Failure('UNKNOWN_ROUTE', `there is no ${path}; records go to POST /topics/{topic}`);
  only(['POST'], method);
  return publishRecords(request, target, deadline, type, publisher);
}

async function publishRecords(
  request: HttpRequest,
  target: Target,
  deadline: number,
  type: string,
  { producer, config, log }: Publisher,
): Promise<HttpResponse> {
  const started = Date.now();
  const records = await readRecords(request, target, config);
  const outcomes = await producer.send(records, deadline);
  const failures = outcomes.filter((outcome) => outcome instanceof Failure);
  log[failures.length > 0 ? 'warn' : 'info']('published', {
    requestId: requestId(request),
    topic: records[0]?.topic,
    records: records.length,
    failed: failures.length,
    bytes: request.body.length,
    ms: Date.now() - started,
    ...(failures[0] && { code: failures[0].code, error: failures[0] }),
  });
  return offsetsResponse(outcomes, type);
}

/** Undefined where the path is no place to publish to. */
function targetOf({ path, pathParameters }: HttpRequest): Target | undefined {
  const match = /(?:^|\/)topics\/([^/]+)(?:\/partitions\/([^/]+))?\/?$/.exec(path);
  const topic = pathParameters?.topic ?? (match?.[1] && decodeSegment(match[1]));
  const partition = pathParameters?.partition ?? match?.[2];
  if (topic === undefined) return path === '/' || path === '' ? {} : undefined;
  return { topic, partition: partition === undefined ? undefined : partitionNumber(partition) };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalid([{ path: 'topic', message: 'is not percent-encoded UTF-8' }]);
  }
}

function partitionNumber(segment: string): number {
  const partition = Number(segment);
  if (/^\d{1,10}$/.test(segment) && partition < 2 ** 31) return partition;
  throw invalid([{ path: 'partition', message: 'must be a whole number that is not negative' }]);
}

function only(methods: string[], method: string): void {
  if (!methods.includes(method)) {
    throw new Failure('METHOD_NOT_ALLOWED', `${method} is not served here, only ${methods.join(' and ')}`);
  }
}

/** The platform's id of this call, else the caller's own where it is harmless, else a new one. */
function requestId(request: HttpRequest): string {
  const own = request.headers['x-request-id'];
  request.requestId ??= own !== undefined && /^[\w.:-]{1,128}$/.test(own) ? own : randomUUID();
  return request.requestId;
}
