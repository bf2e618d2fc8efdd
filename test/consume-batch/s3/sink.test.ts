import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import kafka from 'kafkajs';
import { PermanentError, TransientError } from '../../../functions/consume-batch/records/record-failure.ts';
import { sleep } from '../../../src/deadline.ts';
import { Secret } from '../../../src/secret.ts';
import { pullDefaults } from '../../support/consumer.ts';
import { failsWith } from '../../support/errors.ts';
import { commitOffset, committedOffsets, committedRecords, joinGroup } from '../../support/group.ts';
import { administer, numbered, publish, upTo } from '../../support/records.ts';
import { assertContiguous, bucketForTests, type S3SinkOptions } from '../../support/s3.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';
import { numbersIn, topicAndBucket, transforming } from './setup.ts';

const cluster = await sharedCluster();
const bucket = await bucketForTests();
const setUp = (options?: Parameters<typeof topicAndBucket>[2]) => topicAndBucket(cluster, bucket, options);

describe('the s3 sink in a pull', () => {
  test('an object a partition and call, contiguous, each record once and in order', async () => {
    const { topic, consumer, objects } = await setUp({ partitions: 3 });
    const { pull } = consumer();
    await publish(cluster, topic, numbered(3_000));
    const first = await pull({ maxRecords: 1_234 });
    assert.deepEqual([first.processed, first.more], [1_234, true]);
    const second = await pull();
    assert.deepEqual([second.processed, second.more], [3_000 - 1_234, false]);
    const all: number[] = [];
    const ends = await committedOffsets(cluster, topic);
    for (const partition of [0, 1, 2]) {
      const found = await objects(partition);
      assert.ok(found.length <= 2, `${found.length} objects`);
      assertContiguous(found, 0, ends.get(partition) ?? 0);
      const numbers = found.flatMap(({ lines }) => numbersIn(lines));
      assert.deepEqual(
        numbers,
        [...numbers].sort((a, b) => a - b),
        'in order',
      );
      all.push(...numbers);
    }
    assert.deepEqual(
      all.sort((a, b) => a - b),
      upTo(3_000),
    );
    assert.equal(await committedRecords(cluster, topic), 3_000);
    assert.equal((await pull()).processed, 0);
  });

  test('the object tells its range and its SHA-256', async () => {
    const { topic, consumer, objects, committed } = await setUp();
    await publish(cluster, topic, numbered(3));
    const { pull, log } = consumer();
    await pull();
    const [object] = await objects();
    assert.equal(object?.name, `${topic}/0/00000000000000000000.jsonl.gz`);
    assert.equal(object?.sha256, createHash('sha256').update(object.bytes).digest('hex'));
    assert.deepEqual([object?.to, object?.contentType], [3, 'application/gzip']);
    assert.deepEqual(object?.lines, ['{"n":0}', '{"n":1}', '{"n":2}']);
    const { offset, metadata } = await committed();
    assert.equal(offset, 3);
    assert.doesNotMatch(metadata, /intent/);
    const line = log.lines.find(({ message }) => message === 'an object was written');
    assert.deepEqual(
      [line?.fields?.object, line?.fields?.records, line?.fields?.bytes],
      [object?.name, 3, object?.bytes.length],
    );
    for (const name of ['transformMs', 'sinkMs', 'commitMs']) {
      assert.equal(typeof line?.fields?.[name], 'number', name);
    }
  });

  test("values keep their own JSON text; what is not JSON is a dead letter of the offset's transaction", async () => {
    const { topic, consumer, objects, dead } = await setUp();
    const long = `"${'x'.repeat(1_000_000)}"`;
    const kept = [
      '9007199254740993',
      '{"amount":12345678901234567890.123456789}',
      String.raw`"\u0000"`,
      String.raw`"\ud83d"`,
      '{"a":1,"a":2}',
      'null',
    ];
    await publish(cluster, topic, [
      ...kept.map((value) => ({ value })),
      { value: '{\n  "pretty":\r\n  [1,\n2]\n}' },
      { key: 'k', value: null },
      { key: 'bad', value: 'not JSON' },
      { key: 'bytes', value: Buffer.from([0xff, 0xfe]) },
      { value: '' },
      { value: long },
      { value: '1.10' },
    ]);
    const answer = await consumer({ s3: { compression: 'none' } }).pull();
    assert.deepEqual([answer.processed, answer.deadLettered, answer.failed], [10, 3, 0]);
    const [object] = await objects();
    assert.deepEqual(object?.lines, [...kept, '{   "pretty":   [1, 2] }', 'null', long, '1.10']);
    assert.equal(object?.name, `${topic}/0/00000000000000000000.jsonl`);
    const letters = await dead();
    assert.deepEqual(
      letters.map(({ headers }) => String(headers['__connect.errors.offset'])),
      ['8', '9', '10'],
    );
    assert.deepEqual(letters[1]?.value, Buffer.from([0xff, 0xfe]));
  });

  test('with more fields a line is an object, from which key and headers can be restored', async () => {
    const { topic, consumer, objects } = await setUp();
    const timestamp = '1700000000000';
    await publish(cluster, topic, [
      { key: '{"id":9007199254740993}', value: '1.10', headers: { h: Buffer.from([255]) }, timestamp },
      { key: 'plain', value: null, timestamp },
      { key: Buffer.from([255]), value: '"v"', timestamp },
    ]);
    await consumer({ s3: { fields: ['key', 'value', 'offset', 'timestamp', 'headers'] } }).pull();
    const [object] = await objects();
    assert.deepEqual(object?.lines, [
      '{"key":{"id":9007199254740993},"value":1.10,"offset":0,"timestamp":1700000000000,"headers":[{"key":"h","value":"/w=="}]}',
      '{"keyText":"plain","offset":1,"timestamp":1700000000000,"headers":[]}',
      '{"keyBase64":"/w==","value":"v","offset":2,"timestamp":1700000000000,"headers":[]}',
    ]);
  });

  test('what transformRecord returns is written: several lines, none, and dead letters', async () => {
    const { topic, consumer, objects, dead, committed } = await setUp();
    await publish(cluster, topic, numbered(10));
    const pipeline = transforming((record, n) => {
      if (n === 3) throw new PermanentError('three');
      return n === 5 ? undefined : n === 6 ? [record, record] : record;
    });
    const answer = await consumer({ pipeline }).pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [9, 1]);
    const [object] = await objects();
    assert.deepEqual(numbersIn(object?.lines ?? []), [0, 1, 2, 4, 6, 6, 7, 8, 9]);
    assert.deepEqual(
      (await dead()).map(({ offset, value }) => [offset, String(value)]),
      [[0, '{"n":3}']],
    );
    assert.equal((await committed()).offset, 10);
  });

  test('a record that may pass later holds its partition; those before it are written', async () => {
    const { topic, consumer, objects, committed } = await setUp();
    await publish(cluster, topic, numbered(10));
    const pipeline = transforming((record, n) => {
      if (n === 7) throw new TransientError('later');
      return record;
    });
    await assert.rejects(consumer({ pipeline, retries: 0 }).pull(), failsWith('SINK_FAILED'));
    assertContiguous(await objects(), 0, 7);
    assert.equal((await committed()).offset, 7);
    assert.equal((await consumer().pull()).processed, 3);
    assertContiguous(await objects(), 0, 10);
  });

  test('a range whose records are all dropped leaves no object, and the offset moves', async () => {
    const { topic, consumer, objects, committed } = await setUp();
    await publish(cluster, topic, numbered(10));
    const answer = await consumer({ pipeline: transforming(() => undefined) }).pull();
    assert.deepEqual([answer.processed, answer.more, (await committed()).offset], [10, false, 10]);
    assert.deepEqual(await objects(), []);
  });

  test('an object has at most CONSUME_MAX_BYTES of lines', async () => {
    const { topic, consumer, objects } = await setUp();
    const records = numbered(400).map(({ key }, n) => ({
      key,
      value: JSON.stringify({ n, pad: 'x'.repeat(50) }),
    }));
    await publish(cluster, topic, records);
    const wide = { pipeline: transforming((record) => Array(20).fill(record)) };
    const { pull, log } = consumer({ ...wide, s3: { compression: 'none' } });
    const answer = await pull({}, { maxBytes: 200_000 });
    assert.equal(answer.processed, 400);
    const found = await objects();
    assertContiguous(found, 0, 400);
    assert.ok(found.length > 2, `${found.length} objects`);
    assert.ok(found.every(({ bytes }) => bytes.length <= 200_000));
    const lines = found.flatMap(({ lines: all }) => numbersIn(all));
    assert.deepEqual(
      lines,
      upTo(400).flatMap((n) => Array(20).fill(n)),
    );
    assert.equal(log.lines.filter(({ message }) => message === 'an object was written').length, found.length);
  });

  test('1,000 scattered dropped records: one object, which a successor could finish', async () => {
    const { topic, consumer, objects } = await setUp();
    await publish(cluster, topic, numbered(5_000));
    const isDropped = (n: number) => (n * 2_654_435_761) % 5 === 0;
    const answer = await consumer({
      pipeline: transforming((record, n) => (isDropped(n) ? undefined : record)),
    }).pull();
    assert.equal(answer.processed, 5_000);
    const found = await objects();
    assert.equal(found.length, 1);
    assert.deepEqual(
      numbersIn(found[0]?.lines ?? []),
      upTo(5_000).filter((n) => !isDropped(n)),
    );
  });

  test('a live member of the group: refused, nothing written', async () => {
    const { topic, consumer, objects } = await setUp();
    await publish(cluster, topic, numbered(10));
    const of = { groupId: `${topic}-g`, topic };
    const member = await joinGroup(cluster, of, { autoCommit: false, eachBatch: async () => {} });
    try {
      await assert.rejects(consumer().pull(), failsWith('GROUP_ACTIVE'));
    } finally {
      await member.disconnect();
    }
    assert.deepEqual(await objects(), []);
    assert.equal((await consumer().pull()).processed, 10);
  });

  test("text beside the offset that is somebody else's is survived", async () => {
    const { topic, consumer, objects } = await setUp();
    await publish(cluster, topic, numbered(10));
    await commitOffset(cluster, `${topic}-g`, { topic, partition: 0, offset: 4, metadata: '{"intent":"?"' });
    assert.equal((await consumer().pull()).processed, 6);
    assertContiguous(await objects(), 4, 10);
  });

  test('records that come while the pull waits behind the end are in its object', async () => {
    const { topic, consumer, objects } = await setUp();
    const { pull } = consumer();
    await pull();
    const waiting = pull({}, { waitMs: 2_000 });
    await publish(cluster, topic, numbered(5));
    assert.equal((await waiting).processed, 5);
    assertContiguous(await objects(), 0, 5);
  });

  test('where time runs short, what was gathered is written by the deadline', async () => {
    const { topic, consumer, objects, committed } = await setUp();
    await publish(cluster, topic, numbered(20_000));
    const slow = transforming(async (record) => {
      await sleep(1);
      return record;
    });
    const startedAt = Date.now();
    const { pull } = consumer({ pipeline: slow });
    const answer = await pull({}, { maxRecords: 20_000 }, 4_000);
    assert.ok(Date.now() - startedAt < 4_000);
    assert.ok(answer.more && answer.processed > 100, `${answer.processed} processed`);
    const found = await objects();
    assertContiguous(found, 0, answer.processed);
    assert.equal((await committed()).offset, answer.processed);
  });

  test('a topic of which nothing is JSON: dead letters in several transactions, within the memory', async () => {
    const { topic, consumer, objects, dead, committed } = await setUp();
    const values = upTo(1_000).map((n) => ({ value: n === 500 ? '500' : `not JSON ${n}` }));
    await publish(cluster, topic, values);
    const before = process.memoryUsage().arrayBuffers;
    const answer = await consumer().pull({}, { maxBytes: 300_000 });
    assert.ok(process.memoryUsage().arrayBuffers - before < 50_000_000);
    assert.deepEqual([answer.processed, answer.deadLettered, answer.more], [1, 999, false]);
    assert.deepEqual(
      (await dead()).map(({ value }) => String(value)),
      values.flatMap(({ value }) => (value === '500' ? [] : [value])),
    );
    const [object] = await objects();
    assert.deepEqual(object?.lines, ['500']);
    assert.equal((await committed()).offset, 1_000);
  });

  test('a dead letter that its topic refuses loses its headers, the others keep theirs', async () => {
    const { topic, consumer, objects, dead } = await setUp({ deadLetter: { 'max.message.bytes': '3000' } });
    const pad = 'x'.repeat(2_500);
    await publish(cluster, topic, [
      { value: 'bad' },
      { value: `bad ${pad}` },
      { value: '1' },
      { value: 'bad' },
    ]);
    const answer = await consumer().pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [1, 3]);
    const letters = await dead();
    const stacks = letters.map(({ headers }) => '__connect.errors.exception.stacktrace' in headers);
    assert.deepEqual(stacks, [true, false, true]);
    assert.deepEqual((await objects())[0]?.lines, ['1']);
  });

  test('a dead letter that its topic refuses whole: DEAD_LETTER_FAILED, and the next pull goes on', async () => {
    const { topic, consumer, objects, dead } = await setUp({ deadLetter: { 'max.message.bytes': '1000' } });
    await publish(cluster, topic, [{ value: '1' }, { value: `bad ${'x'.repeat(2_500)}` }, { value: '2' }]);
    await assert.rejects(consumer().pull(), failsWith('DEAD_LETTER_FAILED'));
    assert.deepEqual(await dead(), []);
    await administer(cluster, (admin) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: kafka.ConfigResourceTypes.TOPIC,
            name: `${topic}.dead-letter`,
            configEntries: [{ name: 'max.message.bytes', value: '1000000' }],
          },
        ],
      }),
    );
    const answer = await consumer().pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [2, 1]);
    assert.equal((await dead()).length, 1);
    assertContiguous(await objects(), 0, 3);
  });
});

