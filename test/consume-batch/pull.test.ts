import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Committer } from '../../functions/consume-batch/pull/committer.ts';
import { TransientError } from '../../functions/consume-batch/records/record-failure.ts';
import { GroupOffsets } from '../../src/kafka/fetch/group-offsets.ts';
import type { ConsumerRecord } from '../../src/record.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { commitOffset, committedOffsets, committedRecords, joinGroup } from '../support/group.ts';
import {
  administer,
  kafkajs,
  numbered,
  numbersOf,
  publish,
  readTopic,
  stableEnds,
} from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

describe('a pull', () => {
  test('handles what waits, in order, and commits behind it; the next one finds what is new', async () => {
    const topic = await newTopic(cluster, { partitions: 3 });
    await publish(cluster, topic, numbered(600));
    const { pull, handled } = newConsumer(cluster, topic);
    const answer = await pull();
    assert.deepEqual(
      numbersOf(handled),
      numbered(600).map((_, index) => index),
    );
    const offsets = await committedOffsets(cluster, topic);
    for (const part of answer.partitions) {
      const own = handled.filter(({ partition }) => partition === part.partition);
      assert.deepEqual(
        own.map(({ offset }) => offset),
        own.map((_, index) => index),
      );
      assert.deepEqual(part, {
        ...{ topic, partition: part.partition },
        ...{ from: 0, to: own.length, end: own.length, lag: 0 },
      });
      assert.equal(offsets.get(part.partition), own.length);
    }
    const { ms, partitions, ...rest } = answer;
    assert.equal(partitions.length, 3);
    assert.deepEqual(rest, { mode: 'pull', processed: 600, failed: 0, deadLettered: 0, more: false });
    assert.ok(ms >= 0);

    const nothing = await pull();
    assert.deepEqual([nothing.processed, nothing.more], [0, false]);
    assert.deepEqual(
      nothing.partitions.map(({ from, to }) => to - from),
      [0, 0, 0],
    );

    await publish(cluster, topic, numbered(10, 600));
    assert.equal((await pull()).processed, 10);
    assert.equal(handled.length, 610);
  });

  test('brings keys, values, headers, timestamps, tombstones and empty values byte for byte', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const bytes = Buffer.from([0, 255, 128, 10]);
    await publish(cluster, topic, [
      { key: bytes, value: bytes, headers: { a: bytes, b: ['x', 'y'] }, timestamp: '1700000000123' },
      { key: null, value: null, timestamp: '1700000000001' },
      { key: '', value: '', timestamp: '1650000000000' },
    ]);
    const { pull, handled } = newConsumer(cluster, topic);
    await pull();
    const at = { topic, partition: 0 };
    assert.deepEqual(handled, [
      {
        ...{ ...at, offset: 0, timestamp: 1700000000123, key: bytes, value: bytes },
        headers: [
          { key: 'a', value: bytes },
          { key: 'b', value: Buffer.from('x') },
          { key: 'b', value: Buffer.from('y') },
        ],
      },
      { ...at, offset: 1, timestamp: 1700000000001, key: null, value: null, headers: [] },
      {
        ...{ ...at, offset: 2, timestamp: 1650000000000 },
        ...{ key: Buffer.alloc(0), value: Buffer.alloc(0), headers: [] },
      },
    ]);
  });

  test('keeps to CONSUME_MAX_RECORDS and CONSUME_MAX_BYTES, and says that there is more', async () => {
    const topic = await newTopic(cluster, { partitions: 2 });
    const value = JSON.stringify({ n: 1, pad: 'x'.repeat(1_000) });
    await publish(
      cluster,
      topic,
      Array.from({ length: 3_000 }, (_, index) => ({ key: `${index}`, value })),
    );
    const { pull, handled } = newConsumer(cluster, topic);
    const few = await pull({}, { maxRecords: 250 });
    assert.deepEqual([few.processed, handled.length, few.more], [250, 250, true]);
    assert.equal(
      few.partitions.reduce((sum, { lag }) => sum + lag, 0),
      2_750,
    );
    const narrowed = await pull({ maxRecords: 10 });
    assert.equal(narrowed.processed, 10);
    const small = await pull({}, { maxBytes: 200_000 });
    // Each partition may have taken a batch's last record over the limit.
    assert.ok(small.processed >= 190 && small.processed <= 202, `${small.processed}`);
    assert.equal(small.more, true);
    const rest = await pull();
    assert.deepEqual([rest.processed, rest.more], [3_000 - 260 - small.processed, false]);
  });

  test('may be narrowed to topics and partitions, and to no others', async () => {
    const [one, two] = [
      await newTopic(cluster, { partitions: 2 }),
      await newTopic(cluster, { partitions: 2 }),
    ];
    for (const topic of [one, two]) await publish(cluster, topic, numbered(20));
    const { pull } = newConsumer(cluster, { groupId: `${one}-g`, topics: [one, two] });
    const part = await pull({ topics: [two], partitions: [1] });
    assert.deepEqual(
      part.partitions.map(({ topic, partition }) => [topic, partition]),
      [[two, 1]],
    );
    assert.equal((await pull()).processed, 40 - part.processed);
    await assert.rejects(pull({ topics: ['other'] }), failsWith('MALFORMED_REQUEST'));
    await assert.rejects(pull({ partitions: [2] }), failsWith('UNKNOWN_PARTITION'));
  });

  test('finds partitions that were added', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const { pull } = newConsumer(cluster, topic);
    assert.equal((await pull()).partitions.length, 1);
    const admin = kafkajs(cluster).admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    // The broker tells of them a moment later, and leads them another moment later.
    while ((await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions.length !== 3)
      await wait(20);
    const isLed = () =>
      admin.fetchTopicOffsets(topic).then(
        () => true,
        () => false,
      );
    while (!(await isLed())) await wait(20);
    await admin.disconnect();
    await publish(cluster, topic, numbered(30));
    const answer = await pull();
    assert.deepEqual([answer.partitions.length, answer.processed], [3, 30]);
  });

  test('a topic that does not exist is named', async () => {
    const { pull } = newConsumer(cluster, { groupId: 'g', topics: ['no-such-topic'] });
    await assert.rejects(pull(), failsWith('UNKNOWN_TOPIC'));
  });

  test('a handler that needs longer than there is time leaves the rest for the next pull', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    await publish(cluster, topic, numbered(50));
    const { pull, handled } = newConsumer(cluster, topic, { handle: () => wait(100).then(() => {}) });
    const answer = await pull({}, {}, 2_000);
    assert.ok(answer.processed > 3 && answer.processed < 25, `${answer.processed}`);
    assert.deepEqual([answer.more, answer.partitions[0]?.to], [true, answer.processed]);
    assert.equal((await committedOffsets(cluster, topic)).get(0), answer.processed);
    const fast = newConsumer(cluster, topic);
    assert.equal((await fast.pull()).processed, 50 - handled.length);
  });
});

