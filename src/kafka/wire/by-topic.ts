import type { Decoder } from './decoder.ts';

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

/** The same in an answer, before tagged fields: `read` reads what stands of one partition. */
export function readByTopic<T>(decoder: Decoder, read: (topic: string) => T): T[] {
  const topics = decoder.readArray(() => {
    const topic = decoder.readString() ?? '';
    return decoder.readArray(() => read(topic));
  });
  return topics.flat();
}
