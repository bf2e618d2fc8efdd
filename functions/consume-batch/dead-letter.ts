import { Failure, toFailure } from '../../src/errors.ts';
import type { Connection } from '../../src/kafka/connection.ts';
import type { Producer } from '../../src/kafka/producer.ts';
import type { Log } from '../../src/log.ts';
import type { ConsumerRecord, Header, ProducerRecord } from '../../src/record.ts';
import { ERROR_HEADER_PREFIX } from '../../src/reserved-headers.ts';
import type { FailureClass } from './record-failure.ts';

/**
 * Where the record stood that failed first, in Kafka Connect's headers
 * (org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter); all values are text.
 */
export const ORIGIN_HEADERS = ['topic', 'partition', 'offset'].map((name) => ERROR_HEADER_PREFIX + name);
const MAX_MESSAGE_LENGTH = 1_024;
const MAX_STACK_LENGTH = 4_096;

export interface DeadLetter {
  record: ConsumerRecord;
  failureClass: FailureClass;
  error: Error;
}

/** Who gave the record up, in Connect's words. */
export interface Reporter {
  clientId: string;
  sink: string;
}

/**
 * The record as it goes to the dead-letter topic: key, value and headers byte for byte, and why it is
 * there. One that has been there before keeps its first origin.
 */
export function deadLetter(
  { record, failureClass, error }: DeadLetter,
  topic: string,
  { clientId, sink }: Reporter,
): ProducerRecord {
  const isSecondDeath = record.headers.some(({ key }) => key === ORIGIN_HEADERS[0]);
  const kept = record.headers.filter(
    ({ key }) => !key.startsWith(ERROR_HEADER_PREFIX) || (isSecondDeath && ORIGIN_HEADERS.includes(key)),
  );
  const origin: Record<string, unknown> = isSecondDeath
    ? {}
    : { topic: record.topic, partition: record.partition, offset: record.offset };
  const added = {
    ...origin,
    'connector.name': clientId,
    'task.id': 0,
    stage: failureClass === 'poison' ? 'VALUE_CONVERTER' : 'TASK_PUT',
    'class.name': sink,
    'exception.class.name': error.name,
    'exception.message': error.message.slice(0, MAX_MESSAGE_LENGTH),
    'exception.stacktrace': error.stack?.slice(0, MAX_STACK_LENGTH),
  };
  const headers: Header[] = Object.entries(added)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ({ key: ERROR_HEADER_PREFIX + name, value: Buffer.from(String(value)) }));
  return {
    topic,
    key: record.key,
    value: record.value,
    headers: [...kept, ...headers],
    ...(record.timestamp !== undefined && { timestamp: record.timestamp }),
  };
}

/** Where records go that no attempt will help. */
export class DeadLetters {
  readonly #template: string | undefined;
  readonly #producer: Producer;
  readonly #connection: Connection;
  readonly #reporter: Reporter;
  readonly #log: Log;

  constructor(
    template: string | undefined,
    {
      producer,
      connection,
      sink,
      log,
    }: { producer: Producer; connection: Connection; sink: string; log: Log },
  ) {
    this.#template = template;
    this.#producer = producer;
    this.#connection = connection;
    this.#reporter = { clientId: connection.clientId, sink };
    this.#log = log;
  }

  /** The dead-letter topic of a source topic; undefined where there is none. */
  topicOf(source: string): string | undefined {
    return this.#template?.replaceAll('{topic}', source);
  }

  /** What is to be published; a Failure where the configuration has no place for it. */
  letter(dead: DeadLetter): ProducerRecord | Failure {
    const { topic: source } = dead.record;
    const topic = this.topicOf(source);
    if (topic === undefined) {
      const why = `${position(dead.record)} failed and there is no dead-letter topic: ${dead.error.message}`;
      return new Failure('SINK_FAILED', why, { cause: dead.error });
    }
    if (topic === source) {
      return new Failure('CONFIG_INVALID', `CONSUME_DEAD_LETTER_TOPIC is topic ${source} itself`);
    }
    return deadLetter(dead, topic, this.#reporter);
  }

  /** Publishes dead letters and waits for each one's acknowledgement; one Failure, or nothing, a record. */
  async write(dead: readonly DeadLetter[], deadline: number): Promise<(Failure | undefined)[]> {
    const letters = dead.map((item) => this.letter(item));
    const results = await Promise.all(
      letters.map(async (letter, index) =>
        letter instanceof Failure ? letter : this.#publish(letter, dead[index], deadline),
      ),
    );
    for (const [index, { record, failureClass, error }] of dead.entries()) {
      const { topic, partition, offset } = record;
      const failure = results[index];
      const fields = { topic, partition, offset, failureClass, error: error.message };
      if (failure)
        this.#log.error('a failed record could not be dead-lettered', { ...fields, cause: failure });
      else this.#log.warn('a record was dead-lettered', { ...fields, deadLetterTopic: this.topicOf(topic) });
    }
    return results;
  }

  async #publish(
    letter: ProducerRecord,
    dead: DeadLetter | undefined,
    deadline: number,
  ): Promise<Failure | undefined> {
    try {
      const [outcome] = await this.#producer.send([letter], deadline);
      return outcome instanceof Failure ? deadLetterFailure(letter, dead, outcome) : undefined;
    } catch (error) {
      return deadLetterFailure(letter, dead, toFailure(error));
    }
  }

  /** Warns of a dead-letter topic that is not there, while nobody needs it yet. */
  async warnOfMissing(sources: readonly string[], deadline: number): Promise<void> {
    const topics = new Set(sources.map((source) => this.topicOf(source)));
    for (const topic of topics) {
      if (topic === undefined) continue;
      try {
        await this.#connection.topic(topic, deadline);
      } catch (error) {
        const failure = toFailure(error);
        const isMissing = failure.code === 'UNKNOWN_TOPIC';
        const remedy = isMissing
          ? 'create it, or set CONSUME_DEAD_LETTER_TOPIC to another one or to none'
          : 'the call goes on; a record that needs it would fail it';
        this.#log.warn(
          `the dead-letter topic ${topic} ${isMissing ? 'does not exist' : 'could not be looked at'}: ${remedy}`,
          {
            code: failure.code,
          },
        );
      }
    }
  }
}

export function deadLetterFailure(
  letter: ProducerRecord,
  dead: DeadLetter | undefined,
  cause: Failure,
): Failure {
  const record = dead ? position(dead.record) : 'a record';
  return new Failure(
    'DEAD_LETTER_FAILED',
    `${record} failed (${dead?.error.message}) and could not be written to ${letter.topic}: ${cause.message}`,
    { cause },
  );
}

/** Where a record stands, as far as that is known: `orders-0@42`. */
export function position({ topic, partition, offset }: ConsumerRecord): string {
  return partition === undefined ? `a record of topic ${topic}` : `${topic}-${partition}@${offset}`;
}
