import { remaining, sleep } from '../../deadline.ts';
import { Failure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Broker } from '../connection/broker.ts';
import { SharedAttempt } from '../connection/shared-attempt.ts';
import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import { initProducerIdRequest, type ProducerIdentity } from '../wire/transactions.ts';
import type { ProducerConfig } from './config.ts';

const RETRY_AFTER_MS = 50;
/** For transactions, which this producer doesn't have. */
const NO_TIMEOUT_MS = 0;

/**
 * The producer id under which the cluster counts each partition's sequence from 0. It is requested when first needed,
 * shared by all partitions, and discarded after a failure.
 */
export class IdentityKeeper {
  /** Undefined before `obtain`, after `discard`, and for good where idempotence is off. */
  current: ProducerIdentity | undefined;
  #wanted: ProducerConfig['idempotence'];
  /** Topics whose message format can't hold a producer id. */
  readonly #without = new Set<string>();
  readonly #asking = new SharedAttempt<void>();
  readonly #log: Log;

  constructor(idempotence: ProducerConfig['idempotence'], log: Log) {
    this.#wanted = idempotence;
    this.#log = log;
  }

  /** True while records must wait for a producer id. */
  get isMissing(): boolean {
    return this.#wanted !== 'off' && !this.current;
  }

  /** Throws a Failure or RequestFailed where the cluster gives no id. */
  async obtain(broker: Broker, deadline: number): Promise<void> {
    if (!this.isMissing) return;
    await this.#asking.join((until) => this.#ask(broker, until), deadline);
  }

  /** The identity for a topic's records; undefined where they have none. */
  of(topic: string): ProducerIdentity | undefined {
    return this.#without.has(topic) ? undefined : this.current;
  }

  discard(): void {
    this.current = undefined;
  }

  /** Gives up idempotence, which the cluster refuses. Throws CONFIG_INVALID where it was required. */
  giveUp(reason: string): void {
    if (this.#wanted === 'required') {
      throw new Failure(
        'CONFIG_INVALID',
        'KAFKA_ENABLE_IDEMPOTENCE is true, but the cluster does not let this user produce idempotently: ' +
          `${reason}. It needs IdempotentWrite on the cluster, or Write on a topic`,
      );
    }
    if (this.#wanted === 'off') return;
    this.#log.warn('publishing without idempotence, because the cluster refuses it', { reason });
    this.#wanted = 'off';
    this.current = undefined;
  }

  /** Gives up idempotence for a topic whose message format lacks it. Throws CONFIG_INVALID where it was required. */
  giveUpFor(topic: string, reason: string): void {
    if (this.#wanted === 'required') {
      throw new Failure('CONFIG_INVALID', `KAFKA_ENABLE_IDEMPOTENCE is true, but ${reason}`);
    }
    if (this.#without.has(topic)) return;
    this.#log.warn('publishing to a topic without idempotence', { topic, reason });
    this.#without.add(topic);
  }

  async #ask(broker: Broker, deadline: number): Promise<void> {
    for (;;) {
      const answer = await broker.send(initProducerIdRequest(null, NO_TIMEOUT_MS), deadline);
      const { errorCode, producerId, producerEpoch } = answer;
      switch (errorCode) {
        case kafkaErrors.NONE:
          this.current = { producerId, producerEpoch };
          return;
        case kafkaErrors.CLUSTER_AUTHORIZATION_FAILED:
        case kafkaErrors.UNSUPPORTED_VERSION:
          this.giveUp(kafkaErrorName(errorCode));
          return;
      }
      // A broker that has just started may have no ids yet.
      if (remaining(deadline) <= RETRY_AFTER_MS) {
        throw new Failure('BROKER_UNREACHABLE', `no producer id yet: ${kafkaErrorName(errorCode)}`);
      }
      await sleep(RETRY_AFTER_MS);
    }
  }
}
