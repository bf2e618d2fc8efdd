import Encoder from 'kafkajs/src/protocol/encoder.js';
import { groupBy } from '../../group-by.ts';
import type { Decoder } from './decoder.ts';

export interface TopicPartition {
  topic: string;
  partition: number;
}

/** A key for maps. No topic's name holds a slash. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** Returns a function that finds the item of a partition. */
export function byPartition<T extends TopicPartition>(
  items: readonly T[],
): (at: TopicPartition) => T | undefined {
  const found = new Map(items.map((item) => [partitionKey(item), item]));
  return (at) => found.get(partitionKey(at));
}

/** Gathers partitions under their topics. */
export function byTopic<T extends TopicPartition>(partitions: readonly T[]): [string, T[]][] {
  return [...groupBy(partitions, ({ topic }) => topic)];
}

/** Writes the fields after the number of a partition. */
type WritePartition<T> = (encoder: Encoder, item: T) => Encoder;

/** Writes partitions under their topics, as most requests have them. */
export function writeByTopic<T extends TopicPartition>(
  body: Encoder,
  partitions: readonly T[],
  write: WritePartition<T> = (encoder) => encoder,
): Encoder {
  const topics = byTopic(partitions).map(([topic, items]) =>
    new Encoder()
      .writeString(topic)
      .writeArray(items.map((item) => write(new Encoder().writeInt32(item.partition), item))),
  );
  return body.writeArray(topics);
}

/** The same in a flexible version (KIP-482), where each topic ends with tagged fields. */
export function writeFlexibleByTopic<T extends TopicPartition>(
  body: Encoder,
  partitions: readonly T[],
  write: WritePartition<T> = (encoder) => encoder,
): Encoder {
  const topics = byTopic(partitions).map(([topic, items]) =>
    new Encoder()
      .writeUVarIntString(topic)
      .writeUVarIntArray(items.map((item) => write(new Encoder().writeInt32(item.partition), item)))
      .writeUVarInt(0),
  );
  return body.writeUVarIntArray(topics);
}

/** Reads an answer's topics; `read` reads one partition. */
export function readByTopic<T>(decoder: Decoder, read: (topic: string) => T): T[] {
  const topics = decoder.readArray(() => {
    const topic = decoder.readString() ?? '';
    return decoder.readArray(() => read(topic));
  });
  return topics.flat();
}

/** The same in a flexible version. */
export function readFlexibleByTopic<T>(decoder: Decoder, read: (topic: string) => T): T[] {
  const topics = decoder.readUVarIntArray(() => {
    const topic = decoder.readUVarIntString() ?? '';
    const items = decoder.readUVarIntArray(() => {
      const item = read(topic);
      decoder.readTaggedFields();
      return item;
    });
    decoder.readTaggedFields();
    return items;
  });
  return topics.flat();
}