describe('KAFKA_AUTO_OFFSET_RESET', () => {
  test('latest, with nothing committed, commits the end at once', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    await publish(cluster, topic, numbered(5));
    const latest = { autoOffsetReset: 'latest' } as const;
    const { pull } = newConsumer(cluster, topic);
    const answer = await pull({}, latest);
    assert.deepEqual(answer.partitions, [{ topic, partition: 0, from: 5, to: 5, end: 5, lag: 0 }]);
    assert.equal((await committedOffsets(cluster, topic)).get(0), 5);
    await publish(cluster, topic, numbered(2));
    assert.equal((await pull({}, latest)).processed, 2);
  });

  test('none, with nothing committed, fails with OFFSET_OUT_OF_RANGE', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const { pull } = newConsumer(cluster, topic);
    await assert.rejects(pull({}, { autoOffsetReset: 'none' }), failsWith('OFFSET_OUT_OF_RANGE'));
  });

  for (const [reset, processed] of [
    ['earliest', 2],
    ['latest', 0],
  ] as const) {
    test(`${reset}: what retention has deleted is reported, and the pull goes on`, async () => {
      const { topic } = await outOfRange({ committed: 3, deletedUpTo: 8, length: 10 });
      const { pull, log } = newConsumer(cluster, topic);
      const answer = await pull({}, { autoOffsetReset: reset });
      assert.deepEqual([answer.processed, answer.partitions[0]?.to], [processed, 10]);
      const line = log.lines.find(({ level }) => level === 'error');
      assert.deepEqual(
        [line?.message, line?.fields?.lost, line?.fields?.committed, line?.fields?.logStart],
        ['the committed offset is out of range', 5, 3, 8],
      );
      assert.equal((await committedOffsets(cluster, topic)).get(0), 10);
    });
  }

  test('none: what retention has deleted fails the pull, and nothing is committed', async () => {
    const { topic } = await outOfRange({ committed: 3, deletedUpTo: 8, length: 10 });
    const { pull, handled } = newConsumer(cluster, topic);
    await assert.rejects(pull({}, { autoOffsetReset: 'none' }), failsWith('OFFSET_OUT_OF_RANGE'));
    assert.equal(handled.length, 0);
    assert.equal((await committedOffsets(cluster, topic)).get(0), 3);
  });

  test('an offset beyond the end, as of a topic made anew, is out of range', async () => {
    const { topic } = await outOfRange({ committed: 30, deletedUpTo: 0, length: 10 });
    const { pull } = newConsumer(cluster, topic);
    await assert.rejects(pull({}, { autoOffsetReset: 'none' }), failsWith('OFFSET_OUT_OF_RANGE'));
    assert.equal((await pull()).processed, 10);
  });

  async function outOfRange({
    committed,
    deletedUpTo,
    length,
  }: Record<'committed' | 'deletedUpTo' | 'length', number>) {
    const topic = await newTopic(cluster, { partitions: 1 });
    const groupId = `${topic}-g`;
    await publish(cluster, topic, numbered(length));
    await commitOffset(cluster, groupId, { topic, partition: 0, offset: committed });
    if (deletedUpTo > 0) {
      await administer(cluster, async (admin) => {
        // Else it would not know the leader.
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: `${deletedUpTo}` }] });
      });
    }
    return { topic, groupId };
  }
});

