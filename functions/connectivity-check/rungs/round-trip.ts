import { randomUUID } from 'node:crypto';
import { remaining, sleep } from '../../../src/deadline.ts';
import { messageOf } from '../../../src/errors.ts';
import { RequestFailed } from '../../../src/kafka/connection/request-failed.ts';
import type { Session } from '../../../src/kafka/connection/session.ts';
import { kafkaErrorName, kafkaErrors } from '../../../src/kafka/error-codes.ts';
import { fetchRequest } from '../../../src/kafka/wire/fetch.ts';
import { type PartitionResult, produceRequest } from '../../../src/kafka/wire/produce.ts';
import { batchAt } from '../../../src/kafka/wire/records/batch-header.ts';
import { encodeRecordBatch } from '../../../src/kafka/wire/records/record-batch.ts';
import type { CheckConfig } from '../config.ts';
import { Broken, type Notice, type Passed } from '../ladder/ladder.ts';
import type { RoundTripReport } from '../report.ts';

type Trip = RoundTripReport['partitions'][number];
type TripOptions = Pick<CheckConfig, 'acksAll'> & { deadline: number };

const MAX_FETCH_BYTES = 64 * 1024;
const FETCH_WAIT_MS = 500;
const BETWEEN_FETCHES_MS = 20;
/** An acknowledged record that doesn't show up within this time is lost. */
const FETCH_WITHIN_MS = 5_000;
const SKEW_MS = 2_000;

/** Publishes a record to a partition and reads it back. `onTrip` gets the measurements even where it fails. */
export async function roundTrip(
  session: Session,
  { topic, partition, leader }: { topic: string; partition: number; leader: number },
  run: TripOptions,
  onTrip: (trip: Trip) => void,
): Promise<Passed<undefined>> {
  const trip: Trip = {
    partition,
    leader,
    offset: null,
    ackMs: null,
    fetchMs: null,
    totalMs: null,
    lost: false,
    clockSkewMs: null,
    throttleMs: 0,
  };
  onTrip(trip);
  const target = `${topic}-${partition}`;
  const nonce = `connectivity-check ${randomUUID()}`;
  const startedAt = performance.now();
  const baseOffset = await publish(session, { topic, partition, nonce }, trip, run);
  if (trip.throttleMs > remaining(run.deadline) - FETCH_WAIT_MS) {
    // The broker reads nothing more from this connection until then.
    const evidence = `${target}: acknowledged in ${trip.ackMs} ms, not read back within the throttle`;
    return { value: undefined, evidence, notices: notices(trip, target) };
  }
  const publishedAt = performance.now();
  await readBack(session, { topic, partition, nonce, baseOffset }, trip, run);
  trip.fetchMs = tenths(performance.now() - publishedAt);
  trip.totalMs = tenths(performance.now() - startedAt);
  const evidence = `${target}: acknowledged in ${trip.ackMs} ms, read back in ${trip.fetchMs} ms`;
  return { value: undefined, evidence, notices: notices(trip, target) };
}

interface Message {
  topic: string;
  partition: number;
  nonce: string;
}

async function publish(session: Session, message: Message, trip: Trip, run: TripOptions): Promise<number> {
  const { topic, partition, nonce } = message;
  const sentAt = Date.now();
  const startedAt = performance.now();
  const records = encodeRecordBatch([
    { key: null, value: Buffer.from(nonce), headers: [], timestamp: sentAt },
  ]);
  const request = produceRequest([{ topic, partition, records }], {
    acks: run.acksAll ? -1 : 1,
    timeout: Math.max(1, remaining(run.deadline) - 100),
  });
  const target = `${topic}-${partition}`;
  const answer = await session.send(request, run.deadline).catch((error: unknown) => {
    throw lateOr(error, 'no acknowledgement', target);
  });
  const [result] = answer.partitions;
  if (!result) throw new Broken('ROUND_TRIP_LOST', 'the acknowledgement names no partition', { target });
  refuse(result, target, topic);
  const ms = performance.now() - startedAt;
  trip.ackMs = tenths(ms);
  trip.offset = result.baseOffset;
  trip.throttleMs = answer.throttleTimeMs;
  // The broker reads its clock somewhere between the sending and the answer.
  if (result.logAppendTime >= 0) trip.clockSkewMs = Math.round(result.logAppendTime - (sentAt + ms / 2));
  return result.baseOffset;
}

