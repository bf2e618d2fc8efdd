import type { Pipeline } from '../../../functions/consume-batch/records/pipeline.ts';
import type { KafkaCluster, TopicOptions } from '../../../local/kafka/cluster.ts';
import { newTopic } from '../../support/cluster.ts';
import { newConsumer } from '../../support/consumer.ts';
import { administer, readTopic } from '../../support/records.ts';
import type { Bucket, S3SinkOptions } from '../../support/s3.ts';

export type Options = Omit<NonNullable<Parameters<typeof newConsumer>[2]>, 'sink'> & {
  s3?: Partial<S3SinkOptions>;
};

/** A topic with its dead-letter topic, and consumers of one group that write it into the bucket. */
export async function topicAndBucket(
  cluster: KafkaCluster,
  bucket: Bucket,
  {
    partitions = 1,
    config = {},
    deadLetter = {},
  }: TopicOptions & { deadLetter?: Record<string, string> } = {},
) {
  const topic = await newTopic(cluster, { partitions, config });
  await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1, config: deadLetter });
  return {
    topic,
    consumer: ({ s3 = {}, pipeline = {}, ...more }: Options = {}) =>
      newConsumer(cluster, topic, { ...more, pipeline, sink: bucket.sink(s3) }),
    objects: (partition = 0) => bucket.objects(`${topic}/${partition}/`),
    dead: () => readTopic(cluster, `${topic}.dead-letter`),
    /** The committed offset of partition 0, and the text beside it. */
    async committed(): Promise<{ offset: number; metadata: string }> {
      const [found] = await administer(cluster, (admin) =>
        admin.fetchOffsets({ groupId: `${topic}-g`, topics: [topic] }),
      );
      const { offset = '-1', metadata } = found?.partitions.find(({ partition }) => partition === 0) ?? {};
      return { offset: Number(offset), metadata: metadata ?? '' };
    },
  };
}

export const numbersIn = (lines: readonly string[]): number[] => lines.map((line) => JSON.parse(line).n);

type Transform = NonNullable<Pipeline['transformRecord']>;

/** A pipeline with this transformation; `n` is the record's number. */
export function transforming(
  transform: (record: Parameters<Transform>[0], n: number) => ReturnType<Transform>,
): Pipeline {
  return { transformRecord: (record) => transform(record, JSON.parse(String(record.value)).n) };
}
