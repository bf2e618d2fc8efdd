/**
 * Found 2026-11-27 (B3, B4): the offsets of idle partitions expired although a pull looked at them every minute,
 * and everything came again; and `latest` committed nothing on an empty partition, so that what came next was
 * skipped.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readNote } from '../../src/kafka/fetch/offset-note.ts';
import { checkWith, variablesFor } from '../support/check.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { commitOffset, committedOffsets } from '../support/group.ts';
import { administer, numbered, publish } from '../support/records.ts';
import {
  forgottenOffset,
  pullIdlePartitions,
  RECORDS,
  readAndLeave,
  SHORT_RETENTION,
} from './idle-groups.ts';

const cluster = await kafkaForTests({ properties: SHORT_RETENTION });

test('pulls over idle partitions keep their offsets for longer than Kafka would', {
  timeout: 200_000,
}, async () => {
  await pullIdlePartitions(cluster, { everyMs: 5_000, isOver: await forgottenOffset(cluster) });
});

for (const sink of [{ name: 'handler' }, { name: 'topic', topic: '{topic}.out' }] as const) {
  test(`latest commits the end of an empty partition, and nothing after it is skipped: ${sink.name} sink`, async () => {
    const topic = await newTopic(cluster, { partitions: 2 });
    await cluster.createTopic(`${topic}.out`);
    const groupId = `${topic}-g`;
    const latest: Parameters<typeof newConsumer>[1] = {
      groupId,
      topics: [topic],
      autoOffsetReset: 'latest',
    };
    const first = newConsumer(cluster, latest, { sink });
    assert.equal((await first.pull()).processed, 0);
    assert.deepEqual([...(await committedOffsets(cluster, topic)).values()], [0, 0]);
    await publish(cluster, topic, numbered(6));
    const second = newConsumer(cluster, latest, { sink });
    assert.equal((await second.pull()).processed, 6);
  });
}

test('what somebody else wrote beside an offset stays where nothing moves', async () => {
  const topic = await newTopic(cluster, { partitions: 2 });
  const groupId = `${topic}-g`;
  for (const partition of [0, 1]) {
    const metadata = partition === 0 ? 'theirs' : '';
    await commitOffset(cluster, groupId, { topic, partition, offset: 0, metadata });
  }
  await newConsumer(cluster, topic).pull();
  const [offsets] = await administer(cluster, (admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
  const [theirs, ours] = (offsets?.partitions ?? []).sort((a, b) => a.partition - b.partition);
  assert.deepEqual([theirs?.metadata, theirs?.offset], ['theirs', '0']);
  const note = readNote(ours?.metadata ?? '');
  assert.ok(note && Math.abs(Date.now() - note.committedAt) < 60_000, ours?.metadata ?? '');
});

test('a group that had members and that no pull could join: the check says so', async () => {
  const topic = await newTopic(cluster, { partitions: 1 });
  await publish(cluster, topic, numbered(RECORDS));
  const groupId = `${topic}-g`;
  await readAndLeave(cluster, groupId, topic);
  const check = async () => {
    const { group } = await checkWith(
      { ...variablesFor(cluster, 'SASL_SSL'), CHECK_GROUP_ID: groupId },
      10_000,
    );
    return group?.expiry;
  };
  assert.match((await check()) ?? '', /had members/);
  // With so little time a pull doesn't join.
  const { pull, log } = newConsumer(cluster, topic);
  await pull({}, {}, 5_000);
  assert.ok(log.lines.some(({ level, message }) => level === 'warn' && /could not be joined/.test(message)));
  assert.match((await check()) ?? '', /had members/);
  const patient = newConsumer(cluster, topic);
  await patient.pull();
  assert.equal(await check(), null);
});
