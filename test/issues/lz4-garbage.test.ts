/**
 * Found 2026-11-27 (B1): LZ4 frames with block checksums, as aiokafka writes them, were misread. The garbage was
 * handled as records, and offsets beyond the end of the log were committed.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { compressBatch } from '../../src/kafka/wire/records/compression.ts';
import { loadCodec } from '../../src/kafka/wire/records/decompression.ts';
import { encodeRecordBatch } from '../../src/kafka/wire/records/record-batch.ts';
import { FetchedRecordsReader } from '../../src/kafka/wire/records/record-batch-reader.ts';
import { clients, publishWith } from '../support/clients/clients.ts';
import { newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { newSeed, randomFrom } from '../support/random.ts';
import { readerOptions, take } from '../support/record-batch-reader.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const inputs = new URL('inputs/lz4/', import.meta.url);
const BASE_OFFSET = 1_000;
const LAST_OFFSET_DELTA_AT = 23;
const COUNT_AT = 57;
const BATCH_OVERHEAD = 61;

describe('an LZ4 frame', async () => {
  const { bound, decompress } = await loadCodec('lz4');
  const read = (frame: Buffer) => decompress(frame, bound(frame));
  const plain = readFileSync(new URL('plain.txt', inputs));
  const frames = readdirSync(inputs).filter((name) => name.endsWith('.lz4'));

  test('of every kind is among the inputs', () => assert.equal(frames.length, 8));

  for (const name of frames) {
    const frame = readFileSync(new URL(name, inputs));
    test(`${name} is read`, () => assert.ok(read(frame).equals(plain)));

    test(`${name}, altered anywhere, is refused or gives no more than it may`, () => {
      const seed = newSeed();
      const random = randomFrom(seed);
      for (let round = 0; round < 300; round++) {
        const altered = Buffer.from(
          frame.subarray(0, random.chance(0.3) ? random.below(frame.length) : undefined),
        );
        for (let changes = 1 + random.below(4); altered.length > 0 && changes > 0; changes--) {
          altered[random.below(altered.length)] = random.below(256);
        }
        try {
          assert.ok(read(altered).length <= 64 * 1024 * 255, `seed ${seed}, round ${round}`);
        } catch (error) {
          assert.ok(error instanceof Error && !(error instanceof assert.AssertionError), `seed ${seed}`);
        }
      }
    });
  }
});

/** Ten records in a batch, and what somebody made of its bytes. */
function batchOf(alter: (batch: Buffer) => Buffer | undefined): Buffer {
  const batch = encodeRecordBatch(
    Array.from({ length: 10 }, (_, n) => ({
      key: Buffer.from(`k${n}`),
      value: Buffer.from('a value that can be compressed '.repeat(10)),
      headers: [{ key: 'h', value: Buffer.from('v') }],
      timestamp: 1_700_000_000_000,
    })),
  );
  batch.writeBigInt64BE(BigInt(BASE_OFFSET));
  return alter(batch) ?? batch;
}

/** The record `n` of a batch, from its length on: all ten are equally long. */
const recordAt = (batch: Buffer, n: number) => BATCH_OVERHEAD + (n * (batch.length - BATCH_OVERHEAD)) / 10;
/** A record's offset delta stands behind its length of two bytes, its attributes and its timestamp delta. */
const deltaAt = (batch: Buffer, n: number) => recordAt(batch, n) + 4;
const zigZag = (value: number) => (value << 1) ^ (value >> 31);

const lies: Record<string, (batch: Buffer) => Buffer | undefined> = {
  'announces one record more': (batch) => void batch.writeInt32BE(11, COUNT_AT),
  'announces one record less': (batch) => void batch.writeInt32BE(9, COUNT_AT),
  'announces 2^31-1 records': (batch) => void batch.writeInt32BE(2 ** 31 - 1, COUNT_AT),
  'announces -1 records': (batch) => void batch.writeInt32BE(-1, COUNT_AT),
  'ends before its last record': (batch) => void batch.writeInt32BE(8, LAST_OFFSET_DELTA_AT),
  'ends before it begins': (batch) => void batch.writeInt32BE(-5, LAST_OFFSET_DELTA_AT),
  'has a record beyond its end': (batch) => void batch.writeUInt8(zigZag(59), deltaAt(batch, 9)),
  'has a record before its beginning': (batch) => void batch.writeUInt8(zigZag(-1), deltaAt(batch, 0)),
  'has two records at one offset': (batch) => void batch.writeUInt8(zigZag(4), deltaAt(batch, 5)),
  'has records in falling order': (batch) => void batch.writeUInt8(zigZag(3), deltaAt(batch, 5)),
  'has a record that is longer than its parts': (batch) => {
    batch.writeUInt8(batch.readUInt8(batch.length - 1) + 1, batch.length - 1);
    batch.writeUInt8(zigZag(0), batch.length - 2);
  },
};

describe('a batch whose records are not what it announces is never handled', () => {
  for (const codec of ['none', 'gzip', 'lz4'] as const) {
    for (const [what, alter] of Object.entries(lies)) {
      test(`${codec}: it ${what}`, async () => {
        const batch = await compressBatch(batchOf(alter), codec);
        const fetched = {
          ...{ topic: 't', partition: 0, errorCode: 0, highWatermark: 5_000, lastStableOffset: 5_000 },
          ...{ logStartOffset: 0, abortedTransactions: [], records: batch },
        };
        const reader = await FetchedRecordsReader.open(
          fetched,
          { offset: 0, end: 5_000 },
          readerOptions({ checkCrcs: false }),
        );
        await assert.rejects(take(reader, 1), {
          code: 'BATCH_UNREADABLE',
          message: /partition 0 of topic t: offsets 1000 to \d+ \(.* records\) cannot be read/,
        });
      });
    }
  }
});

describe('what aiokafka publishes with LZ4', async () => {
  const aiokafka = clients.find(({ name }) => name === 'aiokafka');
  const cluster = await sharedCluster();

  test('is pulled as it was sent, and committed up to the end of the log', {
    timeout: 300_000,
  }, async (t) => {
    const reason = await aiokafka?.missing();
    if (!aiokafka || reason) return t.skip(reason);
    const records = Array.from({ length: 40 }, (_, n) => ({
      key: Buffer.from(`k${n}`),
      value: Buffer.from(`${n} of forty values that can be compressed`),
      headers: [],
    }));
    const topic = await newTopic(cluster, { partitions: 1 });
    await publishWith(aiokafka, cluster, topic, { codec: 'lz4', records });
    const { pull, handled } = newConsumer(cluster, topic);
    const { partitions } = await pull();
    assert.deepEqual(
      handled.map(({ key, value, headers }) => ({ key, value, headers })),
      records,
    );
    assert.deepEqual(
      partitions.map(({ to, end }) => [to, end]),
      [[40, 40]],
    );
  });
});
