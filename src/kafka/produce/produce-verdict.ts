import { type ErrorCode, Failure } from '../../errors.ts';
import { isKafkaError, kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import type { PartitionResult } from '../wire/produce.ts';

/**
 * What a partition's error code in a Produce response means for the batch.
 * `retry`: it was not appended, and a later attempt may succeed. `doubt`: it may be in the log. `split`: one of its
 * records was refused. `new-identity`: the broker expected another sequence. `no-idempotence`: this user may not
 * produce idempotently. `old-format`: the topic's message format can't hold a producer id. `refuse`: it fails for
 * good.
 */
export type Verdict =
  | 'retry'
  | 'doubt'
  | 'split'
  | 'new-identity'
  | 'no-idempotence'
  | 'old-format'
  | 'refuse';

const verdicts: Record<number, [Verdict, ErrorCode]> = {
  [kafkaErrors.CORRUPT_MESSAGE]: ['split', 'INVALID_RECORD'],
  [kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION]: ['retry', 'UNKNOWN_TOPIC'],
  [kafkaErrors.LEADER_NOT_AVAILABLE]: ['retry', 'NO_LEADER'],
  [kafkaErrors.NOT_LEADER_OR_FOLLOWER]: ['retry', 'NO_LEADER'],
  [kafkaErrors.REQUEST_TIMED_OUT]: ['doubt', 'ACK_TIMEOUT'],
  [kafkaErrors.REPLICA_NOT_AVAILABLE]: ['retry', 'NO_LEADER'],
  [kafkaErrors.MESSAGE_TOO_LARGE]: ['split', 'RECORD_TOO_LARGE'],
  [kafkaErrors.NETWORK_EXCEPTION]: ['doubt', 'CONNECTION_LOST'],
  [kafkaErrors.INVALID_TOPIC_EXCEPTION]: ['refuse', 'INVALID_RECORD'],
  [kafkaErrors.RECORD_LIST_TOO_LARGE]: ['split', 'RECORD_TOO_LARGE'],
  [kafkaErrors.NOT_ENOUGH_REPLICAS]: ['retry', 'NOT_ENOUGH_REPLICAS'],
  [kafkaErrors.NOT_ENOUGH_REPLICAS_AFTER_APPEND]: ['doubt', 'ACK_TIMEOUT'],
  [kafkaErrors.TOPIC_AUTHORIZATION_FAILED]: ['refuse', 'TOPIC_NOT_AUTHORIZED'],
  [kafkaErrors.CLUSTER_AUTHORIZATION_FAILED]: ['no-idempotence', 'TOPIC_NOT_AUTHORIZED'],
  [kafkaErrors.INVALID_TIMESTAMP]: ['split', 'INVALID_RECORD'],
  [kafkaErrors.UNSUPPORTED_FOR_MESSAGE_FORMAT]: ['old-format', 'CONFIG_INVALID'],
  [kafkaErrors.POLICY_VIOLATION]: ['split', 'INVALID_RECORD'],
  [kafkaErrors.OUT_OF_ORDER_SEQUENCE_NUMBER]: ['new-identity', 'BROKER_UNREACHABLE'],
  [kafkaErrors.INVALID_PRODUCER_EPOCH]: ['new-identity', 'BROKER_UNREACHABLE'],
  [kafkaErrors.INVALID_PRODUCER_ID_MAPPING]: ['new-identity', 'BROKER_UNREACHABLE'],
  // The disk may have failed after the append, while the leader waited for its followers.
  [kafkaErrors.KAFKA_STORAGE_ERROR]: ['doubt', 'ACK_TIMEOUT'],
  [kafkaErrors.UNKNOWN_PRODUCER_ID]: ['new-identity', 'BROKER_UNREACHABLE'],
  [kafkaErrors.FENCED_LEADER_EPOCH]: ['retry', 'NO_LEADER'],
  [kafkaErrors.UNKNOWN_LEADER_EPOCH]: ['retry', 'NO_LEADER'],
  [kafkaErrors.INVALID_RECORD]: ['split', 'INVALID_RECORD'],
};

/** Explanations for errors that a broker gives no message for. */
const explanations: Record<number, string> = {
  [kafkaErrors.UNSUPPORTED_FOR_MESSAGE_FORMAT]:
    "the topic's message format is older than Kafka 0.11, and has neither idempotence nor transactions: raise its message.format.version",
};

/** The verdict on a refused batch, and the failure for its records where no later attempt succeeds. */
export function judge(result: PartitionResult): { verdict: Verdict; failure: Failure } {
  const { topic, partition, errorCode, errorMessage, baseOffset } = result;
  // An error of the broker itself (-1, a duplicate too old to place, …) doesn't say whether it appended.
  const other: [Verdict, ErrorCode] = isKafkaError(errorCode)
    ? ['refuse', 'INTERNAL']
    : ['doubt', 'CONNECTION_LOST'];
  const [verdict, code] = verdicts[errorCode] ?? other;
  const explained = errorMessage ?? explanations[errorCode];
  const reason = explained ? `${kafkaErrorName(errorCode)}: ${explained}` : kafkaErrorName(errorCode);
  const sentence = `partition ${partition} of topic ${topic}: ${reason}`;
  // With an offset, the leader appended the batch and lost its leadership before its followers had it.
  return verdict === 'retry' && baseOffset >= 0
    ? { verdict: 'doubt', failure: new Failure('ACK_TIMEOUT', sentence) }
    : { verdict, failure: new Failure(code, sentence) };
}
