import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { newTopic } from './cluster.ts';
import { committedOffsets } from './group.ts';
import { assertContiguous, type Bucket } from './s3.ts';
import { pullUnderFire } from './under-fire.ts';

const PARTITIONS = 6;

/** The objects of each partition are its log without gap or overlap: each record once, but for dead and dropped ones. */
export async function killS3(
  t: TestContext,
  cluster: KafkaCluster,
  bucket: Bucket,
  { records, kills }: { records: number; kills: number },
): Promise<void> {
  const topic = await newTopic(cluster, { partitions: PARTITIONS });
  await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1 });
  const destination = {
    port: bucket.server.port,
    variables: (port: number) => bucket.variables(`http://127.0.0.1:${port}`),
    points: [
      { from: 'client', text: 'PUT /' },
      // It is written, and nobody is told.
      { from: 'server', text: 'HTTP/1.1 200' },
      { from: 'client', text: 'HEAD /' },
    ],
  } as const;
  // Dead letters are in the transaction of the offset.
  const { values, end } = await pullUnderFire(t, cluster, destination, {
    ...{ records, kills, topic },
    buriesOnce: true,
  });
  const committed = await committedOffsets(cluster, topic);
  assert.equal(
    [...committed.values()].reduce((sum, offset) => sum + offset, 0),
    end,
  );
  for (const [partition, offset] of committed) {
    const objects = await bucket.objects(`${topic}/${partition}/`);
    assertContiguous(objects, 0, offset);
    const own = [...values].filter(([place]) => place.startsWith(`${partition}/`)).map(([, value]) => value);
    assert.deepEqual(
      objects.flatMap(({ lines }) => lines),
      own,
    );
  }
}
