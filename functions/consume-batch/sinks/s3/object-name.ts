import type { TopicPartition } from '../../../../src/kafka/wire/by-topic.ts';
import type { FileCompression } from '../../../../src/object-storage/config.ts';

/** Of the largest offset, so that names sort as offsets do. */
const OFFSET_DIGITS = 20;

export function objectName(
  template: string,
  { topic, partition, start }: TopicPartition & { start: number },
  compression: FileCompression,
): string {
  const values: Record<string, string> = {
    '{topic}': topic,
    '{partition}': `${partition}`,
    '{start_offset}': `${start}`.padStart(OFFSET_DIGITS, '0'),
  };
  const name = template.replace(/\{\w+\}/g, (place) => values[place] ?? place);
  return `${name}.jsonl${compression === 'gzip' ? '.gz' : ''}`;
}
