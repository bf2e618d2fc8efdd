/**
 * Found 2026-11-27 (B7): after an unclean leader election 40 acknowledged records were skipped without a line,
 * because the log had grown past the committed offset again (KIP-320).
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumeConfig } from '../../functions/consume-batch/config.ts';
import { until } from '../../local/kafka/readiness.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { administer, numbered, numbersOf, publish, readTopic, upTo } from '../support/records.ts';

const KEPT = 60;
const CUT = 40;
const sinks: ConsumeConfig['sink'][] = [{ name: 'handler' }, { name: 'topic', topic: '{topic}.out' }];

const cluster = await kafkaForTests({
  brokers: 3,
  properties: { 'unclean.leader.election.enable': 'true' },
});

test('an unclean election cuts 40 records: reported, then read on from where the log diverged', async () => {
  const topic = await newTopic(cluster, {
    partitions: 1,
    replicationFactor: 2,
    config: { 'min.insync.replicas': '1' },
  });
  await cluster.createTopic(`${topic}.out`, { partitions: 1, replicationFactor: 3 });
  const consumers = sinks.map((sink) =>
    newConsumer(cluster, { groupId: `${topic}-${sink.name}`, topics: [topic] }, { sink }),
  );
  const pullAll = () => Promise.all(consumers.map(({ pull }) => pull({}, {}, 60_000)));
  const { leader: first, replicas } = await partitionOf(topic);
  const second = replicas.find((replica) => replica !== first) ?? -1;

  await publish(cluster, topic, numbered(KEPT));
  await cluster.stopBroker(second, 'SIGKILL');
  await partitionWhere(topic, ({ isr }) => isr.length === 1);
  await publish(cluster, topic, numbered(CUT, KEPT));
  for (const { processed } of await pullAll()) assert.equal(processed, KEPT + CUT);

  await cluster.stopBroker(first, 'SIGKILL');
  await cluster.startBroker(second);
  await partitionWhere(topic, ({ leader }) => leader === second);
  await publish(cluster, topic, numbered(2 * CUT, KEPT + CUT));

  for (const { pull } of consumers) {
    await assert.rejects(pull({}, { autoOffsetReset: 'none' }), (error: Error) => {
      assert.match(error.message, /truncated to offset 60: the 40 behind it are gone/);
      return failsWith('OFFSET_OUT_OF_RANGE')(error);
    });
  }
  for (const { processed, partitions } of await pullAll()) {
    assert.deepEqual([processed, partitions[0]?.from, partitions[0]?.to], [2 * CUT, KEPT, KEPT + 2 * CUT]);
  }
  for (const { log } of consumers) {
    const reported = log.lines.filter(({ message }) => message.includes('truncated'));
    const numbers = { topic, partition: 0, committed: KEPT + CUT, lost: CUT, goOnAt: KEPT };
    for (const { level, fields } of reported) {
      assert.equal(level, 'error');
      assert.deepEqual({ ...fields, ...numbers }, fields);
    }
    assert.equal(reported.length, 2);
  }
  const all = upTo(KEPT + 3 * CUT);
  assert.deepEqual(numbersOf(consumers[0]?.handled ?? []), all);
  assert.deepEqual(numbersOf(await readTopic(cluster, `${topic}.out`)), all);
  for (const { processed } of await pullAll()) assert.equal(processed, 0);
});

async function partitionOf(topic: string) {
  const { topics } = await administer(cluster, (admin) => admin.fetchTopicMetadata({ topics: [topic] }));
  const [partition] = topics[0]?.partitions ?? [];
  assert.ok(partition);
  return partition;
}

function partitionWhere(topic: string, is: (partition: { leader: number; isr: number[] }) => boolean) {
  return until([], `partition 0 of ${topic}`, async () => is(await partitionOf(topic)));
}
