import { remaining, sleep } from '../../deadline.ts';
import { type ErrorCode, Failure } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { ProducerRecord } from '../../record.ts';
import type { Broker } from '../connection/broker.ts';
import { connectionFailure } from '../connection/client-errors.ts';
import type { Connection } from '../connection/connection.ts';
import { Coordinator } from '../connection/coordinator.ts';
import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import { byLeader, noLeader } from '../fetch/by-leader.ts';
import type { GroupOffsets } from '../fetch/group-offsets.ts';
import { byTopic, partitionKey, type TopicPartition } from '../wire/by-topic.ts';
import type { OffsetToCommit } from '../wire/offset-commit.ts';
import { type PartitionBatch, produceRequest } from '../wire/produce.ts';
import { compressBatch } from '../wire/records/compression.ts';
import { encodeRecordBatch, recordBodySize, recordSizeBound } from '../wire/records/record-batch.ts';
import type { Request } from '../wire/request.ts';
import {
  addOffsetsToTxnRequest,
  addPartitionsToTxnRequest,
  endTxnRequest,
  initProducerIdRequest,
  type ProducerIdentity,
  type TransactionIdentity,
} from '../wire/transactions.ts';
import { txnOffsetCommitRequest } from '../wire/txn-offset-commit.ts';
import type { ProducerConfig } from './config.ts';
import { namingOldFormat } from './message-format.ts';
import { partitionOfKey, StickyPartitions } from './partitioner.ts';
import { judge } from './produce-verdict.ts';

/** The coordinator aborts a transaction after this long, if the process was killed. */
const TRANSACTION_TIMEOUT_MS = 60_000;
/** A batch stays below the brokers' limit of about 1 MiB. */
const BATCH_BYTES = 900 * 1024;
const PRODUCE_BACKOFF_MS = 20;
/** The first wait for offsets that a broker doesn't show yet; it doubles each time. */
const FIRST_LOOK_MS = 2;
/** No group has a member of this name, so the broker refuses it unless the group is empty. */
const NO_SUCH_MEMBER = 'kafka-functions-outside-the-group';
/** TxnOffsetCommit v2 is the last version that names no member. */
const WITHOUT_MEMBER = 2;

interface OffsetToMove extends OffsetToCommit {
  /** The committed offset as its owner read it after `begin`; undefined: none. */
  from: number | undefined;
}

/** Another producer with the same transactional id has begun and shut this one out. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}

const fencedCodes: readonly number[] = [
  kafkaErrors.INVALID_PRODUCER_EPOCH,
  kafkaErrors.PRODUCER_FENCED,
  kafkaErrors.INVALID_PRODUCER_ID_MAPPING,
  kafkaErrors.TRANSACTION_COORDINATOR_FENCED,
];

/**
 * A producer of transactions with its own transactional id. `begin` shuts out a predecessor with the same id. After
 * that, `transact` publishes records and commits a group's offsets together, or does neither.
 */
export class TransactionalProducer {
  readonly #connection: Connection;
  readonly #coordinator: Coordinator;
  readonly #transactionalId: string;
  readonly #group: GroupOffsets;
  readonly #log: Log;
  readonly #compression: ProducerConfig['compression'];
  readonly #sticky = new StickyPartitions();
  readonly #sequences = new Map<string, number>();
  #identity: ProducerIdentity | undefined;
  /** Brokers before 2.8 refuse the name even where the group is empty. Describing the group has to do there. */
  #namesMember = true;

  constructor(
    connection: Connection,
    transactionalId: string,
    group: GroupOffsets,
    log: Log,
    compression: ProducerConfig['compression'] = 'none',
  ) {
    this.#connection = connection;
    this.#coordinator = new Coordinator(connection, 'transaction', transactionalId, log);
    this.#transactionalId = transactionalId;
    this.#group = group;
    this.#log = log;
    this.#compression = compression;
  }

