import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import type { ConsumeConfig } from '../../functions/consume-batch/config.ts';
import { Secret } from '../../src/secret.ts';
import { newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { committedOffsets } from '../support/group.ts';
import { type Post, type Reply, startReceiver } from '../support/http.ts';
import { numbered, publish, readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

type Messages = Parameters<typeof publish>[2];

async function setUp(
  reply: (post: Post, number: number) => Reply,
  messages: Messages = numbered(10),
  options: Partial<ConsumeConfig> = {},
) {
  const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });
  await publish(cluster, topic, messages);
  const receiver = await startReceiver(reply);
  const url = `${receiver.url}?token=t0ps3cret`;
  const headers = { Authorization: new Secret('Bearer t0ps3cret') };
  const made = newConsumer(cluster, topic, {
    sink: { name: 'http', url, headers, format: 'json' },
    ...options,
  });
  return {
    ...made,
    ...receiver,
    topic,
    committed: async () => (await committedOffsets(cluster, topic)).get(0),
    dead: () => readTopic(cluster, `${topic}.dead-letter`),
    offsets: () => receiver.posts.map(({ records }) => records.map(({ offset }) => offset)),
  };
}

const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const ok: Reply = { status: 200 };

describe('the http sink', () => {
  test('posts batches with coordinates, its headers, and a key of idempotency', async () => {
    const { pull, posts, topic, committed } = await setUp(
      () => ok,
      [
        {
          key: 'k',
          value: '{"a": 1.10, "big": 12345678901234567890}',
          headers: { h: Buffer.from([255]) },
          timestamp: '1700000000000',
        },
        { key: '"quoted"', value: null, timestamp: '1700000000001' },
        { key: null, value: '"text"', timestamp: '1700000000002' },
      ],
    );
    assert.equal((await pull()).processed, 3);
    const [post, ...rest] = posts;
    assert.equal(rest.length, 0);
    // The record's own JSON text: big numbers and 1.10 as they were published.
    assert.equal(
      post?.text,
      `{"records":[${[
        `{"topic":"${topic}","partition":0,"offset":0,"timestamp":1700000000000,"keyText":"k","value":{"a": 1.10, "big": 12345678901234567890},"headers":[{"key":"h","value":"/w=="}]}`,
        `{"topic":"${topic}","partition":0,"offset":1,"timestamp":1700000000001,"key":"quoted","headers":[]}`,
        `{"topic":"${topic}","partition":0,"offset":2,"timestamp":1700000000002,"value":"text","headers":[]}`,
      ].join(',')}]}`,
    );
    assert.equal(post?.headers['idempotency-key'], `${topic}-0-0-2`);
    assert.equal(post?.headers['content-type'], 'application/json');
    assert.equal(post?.headers.authorization, 'Bearer t0ps3cret');
    assert.equal(await committed(), 3);
  });

  test('CONSUME_SINK_FORMAT sends text or base64', async () => {
    for (const [format, key, value] of [
      ['text', 'k', 'no {json'],
      ['base64', 'aw==', 'bm8ge2pzb24='],
    ] as const) {
      const { sink, posts } = await startReceiver();
      const { pull } = await setUp(() => ok, [{ key: 'k', value: 'no {json' }], {
        sink: { ...sink, format },
      });
      await pull();
      assert.deepEqual([posts[0]?.records[0]?.key, posts[0]?.records[0]?.value], [key, value]);
    }
  });

  test('json: a value that is not JSON is poison, and the others go their way', async () => {
    const messages = [
      ...numbered(2),
      { key: 'x', value: 'no json' },
      { key: 'y', value: Buffer.from([34, 255, 34]) },
    ];
    const { pull, offsets, dead, committed } = await setUp(() => ok, [...messages, ...numbered(1)]);
    const answer = await pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [3, 2]);
    assert.deepEqual(offsets(), [[0, 1, 4]]);
    assert.deepEqual(
      (await dead()).map(({ value }) => value),
      [Buffer.from('no json'), Buffer.from([34, 255, 34])],
    );
    assert.equal(await committed(), 5);
  });

  test('large pulls are split and use one connection a lane', async () => {
    const { pull, posts, connections } = await setUp(() => ok, numbered(1_200));
    assert.equal((await pull()).processed, 1_200);
    assert.ok(posts.every(({ records }) => records.length <= 500));
    assert.equal(connections.size, 1);
  });

  for (const status of [400, 409, 422]) {
    test(`${status}: every record of the batch is a dead letter`, async () => {
      const { pull, dead, posts, committed } = await setUp(() => ({ status }));
      assert.equal((await pull()).deadLettered, 10);
      assert.deepEqual([posts.length, (await dead()).length, await committed()], [1, 10, 10]);
    });
  }

  for (const failure of [
    { status: 408 },
    { status: 429 },
    { status: 500 },
    { status: 503 },
    { status: 425 },
    'reset',
  ] as const) {
    const name = typeof failure === 'string' ? failure : failure.status;
    test(`${name}, twice: tried again with the same key of idempotency`, async () => {
      const { pull, posts, offsets } = await setUp((_post, count) => (count <= 2 ? failure : ok));
      assert.equal((await pull()).processed, 10);
      assert.deepEqual(offsets(), [all, all, all]);
      assert.equal(new Set(posts.map(({ headers }) => headers['idempotency-key'])).size, 1);
    });
  }

  test('503 for good: the pull ends, nothing is committed, nothing is a dead letter', async () => {
    const { pull, dead, committed, posts } = await setUp(() => ({ status: 503 }));
    await assert.rejects(pull(), failsWith('SINK_FAILED'));
    assert.deepEqual([await committed(), await dead(), posts.length], [-1, [], 3]);
  });

  test('a receiver that hangs: the pull ends in time', async () => {
    const { pull, committed } = await setUp(() => 'hang');
    const deadline = Date.now() + 2_000;
    await assert.rejects(pull({}, {}, 2_000), failsWith('SINK_FAILED'));
    assert.ok(Date.now() <= deadline, 'the contract: by the deadline');
    assert.equal(await committed(), -1);
  });

  test('a receiver that is not there fails the pull', async () => {
    const { pull } = await setUp(() => ok, numbered(1), {
      sink: { name: 'http', url: 'http://127.0.0.1:9/', headers: {}, format: 'json' },
    });
    await assert.rejects(pull(), failsWith('SINK_FAILED'));
  });

  test('records that a 200 names as failed are tried again, by themselves, and then dead letters', async () => {
    const { pull, offsets, dead, posts, topic } = await setUp(({ records }) => ({
      status: 200,
      body: { failures: records.flatMap(({ offset }, index) => ([3, 4, 7].includes(offset) ? [index] : [])) },
    }));
    const answer = await pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [7, 3]);
    // Runs without gaps: a key of idempotency never stands for two different contents.
    assert.deepEqual(offsets(), [all, [3, 4], [7], [3, 4], [7]]);
    assert.equal(posts[1]?.headers['idempotency-key'], `${topic}-0-3-4`);
    assert.deepEqual(
      (await dead()).map(({ value }) => String(value)),
      ['{"n":3}', '{"n":4}', '{"n":7}'],
    );
  });

  test('records that a 422 names as failed are dead letters at once, the others are done', async () => {
    const { pull, posts, dead } = await setUp(() => ({ status: 422, body: { failures: [0, 9] } }));
    const answer = await pull();
    assert.deepEqual([answer.processed, answer.deadLettered, posts.length], [8, 2, 1]);
    assert.equal((await dead()).length, 2);
  });

  for (const failures of [[10], [-1], ['0'], [1.5]]) {
    test(`an answer that names ${JSON.stringify(failures)} fails the pull`, async () => {
      const { pull, committed } = await setUp(() => ({ status: 200, body: { failures } }));
      await assert.rejects(pull(), failsWith('SINK_FAILED'));
      assert.equal(await committed(), -1);
    });
  }

  test('no secret stands in a log line, an error or a dead letter', async () => {
    const { pull, log, dead, topic } = await setUp(
      ({ records }) => ({ status: records.length > 1 ? 400 : 503 }),
      numbered(3),
    );
    await pull();
    await publish(cluster, topic, numbered(1));
    const error = await pull().catch((thrown: unknown) => thrown);
    const text =
      inspect([log.lines, error], { depth: 20 }) +
      JSON.stringify(
        await dead().then((letters) => letters.map(({ headers }) => Object.values(headers).map(String))),
      );
    assert.match(text, /the sink answered 503/);
    assert.doesNotMatch(text, /t0ps3cret/);
  });

  test('a call whose shares of time are fractions of a millisecond works', async () => {
    const { consumer, pull, posts, topic } = await setUp(() => ok, numbered(1));
    assert.equal((await pull({}, {}, 3_000.3)).processed, 1);
    const records = [{ topic, key: null, value: Buffer.from('2'), headers: [] }];
    const pushed = await consumer.push(records, { isRedelivered: false, deadline: Date.now() + 3_000.3 });
    assert.deepEqual(pushed.failures, []);
    assert.equal(posts.length, 2);
  });

  test('pushed records without offsets have no key of idempotency', async () => {
    const { consumer, posts } = await setUp(() => ok, []);
    const records = [{ topic: 't', key: null, value: Buffer.from('1'), headers: [] }];
    const { failures } = await consumer.push(records, { isRedelivered: false, deadline: Date.now() + 5_000 });
    assert.deepEqual(failures, []);
    assert.equal(posts[0]?.headers['idempotency-key'], undefined);
    assert.equal(posts[0]?.text, '{"records":[{"topic":"t","value":1,"headers":[]}]}');
  });
});