describe('transactions in the topic', () => {
  test('read_committed skips aborted records and markers, and stops before an open transaction', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const producer = kafkajs(cluster).producer({ transactionalId: `${topic}-tx`, maxInFlightRequests: 1 });
    await producer.connect();
    const send = async (from: number, end: 'commit' | 'abort' | 'open') => {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: numbered(3, from) });
      if (end !== 'open') await transaction[end]();
      return transaction;
    };
    await send(0, 'commit');
    await send(100, 'abort');
    await send(3, 'commit');
    await send(200, 'abort');
    await publish(cluster, topic, numbered(2, 6));
    const open = await send(8, 'open');
    await publish(cluster, topic, numbered(1, 11));

    const { pull, handled } = newConsumer(cluster, topic);
    const answer = await pull();
    assert.deepEqual(numbersOf(handled), [0, 1, 2, 3, 4, 5, 6, 7]);
    // Four markers stand among them; the end is the last stable offset.
    assert.deepEqual(answer.partitions, [{ topic, partition: 0, from: 0, to: 18, end: 18, lag: 0 }]);
    assert.equal(answer.more, false);

    await open.commit();
    await stableEnds(cluster, topic);
    await pull();
    assert.deepEqual(numbersOf(handled), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    await producer.disconnect();

    const uncommitted = newConsumer(cluster, { groupId: `${topic}-u`, topics: [topic] });
    await uncommitted.pull({}, { isolationLevel: 'read_uncommitted' });
    assert.equal(uncommitted.handled.length, 18);
  });

  test('a topic that ends with aborted records is drained to its end', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const producer = kafkajs(cluster).producer({ transactionalId: `${topic}-tx`, maxInFlightRequests: 1 });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: numbered(3) });
    await transaction.abort();
    await producer.disconnect();
    await stableEnds(cluster, topic);
    const { pull, handled } = newConsumer(cluster, topic);
    const answer = await pull();
    assert.deepEqual([handled.length, answer.partitions[0]?.to, answer.more], [0, 4, false]);
  });
});

