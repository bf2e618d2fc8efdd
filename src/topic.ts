/** Kafka's rule for topic names (org.apache.kafka.common.internals.Topic). */
export const TOPIC_NAME_RULE = '1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-", not "." or ".."';

export function isTopicName(name: string): boolean {
  return /^[A-Za-z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..';
}