async function readBack(
  session: Session,
  { topic, partition, nonce, baseOffset }: Message & { baseOffset: number },
  trip: Trip,
  run: TripOptions,
): Promise<void> {
  const target = `${topic}-${partition}`;
  const deadline = Math.min(run.deadline, Date.now() + FETCH_WITHIN_MS);
  while (remaining(deadline) > BETWEEN_FETCHES_MS) {
    const request = fetchRequest([{ topic, partition, offset: baseOffset, maxBytes: MAX_FETCH_BYTES }], {
      maxWait: Math.min(FETCH_WAIT_MS, remaining(deadline)),
      maxBytes: MAX_FETCH_BYTES,
      isolationLevel: 'read_uncommitted',
    });
    const answer = await session.send(request, run.deadline).catch((error: unknown) => {
      throw lateOr(error, `acknowledged at offset ${baseOffset}, but no answer to the fetch`, target);
    });
    const [fetched] = answer.partitions;
    trip.throttleMs = Math.max(trip.throttleMs, answer.throttleTimeMs);
    if (fetched && fetched.errorCode !== kafkaErrors.NONE) refuseFetch(fetched.errorCode, target, topic);
    if (fetched && holds(fetched.records, nonce)) return;
    // Another record is at our offset, so the acknowledged one is lost.
    if (fetched && fetched.records.length > 0) break;
    await sleep(BETWEEN_FETCHES_MS);
  }
  trip.lost = true;
  throw new Broken('ROUND_TRIP_LOST', `acknowledged at offset ${baseOffset}, and not there`, { target });
}

/** Our record is in the first batch. Where the topic compresses, only its offset can be compared. */
function holds(records: Buffer, nonce: string): boolean {
  const header = batchAt(records, 0);
  return header !== undefined && (header.codec !== 0 || records.includes(nonce));
}

function refuse({ errorCode, errorMessage }: PartitionResult, target: string, topic: string): void {
  const evidence = `Produce answers ${kafkaErrorName(errorCode)}${errorMessage ? `: ${errorMessage}` : ''}`;
  switch (errorCode) {
    case kafkaErrors.NONE:
      return;
    case kafkaErrors.TOPIC_AUTHORIZATION_FAILED:
      throw new Broken('ACL_TOPIC_WRITE', evidence, { target: topic });
    case kafkaErrors.CLUSTER_AUTHORIZATION_FAILED:
      throw new Broken('ACL_CLUSTER', evidence, { target: 'kafka-cluster' });
    case kafkaErrors.MESSAGE_TOO_LARGE:
    case kafkaErrors.RECORD_LIST_TOO_LARGE:
      throw new Broken('MESSAGE_TOO_LARGE', evidence, { target: topic });
    case kafkaErrors.NOT_ENOUGH_REPLICAS:
    case kafkaErrors.NOT_ENOUGH_REPLICAS_AFTER_APPEND:
      throw new Broken('NOT_ENOUGH_REPLICAS', evidence, { target });
    case kafkaErrors.NOT_LEADER_OR_FOLLOWER:
    case kafkaErrors.LEADER_NOT_AVAILABLE:
      throw new Broken('NO_LEADER', evidence, { target });
    case kafkaErrors.REQUEST_TIMED_OUT:
      throw new Broken('ROUND_TRIP_TIMEOUT', evidence, { target });
    default:
      throw new Broken('ROUND_TRIP_LOST', evidence, { target });
  }
}

function refuseFetch(errorCode: number, target: string, topic: string): never {
  const evidence = `Fetch answers ${kafkaErrorName(errorCode)}`;
  if (errorCode === kafkaErrors.TOPIC_AUTHORIZATION_FAILED) {
    throw new Broken('ACL_TOPIC_READ', evidence, { target: topic });
  }
  if (errorCode === kafkaErrors.NOT_LEADER_OR_FOLLOWER) throw new Broken('NO_LEADER', evidence, { target });
  throw new Broken('ROUND_TRIP_LOST', evidence, { target });
}

function lateOr(error: unknown, what: string, target: string): Broken {
  const isLate = error instanceof RequestFailed && error.timedOut;
  const reason = isLate ? 'in time' : `(${messageOf(error)})`;
  return new Broken('ROUND_TRIP_TIMEOUT', `${what} ${reason}`, { target });
}

function notices({ clockSkewMs, throttleMs }: Trip, target: string): Notice[] {
  const found: Notice[] = [];
  if (throttleMs > 0) {
    found.push({
      warning: 'THROTTLED',
      target,
      detail: `the broker asks this client to wait ${throttleMs} ms`,
    });
  }
  if (clockSkewMs !== null && Math.abs(clockSkewMs) > SKEW_MS) {
    const direction = clockSkewMs > 0 ? 'ahead of' : 'behind';
    const detail = `the broker's clock is ${Math.abs(clockSkewMs)} ms ${direction} this function's`;
    found.push({ warning: 'CLOCK_SKEW', target, detail });
  }
  return found;
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