test('a compacted topic: what is gone is stepped over, what is left comes', async () => {
  const config = { 'cleanup.policy': 'compact', 'segment.ms': '200', 'min.cleanable.dirty.ratio': '0.01' };
  const topic = await newTopic(cluster, { partitions: 1, config });
  const same = (n: number) => ({ key: `k${n % 5}`, value: `{"n":${n}}` });
  const producer = kafkajs(cluster).producer();
  await producer.connect();
  // Batches of their own, so that some are emptied and some lose their first or last records.
  for (let n = 0; n < 40; n += 4) {
    await producer.send({ topic, messages: [same(n), same(n + 1), same(n + 2), same(n + 3)] });
  }
  let left = 40;
  for (let waited = 0; left > 20 && waited < 20_000; waited += 250) {
    await wait(250);
    // A new record rolls the segment that the cleaner must not touch.
    await producer.send({ topic, messages: [{ key: 'last', value: '{"n":-1}' }] });
    left = (await readTopic(cluster, topic)).filter(({ key }) => key?.toString() !== 'last').length;
  }
  await producer.disconnect();
  assert.ok(left <= 20, `the cleaner left ${left} records`);
  const { pull, handled } = newConsumer(cluster, topic);
  const answer = await pull();
  const seen = handled.filter(({ key }) => key?.toString() !== 'last').map(({ value }) => String(value));
  assert.deepEqual(
    seen.slice(-5),
    [35, 36, 37, 38, 39].map((n) => `{"n":${n}}`),
  );
  assert.deepEqual([answer.more, answer.partitions[0]?.lag], [false, 0]);
});

test('a commit that is refused for one partition holds for the others', async () => {
  const topic = await newTopic(cluster, { partitions: 1 });
  const { connection, log } = newConsumer(cluster, topic);
  const group = new GroupOffsets(connection, `${topic}-g`, log);
  const committer = new Committer(group, { deadline: Date.now() + 10_000, log });
  await Promise.all([
    assert.rejects(committer.commit({ topic, partition: 7, offset: 1 }), failsWith('UNKNOWN_PARTITION')),
    committer.commit({ topic, partition: 0, offset: 1 }).then((isCommitted) => assert.ok(isCommitted)),
  ]);
  assert.equal((await committedOffsets(cluster, topic)).get(0), 1);
});

test('a partition whose committed offset may not be read does not stop the commits of others', async () => {
  const readable = await newTopic(cluster, { partitions: 1 }, 'restricted-readable');
  const hidden = await newTopic(cluster, { partitions: 1 }, 'hidden');
  const groupId = `${readable}-g`;
  const user = cluster.users.restricted;
  const connection = connectionConfigFor(cluster, { user });
  const { connection: restricted, log } = newConsumer(
    cluster,
    { groupId, topics: [readable] },
    { connection },
  );
  const group = new GroupOffsets(restricted, groupId, log);
  const committer = new Committer(group, { deadline: Date.now() + 10_000, log });
  await Promise.all([
    assert.rejects(
      committer.commit({ topic: hidden, partition: 0, offset: 1 }),
      failsWith('TOPIC_NOT_AUTHORIZED'),
    ),
    committer
      .commit({ topic: readable, partition: 0, offset: 1 })
      .then((isCommitted) => assert.ok(isCommitted)),
  ]);
  assert.equal((await committedOffsets(cluster, readable, groupId)).get(0), 1);
  const strange = new GroupOffsets(restricted, 'somebody-elses', log);
  const asked = strange.committed([{ topic: readable, partition: 0 }], Date.now() + 10_000);
  await assert.rejects(asked, failsWith('TOPIC_NOT_AUTHORIZED'));
});