  /** Takes over the transactional id. Read committed offsets only after it. Throws a Failure. */
  async begin(deadline: number): Promise<void> {
    this.#sequences.clear();
    this.#identity = undefined;
    const request = initProducerIdRequest(this.#transactionalId, TRANSACTION_TIMEOUT_MS);
    // CONCURRENT_TRANSACTIONS: the predecessor's transaction is still being ended.
    const answer = await this.#ask(request, deadline, (it) => [it.errorCode]);
    this.#identity = { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
  }

  /**
   * Publishes the records and commits the offsets in one transaction. Throws Fenced where another producer has taken
   * over, RecordsRefused where the cluster refuses a record (try again without it), GROUP_ACTIVE, or another Failure.
   * Nothing is visible then, unless the Failure's delivery is `unknown`: only the next `begin` tells. `alone`: no two
   * records share a batch.
   */
  async transact(
    records: readonly ProducerRecord[],
    offsets: readonly OffsetToMove[],
    deadline: number,
    { alone = false } = {},
  ): Promise<void> {
    try {
      if (records.length > 0) await this.#publish(records, alone ? 0 : BATCH_BYTES, deadline);
      await this.#sendOffsets(offsets, deadline);
    } catch (error) {
      // A producer that was shut out has nothing left to abort.
      if (this.#identity) await this.#abort(deadline);
      throw error;
    }
    await this.#end(true, deadline);
  }

  async #publish(records: readonly ProducerRecord[], batchBytes: number, deadline: number): Promise<void> {
    const queues = await this.#batches(records, batchBytes, deadline);
    const nthOfEach = (n: number) => queues.flatMap((batches) => batches[n] ?? []);
    const request = addPartitionsToTxnRequest(this.#transaction, nthOfEach(0));
    await this.#ask(request, deadline, (errors) => errors.map(({ errorCode }) => errorCode));
    // A partition's batches go in turn, because their sequences must arrive in order.
    for (let n = 0, batches = nthOfEach(0); batches.length > 0; batches = nthOfEach(++n)) {
      await this.#produce(batches, deadline);
    }
  }

  /** Gathers records into batches, in order, for each partition. */
  async #batches(
    records: readonly ProducerRecord[],
    batchBytes: number,
    deadline: number,
  ): Promise<PendingBatch[][]> {
    const queues = new Map<string, PendingBatch[]>();
    for (const record of records) {
      const topic = await this.#connection.topic(record.topic, deadline);
      const partition =
        record.partition ??
        (record.key === null
          ? this.#sticky.choose(topic)
          : partitionOfKey(record.key, topic.partitions.length));
      const size = recordSizeBound(recordBodySize(record));
      const key = partitionKey({ topic: record.topic, partition });
      const batches = queues.get(key) ?? [];
      queues.set(key, batches);
      let batch = batches.at(-1);
      if (!batch || batch.bytes + size > batchBytes) {
        batch = { topic: record.topic, partition, records: [], bytes: 0 };
        batches.push(batch);
      }
      batch.records.push(record);
      batch.bytes += size;
    }
    for (const { topic, partition } of [...queues.values()].flat()) this.#sticky.taken(topic, partition);
    return [...queues.values()];
  }

  /** Sends batches of different partitions, each to its leader, until all are in the log. */
  async #produce(batches: readonly PendingBatch[], deadline: number): Promise<void> {
    let open = await Promise.all(batches.map((batch) => this.#encode(batch)));
    let failure: Failure | undefined;
    for (let attempt = 0; open.length > 0; attempt++) {
      if (attempt > 0) {
        if (remaining(deadline) === 0)
          throw failure ?? new Failure('ACK_TIMEOUT', 'no acknowledgement in time');
        await sleep(Math.min(PRODUCE_BACKOFF_MS * 2 ** Math.min(4, attempt), remaining(deadline)));
        for (const [topic] of byTopic(open)) {
          await this.#connection.topic(topic, deadline, { maxAgeMs: 0 }).catch((error: unknown) => {
            this.#log.debug('no metadata yet', { topic, error });
          });
        }
      }
      const rest: typeof open = [];
      for (const [leader, parts] of byLeader(this.#connection, open)) {
        try {
          if (!leader) throw noLeader(parts[0]);
          await this.#produceTo(leader, parts, deadline);
        } catch (error) {
          if (error instanceof RecordsRefused) error.records = recordsOf(error, batches);
          if (error instanceof Fenced || error instanceof RecordsRefused) throw error;
          // Repeating is harmless: the broker recognises the sequence.
          failure = connectionFailure(error);
          if (!failure.retriable) throw failure;
          rest.push(...parts);
        }
      }
      open = rest;
    }
    for (const batch of batches) {
      const key = partitionKey(batch);
      this.#sequences.set(key, ((this.#sequences.get(key) ?? 0) + batch.records.length) % 2 ** 31);
    }
  }

  async #encode({ topic, partition, records }: PendingBatch): Promise<PartitionBatch> {
    const { producerId, producerEpoch } = this.#requireIdentity();
    const baseSequence = this.#sequences.get(partitionKey({ topic, partition })) ?? 0;
    const now = Date.now();
    const batch = encodeRecordBatch(
      records.map((record) => ({ ...record, timestamp: record.timestamp ?? now })),
      { producerId, producerEpoch, baseSequence, transactional: true },
    );
    return { topic, partition, records: await compressBatch(batch, this.#compression) };
  }

  async #produceTo(leader: Broker, parts: readonly PartitionBatch[], deadline: number): Promise<void> {
    const request = produceRequest(parts, {
      acks: -1,
      timeout: Math.max(1, remaining(deadline)),
      transactionalId: this.#transactionalId,
    });
    const { partitions } = await leader.send(request, deadline);
    for (const answer of partitions) {
      const result = await namingOldFormat(answer, leader, deadline);
      const { errorCode } = result;
      if (errorCode === kafkaErrors.NONE || errorCode === kafkaErrors.DUPLICATE_SEQUENCE_NUMBER) continue;
      this.#requireNoFence(errorCode);
      const { verdict, failure } = judge(result);
      if (verdict === 'split') throw new RecordsRefused(failure, answer);
      // An error that has no meaning here may pass, so it is retried.
      throw failure.code === 'INTERNAL' ? new Failure('BROKER_UNREACHABLE', failure.message) : failure;
    }
  }

  /**
   * Commits the offsets in the transaction. The group is described last, so that a member who joins while the
   * transaction is open is noticed: it would begin at the old offset.
   */
  async #sendOffsets(offsets: readonly OffsetToMove[], deadline: number): Promise<void> {
    const { groupId, knowsStable, isNewCoordinator } = this.#group;
    if (!isNewCoordinator) await this.#requireSettled(offsets, deadline);
    const request = addOffsetsToTxnRequest(this.#transaction, groupId);
    await this.#ask(request, deadline, (answer) => [answer.errorCode]);
    let errors = await this.#commitOffsets(offsets, deadline);
    if (this.#namesMember && errors.some(({ errorCode }) => errorCode === kafkaErrors.UNKNOWN_MEMBER_ID)) {
      // Either the group has a member, and this throws, or it had one a moment ago, or the broker is old. A newer
      // broker would accept a commit without a member name beside live members.
      const { knowsTypes } = await this.#group.requireNoMembers(deadline);
      if (!knowsTypes) {
        this.#namesMember = false;
        errors = await this.#commitOffsets(offsets, deadline);
      }
    }
    for (const error of errors) {
      if (error.errorCode === kafkaErrors.NONE) continue;
      this.#requireNoFence(error.errorCode);
      throw this.#group.failure(error.errorCode, error);
    }
    await this.#group.requireNoMembers(deadline);
    if (knowsStable) return;
    // Before Kafka 2.5, `begin` could not tell whether a predecessor's offsets were still to come. By now they have.
    // The broker may have taken this transaction's offsets for the predecessor's, and then only a commit is right.
    requireAt(offsets, await this.#committed(offsets, deadline), ({ from, offset }) => [from, offset]);
  }

  /**
   * Waits until the last transaction's offsets are visible. The group coordinator before Kafka 4 applies a
   * transaction's offsets some time after its end, and by mistake also those that the same producer has sent since
   * (GroupMetadata.completePendingTxnOffsetCommit), even if that later transaction is aborted.
   */
  async #requireSettled(offsets: readonly OffsetToMove[], deadline: number): Promise<void> {
    for (let wait = FIRST_LOOK_MS; ; wait *= 2) {
      const committed = await this.#committed(offsets, deadline, { waitForTransactions: true });
      const isOpen = ({ from }: OffsetToMove, at: number) => (committed[at] ?? -1) < (from ?? -1);
      if (!offsets.some(isOpen) || remaining(deadline) < wait) {
        requireAt(offsets, committed, ({ from }) => [from]);
        return;
      }
      await sleep(wait);
    }
  }

  async #committed(
    offsets: readonly OffsetToMove[],
    deadline: number,
    { waitForTransactions = false } = {},
  ): Promise<(number | undefined)[]> {
    const committed = await this.#group.committed(offsets, deadline, { waitForTransactions });
    return committed.map((found) => {
      if (found instanceof Failure) throw found;
      return found?.offset;
    });
  }