describe('a store that is set up wrongly stops the call, says what to do and loses nothing', () => {
  const { accessKey } = bucket.sink();
  const wrong: [string, Partial<S3SinkOptions>, RegExp][] = [
    [
      'an unknown key',
      { accessKey: { ...accessKey, id: 'AKNOBODY' } as S3SinkOptions['accessKey'] },
      /403 InvalidAccessKeyId.*CONSUME_SINK_AWS_ACCESS_KEY_ID/,
    ],
    [
      'a wrong secret',
      { accessKey: { ...accessKey, secret: new Secret('not-it') } as S3SinkOptions['accessKey'] },
      /403 SignatureDoesNotMatch.*CONSUME_SINK_AWS_SECRET_ACCESS_KEY/,
    ],
    ['a missing bucket', { bucket: 'nowhere' }, /404 NoSuchBucket.*create the bucket/],
  ];
  for (const [what, s3, message] of wrong) {
    test(what, async () => {
      const { topic, consumer, objects } = await setUp();
      await publish(cluster, topic, [...numbered(3), { key: 'k', value: 'not JSON' }]);
      const { pull, log } = consumer({ s3 });
      await assert.rejects(pull(), (error: Error) => {
        assert.match(error.message, message);
        return failsWith('SINK_FAILED')(error);
      });
      assert.deepEqual(await objects(), []);
      const told = JSON.stringify(log.lines);
      assert.ok(!told.includes(bucket.server.secretAccessKey) && !told.includes(bucket.server.accessKeyId));
      const answer = await consumer().pull();
      assert.deepEqual([answer.processed, answer.deadLettered], [3, 1]);
      assertContiguous(await objects(), 0, 4);
    });
  }

  test('no key, and none of the platform: CONFIG_INVALID', async () => {
    const { topic, consumer } = await setUp();
    await publish(cluster, topic, numbered(3));
    await assert.rejects(consumer({ s3: { accessKey: undefined } }).pull(), failsWith('CONFIG_INVALID'));
  });

  test("the platform's temporary key, of each call anew", async () => {
    const { topic, consumer, objects } = await setUp();
    const { accessKeyId, secretAccessKey } = bucket.server;
    const temporary = (secret: string) => (name: string) =>
      ({ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: 'token' })[name];
    const { consumer: instance } = consumer({ s3: { accessKey: undefined } });
    const reading = { ...pullDefaults, groupId: `${topic}-g`, topics: [topic] };
    const pull = (secret: string) =>
      instance.pull({}, reading, Date.now() + 15_000, { environment: temporary(secret) });
    await publish(cluster, topic, numbered(3));
    await assert.rejects(pull('expired'), failsWith('SINK_FAILED'));
    assert.equal((await pull(secretAccessKey)).processed, 3);
    assertContiguous(await objects(), 0, 3);
  });

  test('a push is refused', async () => {
    const { topic, consumer } = await setUp();
    const record = { topic, key: null, value: Buffer.from('1'), headers: [] };
    const push = consumer().consumer.push([record], { isRedelivered: false, deadline: Date.now() + 5_000 });
    await assert.rejects(push, failsWith('CONFIG_INVALID'));
  });
});
