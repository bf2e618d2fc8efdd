/**
 * Found 2026-11-27 (B5) on 2.3.1, and here on 2.7.2 and 3.4.1, too: a pull could begin at an offset that the
 * transaction before it was just moving, 10,200 records of 10,000. Brokers with the old group coordinator show a
 * transaction's offsets when one thread comes to it (`group-metadata-manager-0`), after the transaction has ended
 * for everybody else. Here that thread has other work, as on a broker with many groups.
 *
 * Late as it is, it takes whatever the producer's id has committed until then (GroupMetadata,
 * completePendingTxnOffsetCommit), the offsets of the next transaction included: where that one is aborted, its
 * records are lost. So a pull sends none before it has seen its last ones. What a killed call has committed it can't
 * wait for before 2.5, whose OffsetFetch has no `requireStable`: there its records may come again.
 * `REPEAT` (default 3) says how often each is tried.
 */
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import type { OldVersion } from '../../local/kafka/releases.ts';
import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import { GroupOffsets } from '../../src/kafka/fetch/group-offsets.ts';
import { bundledConsumer } from '../consume-batch/bundled.ts';
import { killTransactional } from '../consume-batch/killing.ts';
import { overlappingPulls } from '../consume-batch/overlapping.ts';
import { connectionConfigFor, kafkaForTests, newTopic, recordingLog } from '../kafka.ts';

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
    const connection = new Connection(clientOptions(connectionConfigFor(cluster)), log);
    for (let group = 0; group < IDLE_GROUPS; group++) {
      await new GroupOffsets(connection, `idle-${group}`, log).commit(offsets, Date.now() + 10_000);
    }
    connection.close();
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

    const mayRepeat = release === '2.3.1';
    const times = mayRepeat ? 'no record is lost' : 'every record exactly once';
    test(`killed pulls beside busy loops, run ${run} of ${REPEAT}: ${times}`, () =>
      killTransactional(cluster, start, { records: RECORDS, kills: 6, mayRepeat }));
  }
}
