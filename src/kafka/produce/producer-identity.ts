import { remaining, sleep } from '../../deadline.ts';
import { Failure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Broker } from '../connection/broker.ts';
import { SharedAttempt } from '../connection/shared-attempt.ts';
import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import { initProducerIdRequest, type ProducerIdentity } from '../wire/transactions.ts';
import type { ProducerConfig } from './config.ts';

const RETRY_AFTER_MS = 50;
/** Of transactions: there are none. */
const NO_TIMEOUT_MS = 0;

/**
 * Who the cluster takes this producer for, to whom each partition's sequence counts from 0. The identity is
 * asked for when first needed, shared by all partitions, and discarded after a failure.
 */
export class IdentityKeeper {
  /** Undefined before `obtain`, after `discard`, and for good where idempotence is off. */
  current: ProducerIdentity | undefined;
  #wanted: ProducerConfig['idempotence'];
  /** Topics in a message format that has no place for a producer's id. */
  readonly #without = new Set<string>();
  readonly #asking = new SharedAttempt<void>();
  readonly #log: Log;

  constructor(idempotence: ProducerConfig['idempotence'], log: Log) {
    this.#wanted = idempotence;
    this.#log = log;
  }

  /** True while records must not be sent for want of a producer id. */
  get isMissing(): boolean {
    return this.#wanted !== 'off' && !this.current;
  }

  /** Throws a Failure, or RequestFailed, where the cluster doesn't give one. */
  async obtain(broker: Broker, deadline: number): Promise<void> {
    if (!this.isMissing) return;
    await this.#asking.join((until) => this.#ask(broker, until), deadline);
  }

  /** The identity for a topic's records; undefined where they go without. */
  of(topic: string): ProducerIdentity | undefined {
    return this.#without.has(topic) ? undefined : this.current;
  }

  discard(): void {
    this.current = undefined;
  }

  /** The cluster refuses idempotence. Where it was only preferred, publishing goes on without; else throws CONFIG_INVALID. */
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

  /**
   * The topic's message format has no idempotence. Where it was only preferred, the topic's records go without;
   * else throws CONFIG_INVALID.
   */
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
      // A broker that has just started has none to give yet.
      if (remaining(deadline) <= RETRY_AFTER_MS) {
        throw new Failure('BROKER_UNREACHABLE', `no producer id yet: ${kafkaErrorName(errorCode)}`);
      }
      await sleep(RETRY_AFTER_MS);
    }
  }
}
