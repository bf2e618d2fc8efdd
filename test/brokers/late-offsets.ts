/**
 * Found 2026-11-27 (B5) on 2.3.1, and here on 2.7.2 and 3.4.1, too: a pull could begin at an offset that the
 * transaction before it was just moving, 10,200 records of 10,000. Brokers with the old group coordinator show a
 * transaction's offsets when one thread comes to it (`group-metadata-manager-0`), after the transaction has ended
 * for everybody else. Here that thread has other work, as on a broker with many groups.
 *
 * Late as it is, it takes whatever the producer's id has committed until then (GroupMetadata,
 * completePendingTxnOffsetCommit), the offsets of the next transaction included: where that one is aborted, its
 * records are lost. So a pull sends none before it has seen its last ones. And it drops them where it comes late to a
 * transaction that was aborted: so a pull begins with one that moves nothing, until it is seen. What a killed call has committed it can't
 * wait for before 2.5, whose OffsetFetch has no `requireStable`: there its records may come again.
 * `REPEAT` (default 3) says how often each is tried.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { transactionalIdOf } from '../../functions/consume-batch/pull/fenced-offset.ts';
import { transactionalHandler } from '../../functions/consume-batch/pull/handle-transactional.ts';
import { OffsetNotes } from '../../functions/consume-batch/pull/keep-offsets.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import type { OldVersion } from '../../local/kafka/releases.ts';
import { Failure } from '../../src/errors.ts';
import type { Connection } from '../../src/kafka/connection/connection.ts';
import { GroupOffsets } from '../../src/kafka/fetch/group-offsets.ts';
import { addOffsetsToTxnRequest, initProducerIdRequest } from '../../src/kafka/wire/transactions.ts';
import { bundledConsumer } from '../support/bundle.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { killTransactional } from '../support/kills.ts';
import { recordingLog } from '../support/log.ts';
import { overlappingPulls } from '../support/overlapping-pulls.ts';
import { newConnection } from '../support/producer.ts';

const REPEAT = Number(process.env.REPEAT ?? 3);
const BUSY_LOOPS = 2;
const IDLE_GROUPS = 40;
const IDLE_PARTITIONS = 100;
const RECORDS = 10_000;

export async function lateOffsets(release: OldVersion): Promise<void> {
  const cluster = await kafkaForTests({
    release,
    // The thread looks through all offsets for expired ones, again and again.
    properties: { 'offsets.retention.check.interval.ms': '1' },
  });
  const start = await bundledConsumer(cluster);

  before(async () => {
    const topic = await newTopic(cluster, { partitions: IDLE_PARTITIONS });
    const offsets = Array.from({ length: IDLE_PARTITIONS }, (_, partition) => ({
      topic,
      partition,
      offset: 0,
    }));
    const log = recordingLog();
    const connection = newConnection(connectionConfigFor(cluster), log);
    for (let group = 0; group < IDLE_GROUPS; group++) {
      await new GroupOffsets(connection, `idle-${group}`, log).commit(offsets, Date.now() + 10_000);
    }
    for (let loop = 0; loop < BUSY_LOOPS; loop++) {
      // It ends by itself where this process is killed.
      const busy = spawn(process.execPath, [
        '-e',
        'const { ppid } = process; while (process.ppid === ppid);',
      ]);
      after(() => busy.kill('SIGKILL'));
    }
  });

  for (let run = 1; run <= REPEAT; run++) {
    test(`overlapping pulls beside busy loops, run ${run} of ${REPEAT}: every record exactly once`, () =>
      overlappingPulls(cluster, { records: RECORDS, calls: 4, withinMs: 1_000 }));

    if (release !== '2.3.1') {
      test(`behind an aborted predecessor, run ${run} of ${REPEAT}: what is committed is seen`, () =>
        behindAborted(cluster));
    }

    const mayRepeat = release === '2.3.1';
    const times = mayRepeat ? 'no record is lost' : 'every record exactly once';
    test(`killed pulls beside busy loops, run ${run} of ${REPEAT}: ${times}`, () =>
      killTransactional(cluster, start, { records: RECORDS, kills: 6, mayRepeat }));
  }
}

const ROUNDS = 40;

/**
 * A transaction that added the group, and was shut out before it sent offsets, is ended for the group's coordinator
 * when that thread comes to it: whatever the same producer's id has sent until then is dropped with it.
 */
async function behindAborted(cluster: KafkaCluster): Promise<void> {
  const topic = await newTopic(cluster, { partitions: 1 });
  const source = { topic, partition: 0 };
  const log = recordingLog();
  const connection = newConnection(connectionConfigFor(cluster), log);
  const group = new GroupOffsets(connection, `${topic}-g`, log);
  const id = transactionalIdOf(group.groupId, source);
  for (let round = 0; round < ROUNDS; round++) {
    const deadline = Date.now() + 30_000;
    const times = { startBefore: deadline, handleBefore: deadline, deadline };
    await group.requireNoMembers(deadline);
    const predecessor = await begun(connection, id, deadline);
    const { broker } = await connection.coordinator('transaction', id, deadline);
    assert.equal(
      (await broker.send(addOffsetsToTxnRequest(predecessor, group.groupId), deadline)).errorCode,
      0,
    );
    const [committed] = await group.committed([source], deadline);
    if (committed instanceof Failure) throw committed;
    const handler = transactionalHandler({
      ...{ connection, group, times, log, notes: new OffsetNotes([committed]) },
      target: () => new Failure('SINK_FAILED', 'nothing is sent'),
      deadLetter: () => new Failure('SINK_FAILED', 'nothing is sent'),
    });
    const from = committed?.offset ?? 0;
    const position = await handler.begin({
      ...{ ...source, committed: committed?.offset, leaderEpoch: -1, from, end: from + 1 },
    });
    const batch = { records: [], nextOffset: from + 1, leaderEpoch: -1 };
    assert.equal((await handler.handle(position, batch)).to, from + 1);
    const [after] = await group.committed([source], deadline, { waitForTransactions: true });
    assert.ok(after && !(after instanceof Failure));
    assert.equal(after.offset, from + 1, `round ${round}`);
  }
}

async function begun(connection: Connection, transactionalId: string, deadline: number) {
  for (;;) {
    const { broker } = await connection.coordinator('transaction', transactionalId, deadline);
    const answer = await broker.send(initProducerIdRequest(transactionalId, 60_000), deadline);
    // CONCURRENT_TRANSACTIONS, or a coordinator that is still being found.
    if (answer.errorCode !== 0) continue;
    return { transactionalId, producerId: answer.producerId, producerEpoch: answer.producerEpoch };
  }
}
