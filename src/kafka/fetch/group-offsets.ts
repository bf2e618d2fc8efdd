import { Failure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Connection } from '../connection/connection.ts';
import { Coordinator } from '../connection/coordinator.ts';
import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import { byPartition, type TopicPartition } from '../wire/by-topic.ts';
import { describeConfigsRequest } from '../wire/describe-configs.ts';
import { type DescribedGroup, describeGroup } from '../wire/describe-group.ts';
import { type JoinedGroup, joinGroupRequest, leaveGroupRequest } from '../wire/join-group.ts';
import { type OffsetToCommit, offsetCommitRequest } from '../wire/offset-commit.ts';
import { type CommittedOffset, offsetFetchRequest } from '../wire/offset-fetch.ts';
import type { Request } from '../wire/request.ts';

const MEMBERLESS_STATES = ['Empty', 'Dead'];

const groupActiveCodes: readonly number[] = [
  kafkaErrors.UNKNOWN_MEMBER_ID,
  kafkaErrors.ILLEGAL_GENERATION,
  kafkaErrors.REBALANCE_IN_PROGRESS,
];

/** Kafka's own default for `offsets.retention.minutes`. */
const DEFAULT_RETENTION_MINUTES = 7 * 24 * 60;
/** A member that doesn't leave, because this process ends, is expelled after this long. Kafka takes no less. */
const SESSION_TIMEOUT_MS = 6_000;
const LEAVE_MS = 1_000;

/** Reads and writes the committed offsets of a consumer group without joining it. */
export class GroupOffsets {
  readonly groupId: string;
  readonly #coordinator: Coordinator;
  /** Epoch milliseconds: when `joinAndLeave` last failed. */
  joinFailedAt: number | undefined;
  /** Whether the broker has the group coordinator of Kafka 4, by its last response. */
  isNewCoordinator = false;
  /** Whether the coordinator can hold back offsets of open transactions (Kafka 2.5), by its last response. */
  knowsStable = true;
  #retentionMs: number | undefined;

  constructor(connection: Connection, groupId: string, log: Log) {
    this.groupId = groupId;
    this.#coordinator = new Coordinator(connection, 'group', groupId, log);
  }

