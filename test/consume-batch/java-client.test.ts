import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { existingArchive } from '../../local/kafka/class-archive.ts';
import { kafkaDistribution } from '../../local/kafka/distribution.ts';
import { clientProperties } from '../../local/kafka/tools.ts';
import type { Connection } from '../../src/kafka/connection/connection.ts';
import { fetchRequest } from '../../src/kafka/wire/fetch.ts';
import { compressionType } from '../../src/kafka/wire/records/decompression.ts';
import { newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { run } from '../support/processes.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

/** Long enough to be worth compressing, with what no byte-wise copy would survive by luck. */
const filler = 'The quick brown fox. Übergrößenträger; 速い茶色の狐。😀 '.repeat(20);
const sizes = [1, 65_535, 65_536, 65_537, 1_048_577, 3_000_000];
const values = [
  ...Array.from({ length: 200 }, (_, n) => (n % 10 === 9 ? 'TOMBSTONE' : `${n} ${filler}`)),
  ...sizes.flatMap((size) => ['x'.repeat(size), noise(size)]),
];
const records = values.map((value, n) => ({ headers: `h:${n},i:ö`, key: `key-${n}`, value }));
const MAX_BYTES = 8 << 20;

/** Text that hardly shrinks. */
function noise(size: number): string {
  return Buffer.from(Array.from({ length: size }, (_, n) => (n * n * 7_919 + (n >> 3)) & 0xff))
    .toString('base64')
    .slice(0, size);
}

/** Publishes with the Java client, through Kafka's console producer, over SASL_SSL. */
async function javaProducer(topic: string, compression: string, level?: number): Promise<void> {
  const distribution = await kafkaDistribution();
  const { java, classpath } = distribution;
  const config = await clientProperties(cluster, { listener: 'SASL_SSL' });
  const settings = [
    ...[`max.request.size=${MAX_BYTES}`, 'batch.size=900000'],
    ...(level === undefined ? [] : [`compression.${compression}.level=${level}`]),
  ];
  const input = records.map(({ headers, key, value }) => `${headers}\t${key}\t${value}\n`).join('');
  const { code, stderr } = await run(
    java,
    [
      ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dfile.encoding=UTF-8'],
      ...existingArchive(distribution),
      ...['-cp', classpath, 'org.apache.kafka.tools.ConsoleProducer'],
      ...['--bootstrap-server', cluster.bootstrapServers.SASL_SSL, '--command-config', config],
      ...['--topic', topic, '--compression-codec', compression],
      ...settings.flatMap((setting) => ['--command-property', setting]),
      ...['parse.headers=true', 'parse.key=true', 'null.marker=TOMBSTONE'].flatMap((property) => [
        '--reader-property',
        property,
      ]),
    ],
    { input },
  );
  assert.equal(code, 0, stderr);
}

/** What the first batch in the log is compressed with. */
async function codecOf(connection: Connection, topic: string): Promise<string> {
  const request = fetchRequest([{ topic, partition: 0, offset: 0, maxBytes: 1_000_000 }], {
    ...{ maxWait: 100, maxBytes: 1_000_000, isolationLevel: 'read_committed' },
  });
  const { partitions } = (await connection.leader(topic, 0)?.send(request, Date.now() + 5_000)) ?? {};
  return compressionType(partitions?.[0]?.records.readInt16BE(21) ?? -1);
}

describe('what the Java client publishes over SASL_SSL is pulled byte for byte', () => {
  const levels: [string, number?][] = [
    ...[['none'], ['gzip'], ['gzip', 9], ['snappy']],
    ...[['lz4'], ['lz4', 17], ['zstd'], ['zstd', 19]],
  ] as [string, number?][];
  for (const [compression, level] of levels) {
    test(`${compression}${level === undefined ? '' : `, level ${level}`}`, async () => {
      const config = { 'max.message.bytes': `${MAX_BYTES}` };
      const topic = await newTopic(cluster, { partitions: 2, config });
      await javaProducer(topic, compression, level);
      const { pull, handled, connection } = newConsumer(cluster, topic);
      assert.equal((await pull()).processed, records.length);
      assert.equal(await codecOf(connection, topic), compression);
      const byKey = new Map(handled.map((record) => [String(record.key), record]));
      for (const [n, { key, value }] of records.entries()) {
        const record = byKey.get(key);
        assert.equal(record?.value?.toString() ?? 'TOMBSTONE', value);
        assert.deepEqual(
          record?.headers.map((header) => [header.key, String(header.value)]),
          [
            ['h', `${n}`],
            ['i', 'ö'],
          ],
        );
      }
    });
  }
});
