export interface TopicPartition {
  topic: string;
  partition: number;
}

/** Partitions gathered under their topics, as most requests of the protocol write them. */
export function byTopic<T extends { topic: string }>(partitions: readonly T[]): [string, T[]][] {
  const topics = new Map<string, T[]>();
  for (const item of partitions) {
    const known = topics.get(item.topic);
    if (known) known.push(item);
    else topics.set(item.topic, [item]);
  }
  return [...topics];
}
