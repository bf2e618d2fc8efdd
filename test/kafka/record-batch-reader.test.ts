import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FetchedPartition } from '../../src/kafka/wire/fetch.ts';
import { offsetBehind } from '../../src/kafka/wire/records/batch-header.ts';
import { compressBatch } from '../../src/kafka/wire/records/compression.ts';
import { crc32c } from '../../src/kafka/wire/records/crc32c.ts';
import { encodeRecordBatch, type TimedRecord } from '../../src/kafka/wire/records/record-batch.ts';
import {
  FetchedRecordsReader,
  type ReaderOptions,
} from '../../src/kafka/wire/records/record-batch-reader.ts';
import { newSeed, randomFrom } from '../support/random.ts';
import { readerOptions, take } from '../support/record-batch-reader.ts';

const options: ReaderOptions = readerOptions();
const ATTRIBUTES_AT = 21;
const CRC_AT = 17;

function record(n: number): TimedRecord {
  return {
    key: Buffer.from(`k${n}`),
    value: n % 4 === 3 ? null : Buffer.from(`value ${n} `.repeat(20)),
    headers: n % 2 === 0 ? [] : [{ key: 'h', value: null }],
    timestamp: 1_700_000_000_000 - n * 40_000_000_000,
  };
}

/** A batch as it stands in a log. */
function batchAt(baseOffset: number, numbers: readonly number[]): Buffer {
  const batch = encodeRecordBatch(numbers.map(record));
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  return batch;
}

function fetched(records: Buffer, more: Partial<FetchedPartition> = {}): FetchedPartition {
  return {
    ...{ topic: 't', partition: 0, errorCode: 0, highWatermark: 100, lastStableOffset: 100 },
    ...{ logStartOffset: 0, abortedTransactions: [], records, ...more },
  };
}

async function readAll(partition: FetchedPartition, offset = 0, end = 100, opts = options) {
  const reader = await FetchedRecordsReader.open(partition, { offset, end }, opts);
  return { ...(await take(reader, 1_000)), endOffset: offsetBehind(partition.records) };
}

const behindFirst = batchAt(5, [0, 1, 2, 3]).length;
const log = Buffer.concat([batchAt(5, [0, 1, 2, 3]), batchAt(9, [4, 5]), batchAt(20, [6])]);

