import { backoffMs } from '../../backoff.ts';
import { remaining, sleep } from '../../deadline.ts';
import { Failure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import type { CoordinatorKind } from '../wire/find-coordinator.ts';
import type { Request } from '../wire/request.ts';
import type { Broker } from './broker.ts';
import { connectionFailure } from './client-errors.ts';
import type { Connection } from './connection.ts';

const FIRST_BACKOFF_MS = 5;
const MAX_BACKOFF_MS = 250;

/** The coordinator has moved or is not ready. Another broker, or the same one later, will respond. */
const moved: readonly number[] = [
  kafkaErrors.COORDINATOR_LOAD_IN_PROGRESS,
  kafkaErrors.COORDINATOR_NOT_AVAILABLE,
  kafkaErrors.NOT_COORDINATOR,
];

interface AskOptions {
  /** Epoch milliseconds. */
  deadline: number;
  retriable?: readonly number[];
  aside?: boolean;
}

/**
 * The broker that coordinates one group or one transactional id. It is looked up when first needed, and again once it
 * has moved. A request may be sent twice, so it must have the same effect then.
 */
export class Coordinator {
  readonly #connection: Connection;
  readonly #kind: CoordinatorKind;
  readonly #key: string;
  readonly #log: Log;
  #found: { broker: Broker; nodeId: number } | undefined;

  constructor(connection: Connection, kind: CoordinatorKind, key: string, log: Log) {
    this.#connection = connection;
    this.#kind = kind;
    this.#key = key;
    this.#log = log;
  }

  /**
   * Asks until the response has neither a code of a moved coordinator nor one of `retriable`. Throws a Failure where
   * none came by the deadline. `request` may be a function of the broker's id. `aside` uses a second connection,
   * because a broker handles the requests of one connection in turn.
   */
  async ask<T>(
    request: Request<T> | ((nodeId: number) => Request<T>),
    errorsOf: (answer: T) => readonly number[],
    { deadline, retriable = [], aside = false }: AskOptions,
  ): Promise<T> {
    let failure: Failure | undefined;
    for (let attempt = 0; attempt === 0 || remaining(deadline) > 0; attempt++) {
      if (attempt > 0)
        await sleep(Math.min(backoffMs(attempt, FIRST_BACKOFF_MS, MAX_BACKOFF_MS), remaining(deadline)));
      try {
        this.#found ??= await this.#connection.coordinator(this.#kind, this.#key, deadline);
        const { broker, nodeId } = this.#found;
        const question = typeof request === 'function' ? request(nodeId) : request;
        const answer = await (aside ? this.#connection.forFetching(broker) : broker).send(question, deadline);
        const code = errorsOf(answer).find((error) => moved.includes(error) || retriable.includes(error));
        if (code === undefined) return answer;
        failure = new Failure(
          'BROKER_UNREACHABLE',
          `${question.apiName} of ${this.#key}: ${kafkaErrorName(code)}`,
        );
        if (moved.includes(code)) this.#found = undefined;
      } catch (error) {
        failure = connectionFailure(error);
        if (!failure.retriable) throw failure;
        this.#found = undefined;
      }
      this.#log.debug('a coordinator did not answer yet', { key: this.#key, error: failure });
    }
    throw (
      failure ?? new Failure('BROKER_UNREACHABLE', `no time was left to ask the coordinator of ${this.#key}`)
    );
  }
}
