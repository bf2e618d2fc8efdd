import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { Failure, toFailure } from '../errors.ts';
import { AuthenticationRefused, RequestFailed } from './session.ts';

/** Error codes of the Kafka protocol that are handled by name. */
export const kafkaErrors = {
  UNKNOWN_SERVER_ERROR: -1,
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  REPLICA_NOT_AVAILABLE: 9,
  MESSAGE_TOO_LARGE: 10,
  NETWORK_EXCEPTION: 13,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  INVALID_TOPIC_EXCEPTION: 17,
  RECORD_LIST_TOO_LARGE: 18,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  ILLEGAL_GENERATION: 22,
  INVALID_GROUP_ID: 24,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  INVALID_TIMESTAMP: 32,
  UNSUPPORTED_SASL_MECHANISM: 33,
  ILLEGAL_SASL_STATE: 34,
  UNSUPPORTED_VERSION: 35,
  POLICY_VIOLATION: 44,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTION_COORDINATOR_FENCED: 52,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  OPERATION_NOT_ATTEMPTED: 55,
  KAFKA_STORAGE_ERROR: 56,
  UNKNOWN_PRODUCER_ID: 59,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  OFFSET_NOT_AVAILABLE: 78,
  INVALID_RECORD: 87,
  UNSTABLE_OFFSET_COMMIT: 88,
  PRODUCER_FENCED: 90,
} as const;

/** The protocol's own name for a code, for logs and messages: `NOT_LEADER_OR_FOLLOWER (6)`. */
export function kafkaErrorName(code: number): string {
  const name = Object.entries(kafkaErrors).find(([, known]) => known === code)?.[0];
  return `${name ?? createErrorFromCode(code).type} (${code})`;
}

/** Why nothing could be sent: what the socket, TLS or SASL said, without addresses. */
export function connectionFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const chain = causes(error);
  if (chain.some((e) => e instanceof AuthenticationRefused)) {
    return new Failure('AUTHENTICATION_FAILED', authenticationSentence(chain), { cause: error });
  }
  if (chain.some((e) => e instanceof RequestFailed && e.timedOut)) {
    return new Failure('BROKER_UNREACHABLE', 'no broker answered in time', { cause: error });
  }
  const code = chain.map((e) => ('code' in e ? e.code : undefined)).find((c) => typeof c === 'string');
  const isOfConnection = code !== undefined || chain.some((e) => e instanceof RequestFailed || isKafkajs(e));
  if (!isOfConnection) return toFailure(error);
  const reason = reasons[code ?? ''] ?? (isTlsCode(code) ? `TLS failed (${code})` : undefined);
  const sentence = `no broker could be reached: ${reason ?? 'the connection was closed'}`;
  return new Failure('BROKER_UNREACHABLE', sentence, { cause: error });
}

/** What a topic's error code in a Metadata answer means for a request; undefined where nothing is wrong. */
export function metadataFailure(code: number, topic: string): Failure | undefined {
  switch (code) {
    case kafkaErrors.NONE:
    // The topic is there, but some partition has no leader: the partitions tell which.
    case kafkaErrors.LEADER_NOT_AVAILABLE:
      return undefined;
    case kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION:
      return new Failure('UNKNOWN_TOPIC', `topic ${topic} does not exist`);
    case kafkaErrors.TOPIC_AUTHORIZATION_FAILED:
      return new Failure('TOPIC_NOT_AUTHORIZED', `the cluster does not let this function see topic ${topic}`);
    case kafkaErrors.INVALID_TOPIC_EXCEPTION:
      return new Failure('INVALID_RECORD', `the cluster refuses ${topic} as a topic name`);
    default:
      return new Failure('BROKER_UNREACHABLE', `no metadata of topic ${topic}: ${kafkaErrorName(code)}`);
  }
}

const reasons: Record<string, string> = {
  ENOTFOUND: 'the host name of the bootstrap server does not resolve (ENOTFOUND)',
  EAI_AGAIN: 'the name server did not answer (EAI_AGAIN)',
  ECONNREFUSED: 'connection refused (ECONNREFUSED)',
  ECONNRESET: 'connection reset (ECONNRESET)',
  EPIPE: 'connection reset (EPIPE)',
  ETIMEDOUT: 'connection timed out (ETIMEDOUT)',
  EHOSTUNREACH: 'no route to the host (EHOSTUNREACH)',
  ENETUNREACH: 'no route to the network (ENETUNREACH)',
};

function isKafkajs(error: Error): boolean {
  return error.name.startsWith('KafkaJS');
}

function isTlsCode(code: unknown): boolean {
  return (
    typeof code === 'string' &&
    /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_)/.test(code)
  );
}

function authenticationSentence(chain: Error[]): string {
  const codes = chain.map((e) => ('code' in e ? e.code : undefined));
  if (codes.includes(kafkaErrors.UNSUPPORTED_SASL_MECHANISM)) {
    return 'the cluster does not offer this SASL mechanism (KAFKA_SASL_MECHANISM)';
  }
  if (codes.includes(kafkaErrors.ILLEGAL_SASL_STATE)) {
    return 'the cluster does not expect SASL at this address (KAFKA_SECURITY_PROTOCOL)';
  }
  return "the cluster refused the function's user name or password";
}

/** An error and everything below it: its causes, and the parts of an AggregateError (several addresses). */
function causes(error: unknown): Error[] {
  const found: Error[] = [];
  const visit = (e: unknown) => {
    if (!(e instanceof Error) || found.includes(e) || found.length >= 20) return;
    found.push(e);
    visit(e.cause);
    if (e instanceof AggregateError) for (const part of e.errors) visit(part);
  };
  visit(error);
  return found;
}
