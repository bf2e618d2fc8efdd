import { Failure } from '../errors.ts';
import type { ConsumerRecord } from '../record.ts';
import { isTopicName } from '../topic.ts';
import { isObject, type Members } from './members.ts';

export function isKafkaEvent(event: Members): boolean {
  return event.trigger_type === 'KAFKA' || (Array.isArray(event.messages) && 'topic_id' in event);
}

/**
 * Reads FunctionGraph's KAFKA event (DMS and open-source Kafka triggers). It carries the text of each record and
 * nothing else: no key, partition, offset, timestamp or header. Older versions have `messages` and `topic_id` at the
 * top, and some have each text in an object. Throws MALFORMED_REQUEST, and drops nothing, where any part of the event
 * has another shape.
 */
export function readKafkaEvent(event: Members): ConsumerRecord[] {
  if (event.records === undefined && event.messages !== undefined) return readTopic(event, 'the event');
  if (!Array.isArray(event.records)) throw malformed('records must be an array');
  return event.records.flatMap((entry: unknown, index) => {
    const path = `records[${index}]`;
    if (!isObject(entry)) throw malformed(`${path} must be an object`);
    return readTopic(entry, path);
  });
}

function readTopic({ topic_id: topic, messages }: Members, path: string): ConsumerRecord[] {
  if (typeof topic !== 'string' || !isTopicName(topic)) {
    throw malformed(`${path}.topic_id must be a topic name`);
  }
  if (!Array.isArray(messages)) throw malformed(`${path}.messages must be an array`);
  return messages.map((message: unknown, index) => ({
    topic,
    key: null,
    value: readMessage(isObject(message) ? message.message : message, `${path}.messages[${index}]`),
    headers: [],
  }));
}

function readMessage(text: unknown, path: string): Buffer | null {
  if (text === null) return null;
  if (typeof text !== 'string') throw malformed(`${path} must be a string`);
  return Buffer.from(text);
}

function malformed(problem: string): Failure {
  return new Failure('MALFORMED_REQUEST', `the KAFKA event is malformed: ${problem}`);
}
