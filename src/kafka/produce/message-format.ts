import type { Broker } from '../connection/broker.ts';
import { kafkaErrors } from '../error-codes.ts';
import { describeConfigsRequest } from '../wire/describe-configs.ts';
import type { PartitionResult } from '../wire/produce.ts';

const SETTING = 'message.format.version';

/**
 * A broker answers UNKNOWN_SERVER_ERROR to headers and transactions that the topic's message format can't hold. Where
 * the topic's settings confirm that, the result gets the error that a producer id would be refused with.
 */
export async function namingOldFormat(
  result: PartitionResult,
  leader: Broker,
  deadline: number,
): Promise<PartitionResult> {
  if (result.errorCode !== kafkaErrors.UNKNOWN_SERVER_ERROR) return result;
  // Without the settings, the broker's own error stands.
  const isOld = await hasOldFormat(leader, result.topic, deadline).catch(() => false);
  return isOld ? { ...result, errorCode: kafkaErrors.UNSUPPORTED_FOR_MESSAGE_FORMAT } : result;
}

/** Also false where the user may not see the settings. Since Kafka 4.0 no topic has such a format. */
async function hasOldFormat(broker: Broker, topic: string, deadline: number): Promise<boolean> {
  const settings = await broker.send(describeConfigsRequest('topic', topic, [SETTING]), deadline);
  const minor = /^0\.(\d+)/.exec(settings.get(SETTING) ?? '')?.[1];
  return minor !== undefined && Number(minor) < 11;
}
