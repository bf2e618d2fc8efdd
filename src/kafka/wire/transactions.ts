import Encoder from 'kafkajs/src/protocol/encoder.js';
import { type TopicPartition, writeByTopic } from './by-topic.ts';
import { Decoder } from './decoder.ts';
import { decodePartitionErrors, type PartitionError } from './offset-commit.ts';
import type { Request } from './request.ts';

/** The producer of a transaction. The coordinator gives id and epoch together, and refuses an older epoch. */
export interface ProducerIdentity {
  producerId: bigint;
  producerEpoch: number;
}

export interface TransactionIdentity extends ProducerIdentity {
  transactionalId: string;
}

interface ErrorAnswer {
  errorCode: number;
}

/** An InitProducerId request (v0 and v1): an identity for publishing idempotently, or in transactions. */
export function initProducerIdRequest(
  transactionalId: string | null,
  timeoutMs: number,
): Request<ProducerIdentity & ErrorAnswer> {
  return {
    apiKey: 22,
    apiName: 'InitProducerId',
    highestVersion: 1,
    expectsResponse: true,
    encodeBody: () => [new Encoder().writeString(transactionalId).writeInt32(timeoutMs).buffer],
    decode: (payload) => {
      const decoder = new Decoder(payload);
      decoder.readInt32(); // throttle_time_ms
      return {
        errorCode: decoder.readInt16(),
        producerId: decoder.readInt64(),
        producerEpoch: decoder.readInt16(),
      };
    },
  };
}

/** An AddPartitionsToTxn request (v0 and v1). */
export function addPartitionsToTxnRequest(
  transaction: TransactionIdentity,
  partitions: readonly TopicPartition[],
): Request<PartitionError[]> {
  return {
    apiKey: 24,
    apiName: 'AddPartitionsToTxn',
    highestVersion: 1,
    expectsResponse: true,
    encodeBody: () => [writeByTopic(encodeIdentity(transaction), partitions).buffer],
    decode: decodePartitionErrors,
  };
}

/** An AddOffsetsToTxn request (v0 and v1): the transaction will commit offsets of this group. */
export function addOffsetsToTxnRequest(
  transaction: TransactionIdentity,
  groupId: string,
): Request<ErrorAnswer> {
  return {
    apiKey: 25,
    apiName: 'AddOffsetsToTxn',
    highestVersion: 1,
    expectsResponse: true,
    encodeBody: () => [encodeIdentity(transaction).writeString(groupId).buffer],
    decode: decodeError,
  };
}

/** An EndTxn request (v0 and v1). The response comes before the transaction's markers are written. */
export function endTxnRequest(transaction: TransactionIdentity, isCommit: boolean): Request<ErrorAnswer> {
  return {
    apiKey: 26,
    apiName: 'EndTxn',
    highestVersion: 1,
    expectsResponse: true,
    encodeBody: () => [encodeIdentity(transaction).writeBoolean(isCommit).buffer],
    decode: decodeError,
  };
}

function encodeIdentity({ transactionalId, producerId, producerEpoch }: TransactionIdentity): Encoder {
  return new Encoder().writeString(transactionalId).writeInt64(producerId).writeInt16(producerEpoch);
}

function decodeError(payload: Buffer): ErrorAnswer {
  const decoder = new Decoder(payload);
  decoder.readInt32(); // throttle_time_ms
  return { errorCode: decoder.readInt16() };
}
