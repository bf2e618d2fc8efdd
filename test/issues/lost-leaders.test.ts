/**
 * Found 2026-11-27 (B8): one partition without a leader starved a pull shorter than 15 s, and one missing topic of
 * CONSUME_TOPICS stopped all others.
 */
import assert from 'node:assert/strict';
import { after, afterEach, describe, test } from 'node:test';
import type { ConsumeConfig } from '../../functions/consume-batch/config.ts';
import { until } from '../../local/kafka/readiness.ts';
import type { Connection } from '../../src/kafka/connection/connection.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { type FaultProxy, startFaultProxy } from '../support/faults/proxy.ts';
import type { LogLine } from '../support/log.ts';
import { numbered, publish } from '../support/records.ts';

const PARTITIONS = 6;
const RECORDS = 60;
/** Half of what a pull waited for one partition's leader. */
const SHORT_MS = 8_000;
const sinks: ConsumeConfig['sink'][] = [{ name: 'handler' }, { name: 'topic', topic: '{topic}.out' }];

const proxies: FaultProxy[] = [];
for (let n = 0; n < 3; n++) proxies.push(await startFaultProxy({ target: undefined }));
after(() => Promise.all(proxies.map((proxy) => proxy.close())));
const proxyOf = (nodeId: number) => proxies[nodeId - 1] ?? assert.fail(`broker ${nodeId}`);
const cluster = await kafkaForTests({
  brokers: 3,
  extraListeners: [{ name: 'PROXIED', protocol: 'PLAINTEXT', advertised: proxyOf }],
});
for (const { nodeId, ports } of cluster.brokers) proxyOf(nodeId).setTarget('127.0.0.1', ports.PROXIED ?? 0);
const proxied = connectionConfigFor(cluster, {
  listener: 'PLAINTEXT',
  bootstrapServers: proxies.map(({ host, port }) => `${host}:${port}`).join(','),
});

/** As the cluster sees it now; kafkajs's admin client throws where there is no leader. */
async function partitionsOf(connection: Connection, topic: string) {
  return (await connection.topic(topic, Date.now() + 10_000, { maxAgeMs: 0 })).partitions;
}

/** Ten records in each partition; partition n is on one broker alone. */
async function setUp(sink: ConsumeConfig['sink'], connection = connectionConfigFor(cluster)) {
  const topic = await newTopic(cluster, {
    partitions: PARTITIONS,
    replicationFactor: 1,
    config: { 'min.insync.replicas': '1' },
  });
  await cluster.createTopic(`${topic}.out`, { partitions: 1, replicationFactor: 3 });
  const messages = numbered(RECORDS).map((message, n) => ({ ...message, partition: n % PARTITIONS }));
  await publish(cluster, topic, messages);
  const consumer = newConsumer(cluster, topic, { sink, connection });
  return { topic, partitions: await partitionsOf(consumer.connection, topic), ...consumer };
}

/** The 'pulled' line tells what was handled before the Failure was thrown. */
function processedIn({ lines }: { lines: LogLine[] }) {
  return lines.filter(({ message }) => message === 'pulled').at(-1)?.fields?.processed;
}

for (const sink of sinks) {
  describe(`${sink.name} sink`, () => {
    test('partitions without a leader stop alone, and are named', async () => {
      const { topic, partitions, pull, log, connection } = await setUp(sink);
      const dead = partitions[0]?.leader ?? -1;
      const lost = partitions.filter(({ leader }) => leader === dead).length;
      await cluster.stopBroker(dead, 'SIGKILL');
      try {
        await until([], 'a partition without a leader', async () =>
          (await partitionsOf(connection, topic)).some(({ leader }) => leader === -1),
        );
        await assert.rejects(pull({}, {}, SHORT_MS), (error: Error) => {
          assert.match(error.message, new RegExp(`partition \\d of topic ${topic}`));
          return failsWith('NO_LEADER')(error);
        });
        assert.equal(processedIn(log), ((PARTITIONS - lost) * RECORDS) / PARTITIONS);
      } finally {
        await cluster.startBroker(dead);
      }
      assert.equal((await pull()).processed, (lost * RECORDS) / PARTITIONS);
    });
  });
}

describe('a leader that is frozen', () => {
  afterEach(() => {
    for (const proxy of proxies) proxy.pass();
  });

  for (const warm of [false, true]) {
    test(`its partitions stop alone, ${warm ? 'with' : 'without'} a warm connection`, async () => {
      const { topic, partitions, pull, log, connection } = await setUp({ name: 'handler' }, proxied);
      const soon = Date.now() + 10_000;
      if (warm) assert.equal((await pull({ maxRecords: 1 })).processed, 1);
      const { nodeId: coordinator } = await connection.coordinator('group', `${topic}-g`, soon);
      const frozen = partitions.find(({ leader }) => leader !== coordinator)?.leader ?? -1;
      const led = partitions.filter(({ leader }) => leader === frozen).length;
      if (!warm) connection.close();
      proxyOf(frozen).silent();
      await assert.rejects(pull({}, {}, SHORT_MS));
      assert.ok(Number(processedIn(log)) >= ((PARTITIONS - led) * RECORDS) / PARTITIONS - 1);
    });
  }
});

test('a missing topic stops alone, and is named', async () => {
  const { topic, log, pull } = await setUp({ name: 'handler' });
  const topics = [`${topic}-missing`, topic];
  await assert.rejects(pull({}, { topics }, SHORT_MS), (error: Error) => {
    assert.match(error.message, /-missing/);
    return failsWith('UNKNOWN_TOPIC')(error);
  });
  assert.equal(processedIn(log), RECORDS);
});
