import { Failure, toFailure } from '../errors.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { routes } from '../http/routes.ts';
import { createLog } from '../log.ts';
import type { ConsumerRecord } from '../record.ts';
import { kafkaBatchResponse } from './aws-kafka-event.ts';
import { type Call, callOf, type PlatformContext } from './context.ts';
import { httpHandler } from './http-function.ts';
import { readTrigger } from './trigger.ts';

/** A function that consumes records, without the platform. */
export interface ConsumerFunction {
  /** The members that a direct call may have. */
  wishes: readonly string[];
  /** Handles records that a trigger brought. `isRedelivered`: it brings failed records again. */
  push(records: readonly ConsumerRecord[], call: Call & { isRedelivered: boolean }): Promise<Pushed>;
  pull(wish: unknown, call: Call): Promise<object>;
  serve(request: HttpRequest, call: Call): Promise<HttpResponse>;
}

interface Pushed {
  failures: { record: ConsumerRecord; failure: Failure }[];
  answer: object;
  /** Whether AWS was told to read which records failed; otherwise it takes every response for success. */
  partialResponse: boolean;
}

/**
 * Creates a handler for every trigger of a consuming function, with the two parameters that the platform counts. An
 * HTTP call always gets a response. For other triggers, a failure is thrown as `CODE: sentence`.
 */
export function consumerHandler(
  consumer: ConsumerFunction,
): (event: unknown, context: PlatformContext) => Promise<unknown> {
  const http = httpHandler(consumer.serve, undefined, routes['/consume-batch'].needs.POST);
  return async (event, context) => {
    const call = callOf(context);
    try {
      const trigger = readTrigger(event, consumer.wishes);
      if (trigger.kind === 'http') return await http(event, context);
      if (trigger.kind === 'pull') return await consumer.pull(trigger.wish, call);
      const isRedelivered = trigger.from === 'aws';
      const { failures, answer, partialResponse } = await consumer.push(trigger.records, {
        ...call,
        isRedelivered,
      });
      if (isRedelivered && partialResponse) return kafkaBatchResponse(failures.map(({ record }) => record));
      const [first] = failures;
      if (!first) return answer;
      throw isRedelivered
        ? wholeBatch(first.failure, failures.length, trigger.records.length)
        : first.failure;
    } catch (error) {
      throw thrown(toFailure(error), call);
    }
  };
}

/** The failure that makes AWS bring the whole batch again. */
function wholeBatch(cause: Failure, failed: number, all: number): Failure {
  const sentence =
    `${failed} of ${all} records failed: ${cause.message}; all of them come again, unless the event source mapping ` +
    'has ReportBatchItemFailures and the function CONSUME_PARTIAL_RESPONSE=true';
  return new Failure(cause.code, sentence, { cause });
}

/** The platform reports only an error's message, so its causes are logged here. */
function thrown(failure: Failure, { requestId }: Call): Error {
  const { code, message } = failure;
  createLog('info').error('the call failed', { requestId, code, error: failure });
  return new Error(`${code}: ${message}`);
}
