/** Kafka's rule for topic names (org.apache.kafka.common.internals.Topic). */
export const TOPIC_NAME_RULE = '1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-", not "." or ".."';

export function isTopicName(name: string): boolean {
  return /^[A-Za-z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..';
}

/** A topic's name, or `prefix*`. */
export function isTopicPattern(text: string): boolean {
  return /^[A-Za-z0-9._-]*\*?$/.test(text);
}

/** Kafka's own topics (`__…`) match only a pattern that begins so. */
export function matchesTopic(pattern: string, topic: string): boolean {
  if (!pattern.endsWith('*')) return topic === pattern;
  return topic.startsWith(pattern.slice(0, -1)) && (pattern.startsWith('__') || !topic.startsWith('__'));
}
