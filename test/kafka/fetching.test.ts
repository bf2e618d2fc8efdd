import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Fetcher } from '../../src/kafka/fetch/fetching.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { recordingLog } from '../support/log.ts';
import { newConnection } from '../support/producer.ts';
import { take } from '../support/record-batch-reader.ts';
import { publish } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

const MIB = 1024 * 1024;
const PARTITIONS = [0, 1, 2, 3];

const options = { timeout: 60_000 };

test(
  'partitions that find no room in an answer are served before those that have something',
  options,
  async () => {
    const topic = await newTopic(cluster, { partitions: PARTITIONS.length });
    const value = 'x'.repeat(250_000);
    for (const partition of PARTITIONS) {
      for (let n = 0; n < 24; n++) await publish(cluster, topic, [{ value, partition }]);
    }
    const log = recordingLog();
    const connection = newConnection(connectionConfigFor(cluster), log);
    const deadline = Date.now() + 20_000;
    await connection.topic(topic, deadline);
    const fetcher = new Fetcher(
      connection,
      {
        ...{ isolationLevel: 'read_committed', checkCrcs: true, unreadable: 'stop', deadline },
        ...{ maxBatchBytes: 64 * MIB, maxBytes: 2 * MIB, recordsLeft: () => Number.MAX_SAFE_INTEGER },
      },
      log,
    );
    for (const partition of PARTITIONS) fetcher.add({ topic, partition, offset: 0, end: 24 });
    const answers = PARTITIONS.map(() => 0);
    let widest = 0;
    await Promise.all(
      PARTITIONS.map(async (partition) => {
        for (let taken = 0; taken < 24; ) {
          const reader = await fetcher.next({ topic, partition });
          assert.ok(reader);
          taken += (await take(reader, 100)).records.length;
          answers[partition] = (answers[partition] ?? 0) + 1;
          if (taken < 24) widest = Math.max(widest, Math.max(...answers) - Math.min(...answers));
          await turn();
        }
        fetcher.leave({ topic, partition });
      }),
    );
    fetcher.close();
    assert.ok(widest <= 3, `one partition was ${widest} answers ahead of another`);
  },
);
