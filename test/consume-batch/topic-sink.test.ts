import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ConsumeConfig } from '../../functions/consume-batch/config.ts';
import { aclResources, createAcls } from '../../local/kafka/admin.ts';
import { until } from '../../local/kafka/readiness.ts';
import { ACL_RESOURCES } from '../../local/kafka/users.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { committedOffsets, committedRecords, joinGroup } from '../support/group.ts';
import { overlappingPulls } from '../support/overlapping-pulls.ts';
import { kafkajs, numbered, numbersOf, publish, readTopic, upTo } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

interface Setting {
  partitions?: number;
  target?: Record<string, string>;
  deadLetter?: Record<string, string>;
  config?: Partial<ConsumeConfig>;
}

async function setUp({ partitions = 3, target = {}, deadLetter = {}, config = {} }: Setting = {}) {
  const topic = await newTopic(cluster, { partitions });
  await cluster.createTopic(`${topic}.out`, { partitions: 2, config: target });
  await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1, config: deadLetter });
  const groupId = `${topic}-g`;
  const consumer = () =>
    newConsumer(cluster, topic, { sink: { name: 'topic', topic: '{topic}.out' }, ...config });
  return {
    ...{ topic, groupId, another: consumer },
    ...consumer(),
    out: () => readTopic(cluster, `${topic}.out`),
    dead: () => readTopic(cluster, `${topic}.dead-letter`),
    committed: () => committedRecords(cluster, topic),
  };
}

