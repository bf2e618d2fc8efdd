/** What a pull leaves behind when it ends between its intent and the commit, and what the next one makes of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PermanentError } from '../../../functions/consume-batch/records/record-failure.ts';
import { until } from '../../../local/kafka/readiness.ts';
import { failsWith } from '../../support/errors.ts';
import { type StoreFault, startStoreProxy } from '../../support/faults/store-proxy.ts';
import { commitOffset } from '../../support/group.ts';
import { administer, numbered, publish, readTopic, upTo } from '../../support/records.ts';
import { assertContiguous, bucketForTests } from '../../support/s3.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';
import { numbersIn, type Options, topicAndBucket, transforming } from './setup.ts';

const cluster = await sharedCluster();
const bucket = await bucketForTests();
const proxy = await startStoreProxy(bucket.server);
const refused: StoreFault = { status: 403, code: 'AccessDenied' };
const dropping = (isDropped: (n: number) => boolean) =>
  transforming((record, n) => (isDropped(n) ? undefined : record));
const isThird = (n: number) => n % 3 === 0;

/** A pull whose intent to write some records stands, but whose PUT comes to this. */
async function afterIntent(
  options: Options & { records?: number; fault?: StoreFault; config?: Record<string, string> } = {},
) {
  const { records = 10, fault = refused, config = {}, ...first } = options;
  const found = await topicAndBucket(cluster, bucket, { config });
  await publish(cluster, found.topic, numbered(records));
  proxy.onRequest = ({ method }) => (method === 'PUT' ? fault : 'pass');
  const { pull } = found.consumer({ ...first, s3: { endpoint: proxy.url, ...first.s3 } });
  await assert.rejects(pull({}, {}, 4_000), failsWith('SINK_FAILED'));
  proxy.onRequest = () => 'pass';
  const { offset, metadata } = await found.committed();
  assert.equal(offset, 0);
  assert.match(metadata, /intent/);
  assert.ok(Buffer.byteLength(metadata) <= 4_000);
  return found;
}

const deleteUpTo = (topic: string, offset: string) =>
  administer(cluster, async (admin) => {
    // Else it would not know the leader.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
  });

