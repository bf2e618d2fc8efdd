import { remaining, sleep } from '../../deadline.ts';
import { Failure } from '../../errors.ts';
import { firstOf } from '../../first-of.ts';
import type { Log } from '../../log.ts';
import { type Address, addressText } from '../../variables.ts';
import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import { type CoordinatorKind, findCoordinatorRequest } from '../wire/find-coordinator.ts';
import {
  allTopicsRequest,
  type MetadataPartition,
  type MetadataTopic,
  metadataRequest,
} from '../wire/metadata.ts';
import type { Request } from '../wire/request.ts';
import { Broker } from './broker.ts';
import { connectionFailure, metadataFailure, unknownTopic } from './client-errors.ts';
import type { ClientOptions } from './client-options.ts';
import { SharedAttempt } from './shared-attempt.ts';

/** Kafka's own default for `metadata.max.age.ms`. */
const METADATA_MAX_AGE_MS = 300_000;
/** After this long without success at one address, the next one is tried beside it. */
const HEAD_START_MS = 500;
const MAX_ATTEMPTS = 3;
/** After this long without a response, another broker is asked. */
const ANSWER_WITHIN_MS = 2_000;

export interface TopicMetadata extends Omit<MetadataTopic, 'errorCode'> {
  /** In the order of their numbers, from 0. */
  partitions: MetadataPartition[];
  /** When a broker was asked (epoch milliseconds). */
  askedAt: number;
}

/**
 * The warm connection to one cluster: its brokers and its known topics. Nothing connects before the first call, and
 * any number of callers may share it.
 */
export class Connection {
  readonly clientId: string;
  readonly #options: ClientOptions;
  readonly #log: Log;
  /** By address, so that a bootstrap address that is also advertised has one connection. */
  readonly #brokers = new Map<string, Broker>();
  readonly #fetchBrokers = new Map<Broker, Broker>();
  #addresses = new Map<number, Address>();
  readonly #topics = new Map<string, TopicMetadata>();
  readonly #reading = new Map<string, SharedAttempt<TopicMetadata>>();

  constructor(options: ClientOptions, log: Log) {
    this.clientId = options.clientId;
    this.#options = options;
    this.#log = log;
  }

  /** Connects to the cluster and learns its brokers, so that the first request doesn't pay for it. */
  async open(deadline: number): Promise<void> {
    await this.#readMetadata([], deadline);
  }

  /**
   * The topic's metadata. A broker is asked where nothing is known, where it is older than `maxAgeMs`, and where the
   * topic did not exist. Throws UNKNOWN_TOPIC, TOPIC_NOT_AUTHORIZED, BROKER_UNREACHABLE …
   */
  async topic(
    name: string,
    deadline: number,
    { maxAgeMs = METADATA_MAX_AGE_MS } = {},
  ): Promise<TopicMetadata> {
    const oldest = Date.now() - maxAgeMs;
    const known = this.#topics.get(name);
    if (known && known.askedAt > oldest) return known;
    const reading = this.#reading.get(name) ?? new SharedAttempt<TopicMetadata>();
    this.#reading.set(name, reading);
    try {
      for (;;) {
        const topic = await reading.join((until) => this.#readTopic(name, until), deadline);
        // Another caller's answer may be too old for this one.
        if (topic.askedAt >= oldest) return topic;
      }
    } catch (error) {
      throw connectionFailure(error);
    } finally {
      if (!reading.isUnderWay) this.#reading.delete(name);
    }
  }

  /** The names of all topics that this user may see, in order, including topics without a leader. */
  async topicNames(deadline: number): Promise<string[]> {
    const { topics } = await this.#askAnyBroker(allTopicsRequest(), deadline);
    return topics.map(({ name }) => name).sort();
  }

  /** The ids of the cluster's brokers, in order, asked from a broker now. */
  async brokerIds(deadline: number): Promise<number[]> {
    const { brokers } = await this.#askAnyBroker(metadataRequest([]), deadline);
    return brokers.map(({ nodeId }) => nodeId).sort((a, b) => a - b);
  }

  /** The last known leader, without asking; undefined where there is none. */
  leader(topic: string, partition: number): Broker | undefined {
    const nodeId = this.#topics.get(topic)?.partitions[partition]?.leader;
    const address = nodeId === undefined ? undefined : this.#addresses.get(nodeId);
    return address && this.#broker(address);
  }

  /** The last known epoch of the leader, without asking; -1 where it is not known. */
  leaderEpoch(topic: string, partition: number): number {
    return this.#topics.get(topic)?.partitions[partition]?.leaderEpoch ?? -1;
  }

  /** Marks the topic's metadata as outdated: the next caller who needs it asks a broker. */
  distrust(topic: string): void {
    const known = this.#topics.get(topic);
    if (known) known.askedAt = 0;
  }

  /** The first broker that is reached: connected before others, idle before busy, those in `late` last. */
  async anyBroker(deadline: number, late: ReadonlySet<Broker> = new Set()): Promise<Broker> {
    const rank = (broker: Broker) =>
      (late.has(broker) ? 4 : 0) + (broker.isConnected ? 0 : 2) + (broker.isWaiting ? 1 : 0);
    return this.#firstReady(
      this.#knownBrokers.sort((a, b) => rank(a) - rank(b)),
      deadline,
    );
  }