describe('the topic sink in a pull', () => {
  test('keeps key, value, headers and timestamp, and the order of a key', async () => {
    const { topic, pull, out } = await setUp({ partitions: 1 });
    const bytes = Buffer.from([0, 255]);
    await publish(cluster, topic, [
      { key: 'k', value: bytes, headers: { h: bytes }, timestamp: '1700000000000' },
      { key: 'k', value: null, timestamp: '1700000000001' },
    ]);
    const answer = await pull();
    assert.deepEqual([answer.processed, answer.partitions[0]?.to], [2, 2]);
    const [first, second] = await out();
    assert.deepEqual(
      [String(first?.key), first?.value, first?.headers.h, first?.timestamp],
      ['k', bytes, bytes, 1_700_000_000_000],
    );
    assert.deepEqual([second?.value, second?.timestamp], [null, 1_700_000_000_001]);
  });

  test('every record exactly once, over several transactions and pulls', async () => {
    const { topic, pull, out, committed } = await setUp();
    await publish(cluster, topic, numbered(3_000));
    const first = await pull({ maxRecords: 1_234 });
    assert.deepEqual([first.processed, first.more], [1_234, true]);
    assert.equal((await pull()).processed, 3_000 - 1_234);
    assert.deepEqual(numbersOf(await out()), upTo(3_000));
    assert.equal(await committed(), 3_000);
  });

  test('four calls at once: nothing lost, nothing twice', () =>
    overlappingPulls(cluster, { records: 5_000, calls: 4, withinMs: 200 }));

  test('a live member of the group: refused, nothing published', async () => {
    const { topic, groupId, pull, out } = await setUp();
    await publish(cluster, topic, numbered(10));
    const member = await joinGroup(
      cluster,
      { groupId, topic },
      { autoCommit: false, eachBatch: async () => {} },
    );
    try {
      await assert.rejects(pull(), failsWith('GROUP_ACTIVE'));
    } finally {
      await member.disconnect();
    }
    assert.deepEqual(await out(), []);
    assert.equal((await pull()).processed, 10);
  });

  test('a record that the target refuses is a dead letter of the same transaction, the others go on', async () => {
    const { topic, pull, out, dead, committed } = await setUp({ target: { 'max.message.bytes': '20000' } });
    const large = { key: 'large', value: JSON.stringify({ n: 100, pad: 'x'.repeat(30_000) }) };
    await publish(cluster, topic, [...numbered(50), large, ...numbered(50, 50)]);
    const answer = await pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [100, 1]);
    assert.deepEqual(numbersOf(await out()), upTo(100));
    const [letter] = await dead();
    assert.equal(String(letter?.key), 'large');
    assert.equal(String(letter?.headers['__connect.errors.exception.class.name']), 'Failure');
    assert.equal(await committed(), 101);
  });

  test('a record that the dead-letter topic refuses as well holds its partition', async () => {
    const limit = { 'max.message.bytes': '20000' };
    const { topic, pull, out } = await setUp({ partitions: 1, target: limit, deadLetter: limit });
    const large = { key: 'large', value: JSON.stringify({ n: 100, pad: 'x'.repeat(30_000) }) };
    await publish(cluster, topic, [...numbered(5), large, ...numbered(5, 5)]);
    await assert.rejects(pull(), failsWith('DEAD_LETTER_FAILED'));
    assert.deepEqual(numbersOf(await out()), upTo(5));
  });

  test('a target that does not exist: SINK_FAILED, nothing committed', async () => {
    const { topic } = await setUp({ partitions: 1 });
    await publish(cluster, topic, numbered(5));
    const sink = { name: 'topic', topic: 'no-such-topic' } as const;
    const { pull } = newConsumer(cluster, topic, { sink });
    await assert.rejects(pull(), failsWith('SINK_FAILED'));
    assert.equal((await committedOffsets(cluster, topic)).get(0), -1);
  });

  const predecessors: [string, (groupId: string, topic: string) => string][] = [
    ['', (groupId, topic) => `${groupId}-/${topic}/0`],
    [' of a version before 0.2.0', (groupId, topic) => `${groupId}-${topic}-0`],
  ];
  for (const [whose, idOf] of predecessors) {
    test(`what a crashed predecessor${whose} left open is aborted, and its records come once`, async () => {
      const { topic, groupId, pull, out } = await setUp({ partitions: 1 });
      await publish(cluster, topic, numbered(5));
      const transactionalId = idOf(groupId, topic);
      const producer = kafkajs(cluster).producer({ transactionalId, maxInFlightRequests: 1 });
      await producer.connect();
      const open = await producer.transaction();
      await open.send({ topic: `${topic}.out`, messages: numbered(5) });
      await open.sendOffsets({
        consumerGroupId: groupId,
        topics: [{ topic, partitions: [{ partition: 0, offset: '5' }] }],
      });
      assert.equal((await pull()).processed, 5);
      await assert.rejects(open.commit());
      await producer.disconnect();
      assert.deepEqual(numbersOf(await out()), upTo(5));
    });
  }

  test('where the ids of versions before 0.2.0 are not permitted, they are passed over with a warning', async () => {
    const topic = await newTopic(cluster, { partitions: 2 }, 'restricted-readable');
    const target = await newTopic(cluster, { partitions: 1 }, 'restricted-allowed');
    await publish(cluster, topic, numbered(20));
    const port = cluster.brokers[0]?.ports.PLAINTEXT ?? 0;
    const { username } = cluster.users.restricted;
    await createAcls(port, [
      {
        ...{ principal: `User:${username}`, resource: 'transactionalId', operation: 'write' },
        ...{ name: 'restricted-new-/', pattern: 'prefixed' },
      },
    ]);
    await until([], 'the ACL', async () => (await aclResources(port)) > ACL_RESOURCES);
    const { pull, log } = newConsumer(
      cluster,
      { groupId: 'restricted-new', topics: [topic] },
      {
        sink: { name: 'topic', topic: target },
        connection: connectionConfigFor(cluster, { user: cluster.users.restricted }),
      },
    );
    assert.equal((await pull()).processed, 20);
    assert.deepEqual(numbersOf(await readTopic(cluster, target)), upTo(20));
    const warnings = log.lines.filter(({ message }) => message.includes('before 0.2.0'));
    assert.equal(warnings.length, 1);
  });
});

test('the topic sink of pushed records: each one is acknowledged', async () => {
  const { topic, consumer, out, dead } = await setUp({ target: { 'max.message.bytes': '20000' } });
  const record = (n: number, pad = '') => ({
    ...{ topic, key: null, value: Buffer.from(JSON.stringify({ n, pad })), headers: [] },
  });
  const records = [record(0), record(1, 'x'.repeat(30_000)), record(2)];
  const { answer, failures } = await consumer.push(records, {
    isRedelivered: false,
    deadline: Date.now() + 10_000,
  });
  assert.deepEqual(answer, { mode: 'push', processed: 2, deadLettered: 1, failed: 0 });
  assert.deepEqual(failures, []);
  assert.deepEqual(numbersOf(await out()), [0, 2]);
  assert.deepEqual(numbersOf(await dead()), [1]);
});