describe('an intent that was left behind', () => {
  test('its object is made as announced, whatever came since', async () => {
    const { topic, consumer, objects, committed } = await afterIntent();
    await publish(cluster, topic, numbered(5, 10));
    const answer = await consumer().pull();
    assert.deepEqual([answer.processed, answer.more], [15, false]);
    const found = await objects();
    assertContiguous(found, 0, 15);
    assert.deepEqual(
      found.map(({ lines }) => numbersIn(lines)),
      [upTo(10), upTo(15).slice(10)],
    );
    const { offset, metadata } = await committed();
    assert.equal(offset, 15);
    assert.doesNotMatch(metadata, /intent/);
  });

  test('a smaller budget still finishes it', async () => {
    const { consumer, objects } = await afterIntent({ records: 500 });
    await consumer().pull({ maxRecords: 1 });
    assertContiguous(await objects(), 0, 500);
  });

  test('an object that is there is not written again', async () => {
    const { consumer, objects, committed } = await afterIntent({ fault: 'no answer' });
    const [before] = await objects();
    assert.equal(before?.to, 10);
    proxy.requests.length = 0;
    const { pull } = consumer({ s3: { endpoint: proxy.url } });
    assert.equal((await pull()).processed, 10);
    assert.deepEqual(
      proxy.requests.map(({ method }) => method),
      ['HEAD'],
    );
    assert.equal((await committed()).offset, 10);
    assertContiguous(await objects(), 0, 10);
  });

  test('a store that does not let the key look: the object is written again', async () => {
    const { consumer, objects } = await afterIntent({ fault: 'no answer' });
    const [before] = await objects();
    proxy.onRequest = ({ method }) => (method === 'HEAD' ? { status: 403 } : 'pass');
    assert.equal((await consumer({ s3: { endpoint: proxy.url } }).pull()).processed, 10);
    const found = await objects();
    assertContiguous(found, 0, 10);
    assert.deepEqual(found[0]?.bytes, before?.bytes);
  });

  test('the next build has another compression, other fields and names: the old ones are used once more', async () => {
    const { topic, consumer, objects } = await afterIntent();
    await publish(cluster, topic, numbered(2, 10));
    const s3 = {
      compression: 'none',
      fields: ['value', 'offset'],
      template: '{topic}/{partition}/new-{start_offset}',
    } as const;
    assert.equal((await consumer({ s3: { ...s3, fields: [...s3.fields] } }).pull()).processed, 12);
    const found = await objects();
    assert.deepEqual(
      found.map(({ name }) => name.slice(topic.length)),
      ['/0/00000000000000000000.jsonl.gz', '/0/new-00000000000000000010.jsonl'],
    );
    assertContiguous(found, 0, 12);
    assert.equal(found[0]?.lines[3], '{"n":3}');
    assert.equal(found[1]?.lines[0], '{"value":{"n":10},"offset":10}');
  });

  test('a transform that now keeps what it dropped: it stays left out', async () => {
    const { consumer, objects } = await afterIntent({ pipeline: dropping(isThird) });
    await consumer().pull();
    const [object] = await objects();
    assert.deepEqual(
      numbersIn(object?.lines ?? []),
      upTo(10).filter((n) => !isThird(n)),
    );
  });

  test('a transform that now writes something else: the range and its records are the same', async () => {
    const { consumer, objects } = await afterIntent();
    const pipeline = transforming((record, n) => ({ ...record, value: Buffer.from(`{"n":${n},"v":2}`) }));
    await consumer({ pipeline }).pull();
    const [object] = await objects();
    assert.deepEqual(numbersIn(object?.lines ?? []), upTo(10));
    assert.equal(object?.lines[0], '{"n":0,"v":2}');
  });

  for (const [what, pipeline, message] of [
    ['drops', dropping((n) => n === 4), /-0@4 belongs to object .*drops it now/],
    [
      'refuses',
      transforming((record, n) => {
        if (n === 4) throw new PermanentError('no four');
        return record;
      }),
      /-0@4 belongs to object .*fails now: no four/,
    ],
  ] as const) {
    test(`a transform that now ${what} what it kept: SINK_FAILED with the offset, until it is repaired`, async () => {
      const { consumer, objects, committed, dead } = await afterIntent();
      await assert.rejects(consumer({ pipeline }).pull(), (error: Error) => {
        assert.match(error.message, message);
        return failsWith('SINK_FAILED')(error);
      });
      assert.deepEqual([await objects(), (await committed()).offset], [[], 0]);
      await consumer().pull();
      assertContiguous(await objects(), 0, 10);
      assert.deepEqual(await dead(), []);
    });
  }

  test('dead letters come once, with the commit, even where the record no longer fails', async () => {
    const failing = transforming((record, n) => {
      if (isThird(n)) throw new PermanentError('third');
      return record;
    });
    for (const fault of [refused, 'no answer'] as const) {
      const { consumer, objects, dead } = await afterIntent({ pipeline: failing, fault });
      assert.deepEqual(await dead(), []);
      const answer = await consumer().pull();
      assert.deepEqual([answer.processed, answer.deadLettered], [6, 4]);
      assert.deepEqual(
        (await dead()).map(({ value }) => String(value)),
        ['{"n":0}', '{"n":3}', '{"n":6}', '{"n":9}'],
      );
      const [object] = await objects();
      assert.deepEqual(numbersIn(object?.lines ?? []), [1, 2, 4, 5, 7, 8]);
    }
  });

  test('an old offset is committed once more, and keeps it', async () => {
    const { topic, consumer, objects, committed } = await afterIntent({ pipeline: dropping(isThird) });
    const { metadata } = await committed();
    const old = metadata.replace(/"committedAt":"[^"]*"/, '"committedAt":"2020-01-01T00:00:00.000Z"');
    assert.notEqual(old, metadata);
    await commitOffset(cluster, `${topic}-g`, { topic, partition: 0, offset: 0, metadata: old });
    const bad = { endpoint: proxy.url };
    proxy.onRequest = () => ({ status: 403, code: 'AccessDenied' });
    await assert.rejects(consumer({ s3: bad }).pull(), failsWith('SINK_FAILED'));
    const renewed = (await committed()).metadata;
    assert.doesNotMatch(renewed, /2020/);
    assert.equal(JSON.parse(renewed).intent, JSON.parse(metadata).intent);
    await consumer().pull();
    const [object] = await objects();
    assert.deepEqual(
      numbersIn(object?.lines ?? []),
      upTo(10).filter((n) => !isThird(n)),
    );
  });

  test('compaction that cut into the range: SINK_FAILED that names the record', async () => {
    const config = {
      ...{ 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.01' },
      ...{ 'segment.ms': '1', 'max.compaction.lag.ms': '1' },
    };
    const { topic, consumer, objects } = await afterIntent({ config });
    // The later ones, each in a segment of its own, take the keys of the first.
    const gone = async () => {
      await publish(cluster, topic, numbered(1));
      return (await readTopic(cluster, topic))[0]?.offset !== 0;
    };
    await until([], 'the cleaner', gone);
    await assert.rejects(consumer().pull(), (error: Error) => {
      assert.match(error.message, /record 0 is gone/);
      return failsWith('SINK_FAILED')(error);
    });
    assert.deepEqual(await objects(), []);
  });

  test('1,000 exclusions are kept', async () => {
    const isDropped = (n: number) => (n * 2_654_435_761) % 5 === 0;
    const { consumer, objects } = await afterIntent({ records: 5_000, pipeline: dropping(isDropped) });
    await consumer().pull();
    const [object] = await objects();
    assert.deepEqual(
      numbersIn(object?.lines ?? []),
      upTo(5_000).filter((n) => !isDropped(n)),
    );
  });

  test('retention that cut into the range: SINK_FAILED that names it, until the offset is set', async () => {
    const { topic, consumer, objects } = await afterIntent();
    await deleteUpTo(topic, '4');
    await assert.rejects(consumer().pull(), (error: Error) => {
      assert.match(error.message, /offsets 0 to 9 of .*record 0 is gone.*begins at 4 now/);
      assert.match(
        error.message,
        new RegExp(`--group ${topic}-g --topic ${topic}:0 --to-offset 4 --execute`),
      );
      return failsWith('SINK_FAILED')(error);
    });
    assert.deepEqual(await objects(), []);
    await administer(cluster, (admin) =>
      admin.setOffsets({ groupId: `${topic}-g`, topic, partitions: [{ partition: 0, offset: '4' }] }),
    );
    assert.equal((await consumer().pull()).processed, 6);
    assertContiguous(await objects(), 4, 10);
  });

  test('retention behind an object that is there changes nothing', async () => {
    const { topic, consumer, objects } = await afterIntent({ fault: 'no answer' });
    await deleteUpTo(topic, '10');
    assert.equal((await consumer().pull()).processed, 10);
    assertContiguous(await objects(), 0, 10);
  });

  test('a description that this build can not read stops the partition', async () => {
    const { topic, consumer, committed } = await afterIntent();
    const { metadata } = await committed();
    const later = metadata.replace('{\\"v\\":1', '{\\"v\\":2');
    assert.notEqual(later, metadata);
    await commitOffset(cluster, `${topic}-g`, { topic, partition: 0, offset: 0, metadata: later });
    await assert.rejects(consumer().pull(), failsWith('SINK_FAILED'));
    assert.equal((await committed()).offset, 0);
  });
});

describe('a store that is in trouble', () => {
  const storms: [string, StoreFault, number][] = [
    ['a storm of 503', { status: 503, code: 'SlowDown' }, 3],
    ['a storm of 429', { status: 429 }, 3],
    ['a 500', { status: 500, code: 'InternalError' }, 1],
    ['a PUT cut off in its middle', 'half', 1],
    ['an answer that is lost', 'no answer', 1],
  ];
  for (const [what, fault, count] of storms) {
    test(`${what}: the PUT is repeated, each record once`, async () => {
      const { topic, consumer, objects } = await topicAndBucket(cluster, bucket);
      await publish(cluster, topic, numbered(10));
      let faults = 0;
      proxy.onRequest = () => (faults++ < count ? fault : 'pass');
      const answer = await consumer({ s3: { endpoint: proxy.url } }).pull({}, {}, 6_000);
      assert.deepEqual([answer.processed, faults], [10, count + 1]);
      assertContiguous(await objects(), 0, 10);
    });
  }

  test('a store whose name is unknown: the message has the reason and what to look at, not the name', async () => {
    const { topic, consumer } = await topicAndBucket(cluster, bucket);
    await publish(cluster, topic, numbered(1));
    const { pull, log } = consumer({ s3: { endpoint: 'https://store.invalid', pathStyle: false } });
    await assert.rejects(pull({}, {}, 3_000), (error: Error) => {
      assert.match(error.message, /(ENOTFOUND|EAI_AGAIN).*CONSUME_SINK_URL/);
      return failsWith('SINK_FAILED')(error);
    });
    assert.doesNotMatch(JSON.stringify(log.lines), /store\.invalid/);
  });

  test('a store that stays away: SINK_FAILED in time, and the records wait', async () => {
    const { topic, consumer, objects } = await topicAndBucket(cluster, bucket);
    await publish(cluster, topic, numbered(10));
    const startedAt = Date.now();
    await assert.rejects(
      consumer({ s3: { endpoint: 'http://127.0.0.1:1' } }).pull({}, {}, 4_000),
      failsWith('SINK_FAILED'),
    );
    assert.ok(Date.now() - startedAt < 4_500);
    assert.equal((await consumer().pull()).processed, 10);
    assertContiguous(await objects(), 0, 10);
  });
});
