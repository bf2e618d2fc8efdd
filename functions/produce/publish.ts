import { Failure, toFailure } from '../../src/errors.ts';
import {
  type HttpRequest,
  type HttpResponse,
  jsonResponse,
  type RequestHead,
} from '../../src/http/message.ts';
import type { Producer, SendTrace } from '../../src/kafka/produce/producer.ts';
import type { Log } from '../../src/log.ts';
import type { ProducerRecord, RecordMetadata } from '../../src/record.ts';
import { isGzip } from './body.ts';
import type { ProduceConfig } from './config.ts';
import { isBatch, isCloudEvent, readEvents } from './formats/cloudevents.ts';
import { formatOf, readRecords, type Target } from './formats/rest-proxy.ts';
import { readWebhook } from './formats/webhook.ts';
import {
  describePartition,
  describeTopic,
  listBrokers,
  listPartitions,
  listTopics,
  type Question,
  ready,
} from './metadata.ts';
import { openApi } from './openapi.ts';
import { acceptsAnswer, answerType, offsetsResponse, refusal } from './response.ts';
import { finder, type Handlers } from './routes.ts';

/** An answer comes within 5 s; the rest of them is for reading the request and writing the answer, on a busy machine, too. */
const ANSWER_WITHIN_MS = 4_500;

/** The platform cuts lines at 90 KiB. */
const MAX_RANGES = 1_000;

export interface Publisher {
  producer: Producer;
  config: ProduceConfig;
  log: Log;
}

export type Publish = (request: HttpRequest, deadline: number) => Promise<HttpResponse>;

/** The produce function without any platform: plain requests in, plain answers out, by the deadline (epoch ms). */
export function createPublish(publisher: Publisher): Publish {
  return (request, deadline) => answer(request, Math.min(deadline, Date.now() + ANSWER_WITHIN_MS), publisher);
}

async function answer(request: HttpRequest, deadline: number, publisher: Publisher): Promise<HttpResponse> {
  try {
    const { handler, target } = accept(request, publisher.config);
    return await handler.answer({ request, target, deadline, type: answerType(request), publisher });
  } catch (error) {
    const failure = toFailure(error);
    const level = failure.code === 'INTERNAL' ? 'error' : 'warn';
    publisher.log[level]('request failed', {
      requestId: request.requestId,
      code: failure.code,
      error: failure,
    });
    return refusal(failure, request);
  }
}

/**
 * Throws what a request's head alone shows to be wrong: no such route or method, a type or an encoding that is not
 * known. Whoever has the head first need not read the body then.
 */
export function checkHead(head: RequestHead, config: ProduceConfig): void {
  accept(head, config);
}

function accept(head: RequestHead, config: ProduceConfig) {
  if (!acceptsAnswer(head)) {
    throw new Failure('NOT_ACCEPTABLE', 'the answer is application/vnd.kafka.v2+json or application/json');
  }
  const found = find[config.routes](head);
  found.handler.checkHead?.(head);
  return found;
}

interface Call {
  request: HttpRequest;
  target: Target;
  deadline: number;
  type: string;
  publisher: Publisher;
}

interface Handler {
  /** Throws where the body can't be read, whatever it is. */
  checkHead?: (head: RequestHead) => void;
  answer: (call: Call) => Promise<HttpResponse>;
}

const handlers: Handlers<Handler> = {
  '/topics/{topic}/partitions/{partition}': {
    GET: asking(describePartition),
    POST: publishing(read, checkType),
  },
  '/topics/{topic}/partitions': { GET: asking(listPartitions) },
  '/webhooks/{topic}': { POST: publishing(readWebhook) },
  '/topics/{topic}': { GET: asking(describeTopic), POST: publishing(read, checkType) },
  '/topics': { GET: asking(listTopics) },
  '/brokers': { GET: asking(listBrokers) },
  '/healthy': { GET: asking(async () => ({ status: 'healthy' })) },
  '/ready': { GET: asking(ready) },
  '/openapi.json': { GET: asking(async ({ config }) => openApi(config)) },
  '/': { POST: publishing(read, checkType) },
};

/** By `PRODUCE_ROUTES`. */
const find = { all: finder(handlers, 'all'), webhooks: finder(handlers, 'webhooks') };

function asking(question: (about: Question) => Promise<unknown>): Handler {
  return {
    answer: async ({ target, deadline, type, publisher: { producer, config } }) =>
      jsonResponse(200, await question({ connection: producer.connection, config, target, deadline }), type),
  };
}

function publishing(
  readFrom: typeof readRecords,
  checkType: (head: RequestHead) => void = () => {},
): Handler {
  return {
    checkHead(head) {
      checkType(head);
      isGzip(head);
    },
    async answer({ request, target, deadline, type, publisher: { producer, config, log } }) {
      const started = Date.now();
      const records = await readFrom(request, target, config, deadline);
      const trace: Partial<SendTrace> = {};
      const outcomes = await producer.send(records, deadline, trace);
      const failures = outcomes.filter((outcome) => outcome instanceof Failure);
      log[failures.length > 0 ? 'warn' : 'info']('published', {
        requestId: request.requestId,
        // Absent where the caller sent none.
        traceparent: request.headers.traceparent,
        topic: records[0]?.topic,
        records: records.length,
        failed: failures.length,
        bytes: request.body.length,
        ms: Date.now() - started,
        offsets: rangesOf(outcomes),
        ...trace,
        ...(failures[0] && { code: failures[0].code, error: failures[0] }),
      });
      return offsetsResponse(outcomes, type);
    },
  };
}

/** Which partition and offset lead to this request: of each partition the first and the last one. */
function rangesOf(
  outcomes: readonly (RecordMetadata | Failure)[],
): { partition: number; first: number; last: number }[] {
  const ranges = new Map<number, { partition: number; first: number; last: number }>();
  for (const outcome of outcomes) {
    if (outcome instanceof Failure || outcome.offset === null) continue;
    const { partition, offset } = outcome;
    const range = ranges.get(partition);
    if (!range) ranges.set(partition, { partition, first: offset, last: offset });
    else {
      range.first = Math.min(range.first, offset);
      range.last = Math.max(range.last, offset);
    }
  }
  return [...ranges.values()].slice(0, MAX_RANGES);
}

function checkType(head: RequestHead): void {
  if (isCloudEvent(head)) isBatch(head);
  else formatOf(head);
}

function read(...[request, ...rest]: Parameters<typeof readRecords>): Promise<ProducerRecord[]> {
  return (isCloudEvent(request) ? readEvents : readRecords)(request, ...rest);
}