describe('another consumer in the group', () => {
  test('a live member: the pull says so, handles nothing and commits nothing', async () => {
    const topic = await newTopic(cluster, { partitions: 2 });
    const groupId = `${topic}-g`;
    await publish(cluster, topic, numbered(20));
    const { promise: blocked, release } = gate();
    const member = await joinGroup(cluster, { groupId, topic }, { eachBatch: () => blocked });
    const { pull, handled } = newConsumer(cluster, topic);
    try {
      await assert.rejects(pull(), failsWith('GROUP_ACTIVE'));
      assert.equal(handled.length, 0);
    } finally {
      release();
      await member.disconnect();
    }
    assert.equal((await pull()).more, false);
  });

  test('a member that joins in mid-pull: the broker refuses the commit', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const groupId = `${topic}-g`;
    await publish(cluster, topic, numbered(20));
    const { promise: blocked, release } = gate();
    let member: Awaited<ReturnType<typeof joinGroup>> | undefined;
    const { pull } = newConsumer(cluster, topic, {
      handle: async ({ offset }) => {
        if (offset !== 10) return;
        member = await joinGroup(
          cluster,
          { groupId, topic },
          { autoCommit: false, eachBatch: () => blocked },
        );
      },
    });
    try {
      await assert.rejects(pull(), failsWith('GROUP_ACTIVE'));
    } finally {
      release();
      await member?.disconnect();
    }
    assert.equal((await committedOffsets(cluster, topic)).get(0), -1);
  });

  test('another pull that commits in mid-pull: its offset stays, and nothing is lost', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    await publish(cluster, topic, numbered(20));
    const other = newConsumer(cluster, topic);
    const slow = newConsumer(cluster, topic, {
      handle: async ({ offset }) => void (offset === 10 && (await other.pull({ maxRecords: 15 }))),
    });
    const answer = await slow.pull();
    assert.deepEqual([answer.partitions[0]?.to, answer.more], [0, true]);
    assert.equal((await committedOffsets(cluster, topic)).get(0), 15);
    assert.ok(slow.log.lines.some(({ message }) => message.startsWith('another pull of this group')));
    assert.equal((await slow.pull()).processed, 5);
  });

  test('four pulls at once: nothing is lost', async () => {
    const topic = await newTopic(cluster, { partitions: 6 });
    await publish(cluster, topic, numbered(5_000));
    const pulls = Array.from({ length: 4 }, () => newConsumer(cluster, topic));
    await Promise.all(pulls.map(({ pull }) => pull()));
    await pulls[0]?.pull();
    const seen = new Set(pulls.flatMap(({ handled }) => numbersOf(handled)));
    assert.equal(seen.size, 5_000);
    assert.equal(await committedRecords(cluster, topic), 5_000);
  });
});

describe('large records', () => {
  test('10 MB come whole, and the records around them', async () => {
    const topic = await newTopic(cluster, { partitions: 1, config: { 'max.message.bytes': '11000000' } });
    const large = Buffer.alloc(10_000_000, 'x');
    await publish(cluster, topic, [{ value: 'before' }]);
    await publish(cluster, topic, [{ value: large }]);
    await publish(cluster, topic, [{ value: 'after' }]);
    const { pull, handled } = newConsumer(cluster, topic);
    const answer = await pull({}, { maxBytes: 1_000_000 });
    assert.equal(answer.more, true);
    await pull();
    assert.deepEqual(
      handled.map(({ value }) => value?.length),
      [6, 10_000_000, 5],
    );
    assert.ok(handled[1]?.value?.equals(large));
  });
});

test('partitions that stop leave their room to the others', async () => {
  const topic = await newTopic(cluster, { partitions: 4 });
  const value = 'x'.repeat(1_000_000);
  for (const partition of [0, 1, 2, 3]) {
    for (let n = 0; n < 4; n++) await publish(cluster, topic, [{ value, partition }]);
  }
  const handle = ({ partition }: ConsumerRecord) => {
    if (partition !== 3) throw new TransientError('not today');
  };
  const { pull } = newConsumer(cluster, topic, { retries: 0, handle });
  // Half of it may be read ahead: the first answer to three partitions takes all of that.
  await assert.rejects(pull({}, { maxBytes: 12_000_000 }), failsWith('SINK_FAILED'));
  assert.equal((await committedOffsets(cluster, topic)).get(3), 4);
});

function gate(): { promise: Promise<void>; release: () => void } {
  let release = () => {};
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { promise, release };
}