  #commitOffsets(offsets: readonly OffsetToCommit[], deadline: number) {
    const commit = {
      ...this.#requireIdentity(),
      transactionalId: this.#transactionalId,
      groupId: this.#group.groupId,
      memberId: NO_SUCH_MEMBER,
      offsets,
    };
    const request = txnOffsetCommitRequest(commit, this.#namesMember ? undefined : WITHOUT_MEMBER);
    return this.#group.ask(request, (errors) => errors.map(({ errorCode }) => errorCode), deadline);
  }

  /** Ends the transaction and forgets the identity. If it can't be aborted now, `begin` will do it. */
  async #abort(deadline: number): Promise<void> {
    try {
      await this.#end(false, deadline);
    } catch (error) {
      this.#log.debug('a transaction could not be aborted', { error });
    }
    // Nobody knows whether the broker has counted the records, so the sequence is lost.
    this.#identity = undefined;
  }

  async #end(commit: boolean, deadline: number): Promise<void> {
    const request = endTxnRequest(this.#transaction, commit);
    try {
      await this.#ask(request, deadline, (answer) => [answer.errorCode]);
    } catch (error) {
      if (!commit || !(error instanceof Failure)) throw error;
      this.#identity = undefined;
      throw new Failure(
        'ACK_TIMEOUT',
        `nobody said whether the transaction was committed: ${error.message}`,
        {
          cause: error,
        },
      );
    }
  }

  /** Asks the transaction's coordinator. Throws Fenced, or a Failure, for an error code. */
  async #ask<T>(
    request: Request<T>,
    deadline: number,
    errorsOf: (answer: T) => readonly number[],
  ): Promise<T> {
    const answer = await this.#coordinator.ask(request, errorsOf, {
      deadline,
      retriable: [kafkaErrors.CONCURRENT_TRANSACTIONS],
    });
    for (const errorCode of errorsOf(answer)) {
      // OPERATION_NOT_ATTEMPTED means that another partition of the request has an error.
      if (errorCode === kafkaErrors.NONE || errorCode === kafkaErrors.OPERATION_NOT_ATTEMPTED) continue;
      this.#requireNoFence(errorCode);
      const message = `transaction of ${this.#transactionalId}: ${kafkaErrorName(errorCode)}`;
      throw new Failure(failureCodes[errorCode] ?? 'BROKER_UNREACHABLE', message);
    }
    return answer;
  }

  /** Throws Fenced where the code means that another producer has begun. */
  #requireNoFence(errorCode: number): void {
    if (!fencedCodes.includes(errorCode)) return;
    this.#identity = undefined;
    throw new Fenced(
      `another producer has taken over ${this.#transactionalId}: ${kafkaErrorName(errorCode)}`,
    );
  }

  get #transaction(): TransactionIdentity {
    return { ...this.#requireIdentity(), transactionalId: this.#transactionalId };
  }

  #requireIdentity() {
    if (!this.#identity) throw new Fenced(`${this.#transactionalId} has to begin anew`);
    return this.#identity;
  }
}

