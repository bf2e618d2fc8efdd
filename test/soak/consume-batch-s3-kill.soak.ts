import { test } from 'node:test';
import { bundledConsumer } from '../support/bundle.ts';
import { kafkaForTests } from '../support/cluster.ts';
import { killIntoBucket } from '../support/kills.ts';
import { bucketForTests } from '../support/s3.ts';
import { killS3 } from '../support/s3-kills.ts';

const cluster = await kafkaForTests();
const bucket = await bucketForTests();
const start = await bundledConsumer(cluster);

test('100 kills, 100,000 records, s3 sink: every record once, in objects without gap or overlap', () =>
  killIntoBucket(cluster, bucket, start, { records: 100_000, kills: 100 }));

test('100 kills and freezes, two pulls at once, poison and dropped records, s3 sink: each record once', (t) =>
  killS3(t, cluster, bucket, { records: 60_000, kills: 100 }));
