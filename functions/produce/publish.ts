import { type Need, permit } from '../../src/access/caller.ts';
import { Failure, toFailure } from '../../src/errors.ts';
import {
  callFields,
  type HttpRequest,
  type HttpResponse,
  jsonResponse,
  type RequestHead,
  type Route,
  type Serve,
} from '../../src/http/message.ts';
import type { Producer, SendTrace } from '../../src/kafka/produce/producer.ts';
import { type Log, logFailed } from '../../src/log.ts';
import type { RecordMetadata } from '../../src/record.ts';
import { traceOf } from '../../src/trace.ts';
import { isGzip } from './body.ts';
import type { ProduceConfig } from './config.ts';
import { isBatch, isCloudEvent, readEvents } from './formats/cloudevents.ts';
import { formatOf, readRecords, type Target } from './formats/rest-proxy.ts';
import { readChallenge, readWebhook } from './formats/webhook.ts';
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
import { checkIdempotencyKey, withRequestHeaders } from './request-headers.ts';
import { acceptsAnswer, answerType, offsetsResponse, refusal } from './response.ts';
import { finder, type Handlers } from './routes.ts';

/** A response comes within 5 s; the difference is for reading and writing on a busy machine. */
const ANSWER_WITHIN_MS = 4_500;

/** The platform cuts lines at 90 KiB. */
const MAX_RANGES = 1_000;

export interface Publisher {
  producer: Producer;
  config: ProduceConfig;
  log: Log;
}

/** The produce function without any platform. It answers whatever goes wrong. */
export function createPublish(publisher: Publisher): Serve {
  const route = createRoute(publisher);
  return async (request, deadline) => {
    const known = { ...request, caller: publisher.config.keys.callerOf(request.headers) };
    try {
      return await route(known)(known, deadline);
    } catch (error) {
      const failure = toFailure(error);
      logFailed(publisher.log, failure, callFields(known));
      return refusal(failure, request);
    }
  };
}

/** The same for a server, which has a request's head first. It throws for a wrong route, method, caller, type or encoding. */
export function createRoute(publisher: Publisher): Route {
  const { routes, webhook } = publisher.config;
  const find = finder(handlers, routes);
  const ofWebhooks: Need = webhook.signature ? 'nothing' : 'publish';
  return (head) => {
    const { handler, need: stated, target } = find(head);
    const need = stated === 'signature' ? ofWebhooks : stated;
    permit(head.caller, need, target.topic);
    if (!acceptsAnswer(head)) {
      throw new Failure('NOT_ACCEPTABLE', 'the answer is application/vnd.kafka.v2+json or application/json');
    }
    const answer = handler(head);
    const type = answerType(head);
    return (request, deadline) => {
      const until = Math.min(deadline, Date.now() + ANSWER_WITHIN_MS);
      return answer({ request, need, target, deadline: until, type, publisher });
    };
  };
}

interface Call {
  request: HttpRequest;
  /** Of its caller. */
  need: Need;
  target: Target;
  deadline: number;
  type: string;
  publisher: Publisher;
}

type Answer = (call: Call) => Promise<HttpResponse>;

/** What answers to a request with this head. Throws where its body can't be read, whatever it is. */
type Handler = (head: RequestHead) => Answer;

const handlers: Handlers<Handler> = {
  '/topics/{topic}/partitions/{partition}': {
    GET: asking(describePartition),
    POST: publishing(readerOf),
  },
  '/topics/{topic}/partitions': { GET: asking(listPartitions) },
  '/webhooks/{topic}': { POST: answeringChallenge(publishing(() => readWebhook)) },
  '/topics/{topic}': { GET: asking(describeTopic), POST: publishing(readerOf) },
  '/topics': { GET: asking(listTopics) },
  '/brokers': { GET: asking(listBrokers) },
  '/healthy': { GET: asking(async () => ({ status: 'healthy' })) },
  '/ready': { GET: asking(ready) },
  '/openapi.json': { GET: asking(async ({ config }) => openApi(config)) },
  '/': { POST: publishing(readerOf) },
};

function asking(question: (about: Question) => Promise<unknown>): Handler {
  return () =>
    async ({ request: { caller }, target, deadline, type, publisher: { producer, config } }) => {
      const about = { connection: producer.connection, config, caller, target, deadline };
      return jsonResponse(200, await question(about), type);
    };
}

function publishing(readerOf: (head: RequestHead) => typeof readRecords): Handler {
  return (head) => {
    const read = readerOf(head);
    isGzip(head);
    checkIdempotencyKey(head);
    return async ({ request, need, target, deadline, type, publisher: { producer, config, log } }) => {
      const started = Date.now();
      const records = await read(request, target, config, deadline);
      permit(request.caller, need, records[0]?.topic);
      const trace = traceOf(request.headers);
      const places: Partial<SendTrace> = {};
      const outcomes = await producer.send(withRequestHeaders(records, request, trace), deadline, places);
      const failures = outcomes.filter((outcome) => outcome instanceof Failure);
      log[failures.length > 0 ? 'warn' : 'info']('published', {
        requestId: request.requestId,
        caller: request.caller?.name,
        traceId: trace?.traceId,
        topic: records[0]?.topic,
        records: records.length,
        failed: failures.length,
        bytes: request.body.length,
        ms: Date.now() - started,
        offsets: rangesOf(outcomes),
        ...places,
        ...(failures[0] && { code: failures[0].code, error: failures[0] }),
      });
      return offsetsResponse(outcomes, type);
    };
  };
}

/** Gives a sender back what it asks for before its first webhook. */
function answeringChallenge(publish: Handler): Handler {
  return (head) => {
    const answer = publish(head);
    return async (call) => {
      const challenge = readChallenge(call.request, call.target, call.publisher.config);
      return challenge === undefined ? answer(call) : jsonResponse(200, { challenge });
    };
  };
}

/** The first and last offset of each partition, which lead from the log to the records. */
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

/** By the content type and the headers of CloudEvents. */
function readerOf(head: RequestHead): typeof readRecords {
  const isEvent = isCloudEvent(head);
  if (isEvent) isBatch(head);
  else formatOf(head);
  return isEvent ? readEvents : readRecords;
}