describe('what a Fetch answer holds', () => {
  test('is read with offsets, timestamps, keys, values and headers', async () => {
    const { records, nextOffset, endOffset } = await readAll(fetched(log));
    assert.deepEqual([nextOffset, endOffset], [21, 21]);
    assert.deepEqual(
      records.map(({ topic, partition, offset, ...rest }) => [offset, rest]),
      [5, 6, 7, 8, 9, 10, 20].map((offset, n) => [offset, record(n)]),
    );
  });

  test('is read from the offset asked for, which may lie inside a batch, and up to the end', async () => {
    const { records, nextOffset } = await readAll(fetched(log), 7, 15);
    assert.deepEqual(
      records.map(({ offset }) => offset),
      [7, 8, 9, 10],
    );
    assert.equal(nextOffset, 15);
  });

  test('is taken piece by piece', async () => {
    const reader = await FetchedRecordsReader.open(fetched(log), { offset: 0, end: 100 }, options);
    const pieces = [];
    for (let piece = await take(reader, 3); piece.records.length > 0; piece = await take(reader, 3)) {
      pieces.push([piece.records.map(({ offset }) => offset), piece.nextOffset]);
    }
    assert.deepEqual(pieces, [
      [[5, 6, 7], 8],
      [[8, 9, 10], 11],
      [[20], 21],
    ]);
  });

  test('by bytes, one record at the least', async () => {
    const reader = await FetchedRecordsReader.open(fetched(log), { offset: 0, end: 100 }, options);
    const { records, bytes } = await take(reader, 1_000, 1);
    assert.equal(records.length, 1);
    assert.ok(bytes > 1);
  });

  test('ends before a batch that is cut short', async () => {
    const cut = log.subarray(0, log.length - 1);
    const { nextOffset, endOffset } = await readAll(fetched(cut));
    assert.deepEqual([nextOffset, endOffset], [11, 11]);
  });

  test('keys and values are slices of the answer: nothing is copied', async () => {
    const { records } = await readAll(fetched(log));
    assert.ok(records.every(({ key }) => key?.buffer === log.buffer));
  });

  for (const type of ['gzip', 'lz4'] as const) {
    test(`compressed by ${type}`, async () => {
      const batch = await compressBatch(batchAt(5, [0, 1, 2, 3]), type);
      assert.notEqual(batch.readInt16BE(ATTRIBUTES_AT) & 7, 0, 'it is compressed');
      const { records } = await readAll(fetched(batch));
      assert.deepEqual(
        records.map(({ value }) => value),
        [0, 1, 2, 3].map((n) => record(n).value),
      );
    });
  }

  test('a codec that nobody knows is named, after what stands before it was read', async () => {
    const strange = Buffer.from(log);
    strange.writeInt16BE(6, behindFirst + ATTRIBUTES_AT);
    const unchecked = { ...options, checkCrcs: false };
    const reader = await FetchedRecordsReader.open(fetched(strange), { offset: 0, end: 100 }, unchecked);
    assert.equal((await take(reader, 1_000)).nextOffset, 9);
    const named = {
      code: 'BATCH_UNREADABLE',
      message:
        'partition 0 of topic t: offsets 9 to 10 (2 records) cannot be read: the compression codec 6 is not known here',
    };
    await assert.rejects(take(reader, 1_000), named);
    await assert.rejects(take(reader, 1_000), named);
  });

  test('what stands before a batch that is broken can be taken', async () => {
    const broken = Buffer.from(log);
    broken[behindFirst + ATTRIBUTES_AT + 40] = 0xff;
    const reader = await FetchedRecordsReader.open(fetched(broken), { offset: 0, end: 100 }, options);
    const { records, nextOffset } = await take(reader, 1_000);
    assert.deepEqual([records.length, nextOffset], [4, 9]);
    await assert.rejects(
      take(reader, 1_000),
      /offsets 9 to 10 \(2 records\) cannot be read: they do not match their CRC-32C/,
    );
  });

  test('a flipped bit is noticed with KAFKA_CHECK_CRCS, and only then', async () => {
    const broken = Buffer.from(log);
    const at = broken.indexOf('value 1');
    broken[at] = (broken[at] ?? 0) ^ 1;
    await assert.rejects(readAll(fetched(broken)), /offsets 5 to 8 .*do not match their CRC-32C/);
    const { records } = await readAll(fetched(broken), 0, 100, { ...options, checkCrcs: false });
    assert.equal(records.length, 7);
  });

  test('the old message formats are named', async () => {
    const old = Buffer.from(log);
    old[16] = 1;
    await assert.rejects(readAll(fetched(old)), /offsets 0 to 5 .*message format is older .*magic 1/);
  });

  test('whatever bytes come, it ends with records or an error', async () => {
    const seed = newSeed();
    const random = randomFrom(seed);
    for (let round = 0; round < 3_000; round++) {
      const bytes = Buffer.from(log);
      for (let change = 0; change <= random.below(4); change++) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      // A valid checksum over nonsense: what a defect elsewhere might produce.
      const length = bytes.readInt32BE(8);
      const end = Math.min(bytes.length, Math.max(61, 12 + length));
      bytes.writeUInt32BE(crc32c(bytes, ATTRIBUTES_AT, end), CRC_AT);
      try {
        const { records } = await readAll(fetched(bytes));
        assert.ok(records.length <= 1_000, `seed ${seed}, round ${round}`);
      } catch (error) {
        assert.ok(
          error instanceof Error && !(error instanceof assert.AssertionError),
          `seed ${seed}: ${error}`,
        );
      }
    }
  });
});