/** The cluster refuses one of the records, too large or invalid for its topic, and may not say which. */
export class RecordsRefused extends Error {
  override readonly name = 'RecordsRefused';
  readonly failure: Failure;
  /** Where they should have gone. */
  readonly target: TopicPartition;
  /** Those of the refused batch. */
  records: readonly ProducerRecord[] = [];

  constructor(failure: Failure, { topic, partition }: TopicPartition) {
    super(failure.message);
    this.failure = failure;
    this.target = { topic, partition };
  }
}

function recordsOf({ target }: RecordsRefused, batches: readonly PendingBatch[]): readonly ProducerRecord[] {
  return batches.find((batch) => partitionKey(batch) === partitionKey(target))?.records ?? [];
}

interface PendingBatch extends TopicPartition {
  records: ProducerRecord[];
  bytes: number;
}

const failureCodes: Record<number, ErrorCode> = {
  [kafkaErrors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]: 'TOPIC_NOT_AUTHORIZED',
  [kafkaErrors.TOPIC_AUTHORIZATION_FAILED]: 'TOPIC_NOT_AUTHORIZED',
  [kafkaErrors.GROUP_AUTHORIZATION_FAILED]: 'TOPIC_NOT_AUTHORIZED',
  [kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION]: 'UNKNOWN_TOPIC',
};

/** Throws Fenced where a committed offset is not one of the allowed ones. */
function requireAt(
  offsets: readonly OffsetToMove[],
  committed: readonly (number | undefined)[],
  allowed: (offset: OffsetToMove) => (number | undefined)[],
): void {
  for (const [at, offset] of offsets.entries()) {
    if (allowed(offset).includes(committed[at])) continue;
    throw new Fenced(
      `offset ${committed[at]} of ${offset.topic}-${offset.partition} was committed meanwhile`,
    );
  }
}
