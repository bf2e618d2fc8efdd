/**
 * Found 2026-11-27 (A7): who may write to a topic could stop its pull for good, or take gigabytes: a batch of
 * 300 MiB in 300 KB of gzip, a zstd frame of ten bytes with a window of 2 GB, seven bytes of snappy.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { ATTRIBUTES_AT, BATCH_OVERHEAD, LENGTH_AT } from '../../src/kafka/wire/records/batch-header.ts';
import { compressionTypes } from '../../src/kafka/wire/records/compression.ts';
import { encodeRecordBatch } from '../../src/kafka/wire/records/record-batch.ts';
import { FetchedRecordsReader } from '../../src/kafka/wire/records/record-batch-reader.ts';
import { pythonCommand, pythonMissing } from '../support/clients/clients.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { committedOffsets } from '../support/group.ts';
import { readerOptions, take } from '../support/record-batch-reader.ts';
import { publish } from '../support/records.ts';

const MIB = 1024 * 1024;
const MAX_GROWTH = 150 * MIB;
const PARTITIONS = 6;
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const cluster = await kafkaForTests();

interface Pulled {
  answer: { code?: string; message?: string; processed?: number; more?: boolean };
  handled: number;
  skipped: { partition: number; from: number; to: number; records: number }[];
  grownBytes: number;
}

function pullInProcess(topic: string, unreadable: 'stop' | 'skip'): Promise<Pulled> {
  const child = spawn(process.execPath, ['--import', 'tsx', here('bombs.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify({ servers: cluster.bootstrapServers.PLAINTEXT, topic, unreadable }));
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  return new Promise((resolve, reject) => {
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(output));
      else reject(new Error(`exit code ${code}`));
    });
  });
}

async function publishBombs(topic: string, codec: string, bytes: number): Promise<void> {
  const args = [
    here('bomb.py'),
    cluster.bootstrapServers.PLAINTEXT,
    topic,
    `${PARTITIONS}`,
    codec,
    `${bytes}`,
  ];
  execFileSync(pythonCommand, args, { stdio: ['ignore', 'inherit', 'inherit'] });
}

async function publishOneEach(topic: string): Promise<void> {
  const messages = Array.from({ length: PARTITIONS }, (_, partition) => ({ value: '{"n":0}', partition }));
  await publish(cluster, topic, messages);
}

describe('a record of 100 MiB in each of six partitions, compressed', () => {
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
    test(`${codec}: it stops its partition by name, or is skipped, and takes no memory`, {
      timeout: 300_000,
    }, async (t) => {
      const reason = await pythonMissing();
      if (reason) return t.skip(reason);
      const config = { 'max.message.bytes': `${20 * MIB}` };
      const topic = await newTopic(cluster, { partitions: PARTITIONS, config });
      await publishOneEach(topic);
      await publishBombs(topic, codec, 100 * MIB);
      await publishOneEach(topic);

      const stopped = await pullInProcess(topic, 'stop');
      assert.equal(stopped.answer.code, 'BATCH_UNREADABLE', JSON.stringify(stopped));
      assert.match(
        stopped.answer.message ?? '',
        /offsets 1 to 1 \(1 records\) cannot be read: .*CONSUME_MAX_BYTES/,
      );
      assert.equal(stopped.handled, PARTITIONS);
      assert.ok(stopped.grownBytes < MAX_GROWTH, `${stopped.grownBytes / MIB} MiB`);
      const committed = await committedOffsets(cluster, topic, `${topic}-stop`);
      assert.deepEqual([...committed.values()], Array(PARTITIONS).fill(1));

      const skipped = await pullInProcess(topic, 'skip');
      assert.deepEqual([skipped.answer.processed, skipped.answer.more], [2 * PARTITIONS, false]);
      assert.deepEqual(
        skipped.skipped.map(({ from, to, records }) => [from, to, records]),
        Array(PARTITIONS).fill([1, 1, 1]),
      );
      assert.ok(skipped.grownBytes < MAX_GROWTH, `${skipped.grownBytes / MIB} MiB`);
    });
  }

  test('of 10 MiB each they fit, one after the other', { timeout: 300_000 }, async (t) => {
    const reason = await pythonMissing();
    if (reason) return t.skip(reason);
    const topic = await newTopic(cluster, { partitions: PARTITIONS });
    await publishBombs(topic, 'zstd', 10 * MIB);
    const { answer, grownBytes } = await pullInProcess(topic, 'stop');
    assert.equal(answer.processed, PARTITIONS);
    assert.ok(grownBytes < MAX_GROWTH, `${grownBytes / MIB} MiB`);
  });
});

/** What somebody may have written in place of a batch's records. */
const forgeries: [codec: (typeof compressionTypes)[number], what: string, bytes: Buffer][] = [
  // Magic, no flags, a window of 2^41, one empty last block.
  ['zstd', 'a window of 2 TB', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00])],
  ['zstd', 'a window of 2 GB', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00])],
  // One segment that announces 2^40 bytes.
  [
    'zstd',
    'a content of 1 TB',
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 0x01, 0x00, 0x00]),
  ],
  [
    'zstd',
    'a block that runs over the end',
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 0xfd, 0xff, 0x0f, 1]),
  ],
  ['snappy', 'a block of 256 MiB in seven bytes', Buffer.from([0x80, 0x80, 0x80, 0x80, 0x01, 0x00, 0x00])],
  ['snappy', 'a length that never ends', Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
  [
    'lz4',
    'a content of 1 TB',
    Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x68, 0x70, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
  ],
  [
    'lz4',
    'a match from before its content',
    Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0, 4, 0, 0, 0, 0x10, 0x41, 9, 0, 0, 0, 0, 0]),
  ],
  ['gzip', 'a content of 4 GiB', forgedGzip(2 ** 32 - 1)],
  ['gzip', 'a content of one byte, and gives more', forgedGzip(1)],
  ['gzip', 'nothing at all', Buffer.alloc(0)],
];

function forgedGzip(announced: number): Buffer {
  const bytes = gzipSync(Buffer.alloc(10_000));
  bytes.writeUInt32LE(announced, bytes.length - 4);
  return bytes;
}

describe('a batch whose bytes announce what they do not have', () => {
  for (const [codec, what, bytes] of forgeries) {
    test(`${codec}: ${what}`, async () => {
      const record = { key: null, value: Buffer.from('v'), headers: [], timestamp: 0 };
      const batch = Buffer.concat([encodeRecordBatch([record]).subarray(0, BATCH_OVERHEAD), bytes]);
      batch.writeInt32BE(batch.length - LENGTH_AT - 4, LENGTH_AT);
      batch.writeInt16BE(compressionTypes.indexOf(codec), ATTRIBUTES_AT);
      const fetched = {
        ...{ topic: 't', partition: 0, errorCode: 0, highWatermark: 1, lastStableOffset: 1 },
        ...{ logStartOffset: 0, abortedTransactions: [], records: batch },
      };
      const options = readerOptions({ checkCrcs: false });
      const reader = await FetchedRecordsReader.open(fetched, { offset: 0, end: 1 }, options);
      const before = process.memoryUsage().arrayBuffers;
      const started = process.cpuUsage();
      await assert.rejects(take(reader, 1), { code: 'BATCH_UNREADABLE' });
      const { user, system } = process.cpuUsage(started);
      assert.ok(user + system < 1_000_000, `${user + system} µs`);
      assert.ok(process.memoryUsage().arrayBuffers - before < 8 * MIB);
    });
  }
});