  /**
   * The committed offset of each partition, in their order; undefined where none is committed, a Failure where it
   * can't be read. `waitForTransactions` waits for unfinished ones. Throws a Failure that concerns the whole group.
   */
  async committed(
    partitions: readonly TopicPartition[],
    deadline: number,
    { waitForTransactions = false } = {},
  ): Promise<(CommittedOffset | undefined | Failure)[]> {
    if (partitions.length === 0) return [];
    const found = await this.#coordinator.ask(
      offsetFetchRequest(this.groupId, partitions, { requireStable: waitForTransactions }),
      (answer) => [answer.errorCode, ...answer.partitions.map(({ errorCode }) => errorCode)],
      { deadline, retriable: [kafkaErrors.UNSTABLE_OFFSET_COMMIT] },
    );
    this.knowsStable = found.knowsStable;
    if (found.errorCode !== kafkaErrors.NONE) throw this.failure(found.errorCode);
    const offsetOf = byPartition(found.partitions);
    return partitions.map((at) => {
      const item = offsetOf(at);
      if (!item)
        return new Failure('BROKER_UNREACHABLE', `no committed offset of ${at.topic}-${at.partition}`);
      if (item.errorCode !== kafkaErrors.NONE) return this.failure(item.errorCode, item);
      return item.offset < 0 ? undefined : item;
    });
  }

  /**
   * Commits offsets. Resolves with a Failure or undefined for each, in their order. Throws GROUP_ACTIVE, and commits
   * none of them, where the group has a live member.
   */
  async commit(offsets: readonly OffsetToCommit[], deadline: number): Promise<(Failure | undefined)[]> {
    const errors = await this.#coordinator.ask(
      offsetCommitRequest(this.groupId, offsets),
      (answer) => answer.map(({ errorCode }) => errorCode),
      { deadline },
    );
    const errorOf = byPartition(errors);
    const failures = offsets.map((offset) => {
      const errorCode = errorOf(offset)?.errorCode ?? kafkaErrors.UNKNOWN_SERVER_ERROR;
      return errorCode === kafkaErrors.NONE ? undefined : this.failure(errorCode, offset);
    });
    const active = failures.find((failure) => failure?.code === 'GROUP_ACTIVE');
    if (active) throw active;
    return failures;
  }

  /**
   * Throws GROUP_ACTIVE unless the group has no members of any type now, and CONFIG_INVALID where it is a share
   * group. Resolves with the group's description.
   */
  async requireNoMembers(deadline: number): Promise<DescribedGroup> {
    const group = await describeGroup(this.groupId, (request) =>
      this.#coordinator.ask(request, (answer) => (answer ? [answer.errorCode] : []), { deadline }),
    );
    this.isNewCoordinator = group.knowsTypes;
    const { errorCode, type, state, members } = group;
    if (errorCode !== kafkaErrors.NONE) throw this.failure(errorCode);
    if (!MEMBERLESS_STATES.includes(state)) {
      throw this.#active(`a ${type} group, ${state}${members === undefined ? '' : `, members: ${members}`}`);
    }
    if (type === 'share') {
      throw new Failure(
        'CONFIG_INVALID',
        `KAFKA_GROUP_ID ${this.groupId} belongs to a share group, which has no committed offsets: choose another id`,
      );
    }
    return group;
  }

  /** How long Kafka keeps offsets, in milliseconds: its setting where this user may see it, else the default. */
  async retentionMs(deadline: number): Promise<number> {
    if (this.#retentionMs !== undefined) return this.#retentionMs;
    const settings = await this.#coordinator.ask(
      (nodeId) => describeConfigsRequest('broker', `${nodeId}`, ['offsets.retention.minutes']),
      () => [],
      { deadline },
    );
    const minutes = Number(settings.get('offsets.retention.minutes') ?? DEFAULT_RETENTION_MINUTES);
    this.#retentionMs = minutes * 60_000;
    return this.#retentionMs;
  }

  /**
   * Joins a group without members and leaves it. If a group has had members, Kafka counts the lifetime of its offsets
   * from the moment the last member left (KIP-211), so it begins again. Throws a Failure.
   */
  async joinAndLeave(deadline: number): Promise<void> {
    let memberId = '';
    try {
      const first = await this.#join(memberId, deadline);
      memberId = first.memberId;
      // Brokers since 2.2 first give an id (KIP-394).
      const isAsked = first.errorCode === kafkaErrors.MEMBER_ID_REQUIRED;
      const { errorCode } = isAsked ? await this.#join(memberId, deadline) : first;
      if (errorCode !== kafkaErrors.NONE) throw this.failure(errorCode);
      await this.#leave(memberId, deadline);
    } catch (error) {
      this.joinFailedAt = Date.now();
      // A join that may have succeeded must not keep others out.
      if (memberId !== '') await this.#leave(memberId, Date.now() + LEAVE_MS).catch(() => {});
      throw error;
    }
  }

  #join(memberId: string, deadline: number): Promise<JoinedGroup> {
    return this.#coordinator.ask(
      joinGroupRequest(this.groupId, memberId, { sessionTimeoutMs: SESSION_TIMEOUT_MS }),
      ({ errorCode }) => [errorCode],
      { deadline, aside: true },
    );
  }

  async #leave(memberId: string, deadline: number): Promise<void> {
    const { errorCode } = await this.#coordinator.ask(
      leaveGroupRequest(this.groupId, memberId),
      (answer) => [answer.errorCode],
      { deadline },
    );
    if (errorCode !== kafkaErrors.NONE) throw this.failure(errorCode);
  }

  /** Asks the group's coordinator another question. Resolves with its response, including error codes. */
  ask<T>(request: Request<T>, errorsOf: (answer: T) => readonly number[], deadline: number): Promise<T> {
    return this.#coordinator.ask(request, errorsOf, {
      deadline,
      retriable: [kafkaErrors.CONCURRENT_TRANSACTIONS],
    });
  }

  /** The Failure for an error code in a response about this group. */
  failure(errorCode: number, { topic, partition }: Partial<TopicPartition> = {}): Failure {
    if (groupActiveCodes.includes(errorCode)) return this.#active(kafkaErrorName(errorCode));
    const name = kafkaErrorName(errorCode);
    switch (errorCode) {
      case kafkaErrors.GROUP_AUTHORIZATION_FAILED:
        return new Failure(
          'TOPIC_NOT_AUTHORIZED',
          `the cluster does not let this function use group ${this.groupId}: it needs Read on it`,
        );
      case kafkaErrors.TOPIC_AUTHORIZATION_FAILED:
        return new Failure('TOPIC_NOT_AUTHORIZED', `the cluster does not let this function read ${topic}`);
      case kafkaErrors.INVALID_GROUP_ID:
        return new Failure('CONFIG_INVALID', `the cluster refuses KAFKA_GROUP_ID ${this.groupId}: ${name}`);
      case kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION:
        return new Failure('UNKNOWN_PARTITION', `there is no partition ${partition} of topic ${topic}`);
      default:
        return new Failure('BROKER_UNREACHABLE', `offsets of group ${this.groupId}: ${name}`);
    }
  }

  #active(evidence: string): Failure {
    return new Failure(
      'GROUP_ACTIVE',
      `another consumer is active in group ${this.groupId} (${evidence}): nothing was committed. ` +
        'Stop it, or give this function a KAFKA_GROUP_ID of its own',
    );
  }
}
