import { Failure, toFailure } from '../../../src/errors.ts';
import type { Connection } from '../../../src/kafka/connection/connection.ts';
import type { Producer } from '../../../src/kafka/produce/producer.ts';
import type { ProducerRecord } from '../../../src/record.ts';
import {
  type DeadLetter,
  deadLetter,
  fieldsOf,
  logDeadLetter,
  placeOf,
  type Reporter,
} from './dead-letter.ts';
import { afterRefusal, refusedFailure } from './dead-letter-fit.ts';
import type { CallOrigin } from './pipeline.ts';

interface LetterCall extends Pick<CallOrigin, 'requestId' | 'log'> {
  /** Epoch milliseconds. */
  deadline: number;
}

/** Writes records that no further attempt will help to their dead-letter topics. */
export class DeadLetters {
  readonly #template: string | undefined;
  readonly #producer: Producer;
  readonly #connection: Connection;
  readonly #reporter: Omit<Reporter, 'requestId'>;

  constructor(
    template: string | undefined,
    { producer, connection, sink }: { producer: Producer; connection: Connection; sink: string },
  ) {
    this.#template = template;
    this.#producer = producer;
    this.#connection = connection;
    this.#reporter = { clientId: connection.clientId, sink };
  }

  /** The dead-letter topic of a source topic; undefined where there is none. */
  topicOf(source: string): string | undefined {
    return this.#template?.replaceAll('{topic}', source);
  }

  /** The dead letter to publish; a Failure where the configuration has no place for it. */
  letter(dead: DeadLetter, requestId: string): ProducerRecord | Failure {
    const { topic: source } = dead.record;
    const topic = this.topicOf(source);
    if (topic === undefined) {
      const why = `${placeOf(dead.record)} failed and there is no dead-letter topic: ${dead.error.message}`;
      return new Failure('SINK_FAILED', why, { cause: dead.error });
    }
    if (topic === source) {
      return new Failure('CONFIG_INVALID', `CONSUME_DEAD_LETTER_TOPIC is topic ${source} itself`);
    }
    return deadLetter(dead, topic, { ...this.#reporter, requestId });
  }

  /** Publishes dead letters and waits for their acknowledgements. Resolves with a Failure or undefined for each. */
  write(dead: readonly DeadLetter[], call: LetterCall): Promise<(Failure | undefined)[]> {
    const write = async (item: DeadLetter) => {
      const cause = await this.#publish(item, call);
      if (cause) call.log.error('a failed record could not be dead-lettered', { ...fieldsOf(item), cause });
      return cause;
    };
    return Promise.all(dead.map(write));
  }

  /** Publishes the record with less and less beside it, until its topic takes it. */
  async #publish(dead: DeadLetter, call: LetterCall): Promise<Failure | undefined> {
    const { requestId, log, deadline } = call;
    const letter = this.letter(dead, requestId);
    if (letter instanceof Failure) return letter;
    const refusal = await this.#send(letter, deadline);
    if (!refusal) {
      logDeadLetter(log, dead, letter.topic);
      return undefined;
    }
    const less = afterRefusal(dead, refusal);
    if (less) return this.#publish(less, call);
    return refusedFailure(letter, dead, refusal, { connection: this.#connection, deadline });
  }

  async #send(letter: ProducerRecord, deadline: number): Promise<Failure | undefined> {
    try {
      const [outcome] = await this.#producer.send([letter], deadline);
      return outcome instanceof Failure ? outcome : undefined;
    } catch (error) {
      return toFailure(error);
    }
  }

  /** Warns of a missing dead-letter topic before anybody needs it. */
  async warnOfMissing(
    sources: readonly string[],
    { log, deadline }: Omit<LetterCall, 'requestId'>,
  ): Promise<void> {
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
        log.warn(
          `the dead-letter topic ${topic} ${isMissing ? 'does not exist' : 'could not be looked at'}: ${remedy}`,
          {
            code: failure.code,
          },
        );
      }
    }
  }
}
