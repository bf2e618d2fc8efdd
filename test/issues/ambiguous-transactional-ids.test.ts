/**
 * Found 2026-11-27 (B9): the transactional id `<group>-<topic>-<partition>` was that of another group and topic,
 * too (`a-b` and `c`, `a` and `b-c`): their pulls shut each other out.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transactionalHandler } from '../../functions/consume-batch/pull/handle-transactional.ts';
import { OffsetNotes } from '../../functions/consume-batch/pull/keep-offsets.ts';
import { GroupOffsets } from '../../src/kafka/fetch/group-offsets.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { recordingLog } from '../support/log.ts';
import { newConnection } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

/** A pull of `<topic>` for `groupId`, which has taken its partition over and has a record to publish. */
async function begunPull(groupId: string, topic: string, target: string) {
  const log = recordingLog();
  const connection = newConnection(connectionConfigFor(cluster), log);
  const deadline = Date.now() + 20_000;
  const handler = transactionalHandler({
    connection,
    log,
    group: new GroupOffsets(connection, groupId, log),
    target: ({ key, value, headers }) => ({ topic: target, key, value, headers }),
    deadLetter: () => assert.fail('no dead letter'),
    times: { startBefore: deadline, handleBefore: deadline, deadline },
    notes: new OffsetNotes([]),
  });
  const position = { topic, partition: 0, committed: undefined, leaderEpoch: -1, from: 0, end: 1 };
  const begun = await handler.begin(position);
  const record = { topic, partition: 0, offset: 0, key: null, value: Buffer.from(groupId), headers: [] };
  return () => handler.handle(begun, { records: [record], nextOffset: 1, leaderEpoch: -1 });
}

test('two groups whose ids run into the names of their topics do not shut each other out', async () => {
  const target = await newTopic(cluster, { partitions: 1 });
  const [group, topic] = [`${target}-a`, `b-${target}`];
  for (const name of [topic, `x-${topic}`]) await cluster.createTopic(name, { partitions: 1 });
  const first = await begunPull(`${group}-x`, topic, target);
  const second = await begunPull(group, `x-${topic}`, target);
  assert.equal((await first()).stop, undefined);
  assert.equal((await second()).stop, undefined);
  assert.equal((await readTopic(cluster, target)).length, 2);
});