  get #knownBrokers(): Broker[] {
    const addresses = [...this.#addresses.values(), ...this.#options.bootstrapServers];
    return [...new Set(addresses.map((address) => this.#broker(address)))];
  }

  /** Finds the coordinator of a group or a transactional id. Throws BROKER_UNREACHABLE where there is none. */
  async coordinator(
    kind: CoordinatorKind,
    key: string,
    deadline: number,
  ): Promise<{ broker: Broker; nodeId: number }> {
    const request = findCoordinatorRequest(kind, key);
    const { errorCode, nodeId, host, port } = await this.#askAnyBroker(request, deadline);
    if (errorCode === kafkaErrors.NONE) return { broker: this.#broker({ host, port }), nodeId };
    const what = `${kind === 'group' ? 'group' : 'transactional id'} ${key}`;
    if (
      errorCode === kafkaErrors.GROUP_AUTHORIZATION_FAILED ||
      errorCode === kafkaErrors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    ) {
      throw new Failure('TOPIC_NOT_AUTHORIZED', `the cluster does not let this function use ${what}`);
    }
    throw new Failure('BROKER_UNREACHABLE', `no coordinator of ${what}: ${kafkaErrorName(errorCode)}`);
  }

  /** A second connection to a leader: a broker handles a connection's requests in turn, and a fetch is large. */
  forFetching(leader: Broker): Broker {
    const known = this.#fetchBrokers.get(leader);
    if (known) return known;
    const broker = new Broker(leader.address, this.#options, this.#log);
    this.#fetchBrokers.set(leader, broker);
    return broker;
  }

  /** Ends every connection at once. The next call opens new ones. */
  close(): void {
    for (const broker of [...this.#brokers.values(), ...this.#fetchBrokers.values()]) broker.close();
    this.#brokers.clear();
    this.#fetchBrokers.clear();
  }

  async #readTopic(name: string, deadline: number): Promise<TopicMetadata> {
    await this.#readMetadata([name], deadline);
    const topic = this.#topics.get(name);
    if (!topic) throw unknownTopic(name);
    return topic;
  }

  async #readMetadata(names: readonly string[], deadline: number): Promise<void> {
    const askedAt = Date.now();
    const { brokers, topics } = await this.#askAnyBroker(metadataRequest(names), deadline);
    this.#addresses = new Map(brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    for (const { name, errorCode, partitions, isInternal, operations } of topics) {
      const failure = metadataFailure(errorCode, name);
      if (failure) {
        this.#topics.delete(name);
        throw failure;
      }
      this.#topics.set(name, { name, partitions, isInternal, operations, askedAt });
    }
  }

  /** Asks another broker where the first one is lost or frozen between proving itself and responding. */
  async #askAnyBroker<T>(request: Request<T>, deadline: number): Promise<T> {
    const late = new Set<Broker>();
    for (let attempt = 1; ; attempt++) {
      const broker = await this.anyBroker(deadline, late);
      const isLast = attempt === MAX_ATTEMPTS || this.#knownBrokers.length === 1;
      const patience = isLast ? remaining(deadline) : Math.min(ANSWER_WITHIN_MS, remaining(deadline) / 2);
      try {
        return await broker.send(request, Date.now() + patience);
      } catch (error) {
        late.add(broker);
        if (attempt === MAX_ATTEMPTS || remaining(deadline) === 0) throw connectionFailure(error);
        this.#log.debug('a broker did not answer', { broker: `${broker}`, error });
      }
    }
  }

  /** Tries the addresses in order, the next one as soon as one fails or is slow. */
  async #firstReady(brokers: Broker[], deadline: number): Promise<Broker> {
    const failures: unknown[] = [];
    const attempts: Promise<Broker | undefined>[] = [];
    let winner: Broker | undefined;
    for (const broker of brokers) {
      const attempt = broker.ready(deadline).then(
        () => broker,
        (error: unknown) => {
          this.#log.debug('a broker could not be reached', { broker: `${broker}`, error });
          failures.push(error);
          return undefined;
        },
      );
      attempts.push(attempt);
      winner = await Promise.race([
        firstOf(attempts),
        attempt,
        sleep(Math.min(HEAD_START_MS, remaining(deadline))),
      ]);
      if (winner) break;
    }
    winner ??= await firstOf(attempts);
    if (!winner) throw connectionFailure(failures[0]);
    for (const broker of brokers) if (broker !== winner) broker.abandon();
    return winner;
  }

  #broker(address: Address): Broker {
    const key = addressText(address);
    const known = this.#brokers.get(key);
    if (known) return known;
    const broker = new Broker(address, this.#options, this.#log);
    this.#brokers.set(key, broker);
    return broker;
  }
}
