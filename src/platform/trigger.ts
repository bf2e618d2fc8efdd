import { Failure } from '../errors.ts';
import type { ConsumerRecord } from '../record.ts';
import { isAwsKafkaEvent, readAwsKafkaEvent } from './aws-kafka-event.ts';
import { isHttpEvent } from './http-event.ts';
import { isKafkaEvent, readKafkaEvent } from './kafka-event.ts';
import { isObject, type Members } from './members.ts';

/** The trigger of a consuming function, and what came with it. */
export type Trigger =
  /** FunctionGraph ignores the response; AWS delivers again the records that it names as failed. */
  | { kind: 'records'; from: 'functiongraph' | 'aws'; records: ConsumerRecord[] }
  | { kind: 'http' }
  /** A timer or a direct call; `wish` narrows the pull. */
  | { kind: 'pull'; wish: Members };

/** Reads an event of any trigger. `wishes` are the members that a direct call may have. Throws MALFORMED_REQUEST. */
export function readTrigger(event: unknown, wishes: readonly string[]): Trigger {
  if (!isObject(event)) throw unknownEvent(event === null ? 'null' : typeof event);
  if (isHttpEvent(event)) return { kind: 'http' };
  if (isAwsKafkaEvent(event)) return { kind: 'records', from: 'aws', records: readAwsKafkaEvent(event) };
  if (isKafkaEvent(event)) return { kind: 'records', from: 'functiongraph', records: readKafkaEvent(event) };
  if (isTimer(event)) return { kind: 'pull', wish: userEvent(event.user_event) };
  if (Object.keys(event).every((name) => wishes.includes(name))) return { kind: 'pull', wish: event };
  throw unknownEvent(`an object with ${Object.keys(event).slice(0, 8).join(', ')}`);
}

/** Whether FunctionGraph's timer, or a schedule of Amazon EventBridge, sent the event. */
export function isTimer({ trigger_type: type, source }: Members): boolean {
  return type === 'TIMER' || source === 'aws.events' || source === 'aws.scheduler';
}

/** The text that was typed at the trigger: a JSON object, or a note that is ignored. */
function userEvent(text: unknown): Members {
  if (typeof text !== 'string') return {};
  try {
    const wish: unknown = JSON.parse(text);
    return isObject(wish) ? wish : {};
  } catch {
    return {};
  }
}

function unknownEvent(what: string): Failure {
  return new Failure(
    'MALFORMED_REQUEST',
    `the event is of no known kind (${what}): this function takes KAFKA and TIMER events, the Kafka events of AWS, HTTP requests, and {} for a pull`,
  );
}
