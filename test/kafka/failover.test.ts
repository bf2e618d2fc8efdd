import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { metadata } from '../../local/kafka/admin.ts';
import { Failure } from '../../src/errors.ts';
import type { Outcome } from '../../src/kafka/produce/partition-queue.ts';
import type { Producer } from '../../src/kafka/produce/producer.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { acknowledged, failed, newProducer, record, send } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';

const KEYS = 24;
const AFTER_FAILOVER = 60;

const cluster = await kafkaForTests({ brokers: 3 });

/** Who leads the partition now, as a broker that runs says. */
async function leaderOf(topic: string, partition: number): Promise<number> {
  const running = cluster.brokers.find((broker) => broker.running);
  const { topics } = await metadata(running?.ports.PLAINTEXT ?? 0, [topic]);
  return topics[0]?.partitions.find((p) => p.partition === partition)?.leader ?? -1;
}

interface Sent {
  key: string;
  sequence: number;
  outcome: Outcome;
}

/** One caller a key, each sending its numbers one after the other until `enough`. */
async function publishInOrder(producer: Producer, topic: string, enough: () => boolean): Promise<Sent[]> {
  const sent: Sent[] = [];
  const caller = async (key: string) => {
    for (let sequence = 0; !enough(); sequence++) {
      const [outcome] = await send(producer, record(topic, `${sequence}`, { key: Buffer.from(key) })).catch(
        (error: unknown) => [error as Failure],
      );
      if (outcome) sent.push({ key, sequence, outcome });
    }
  };
  await Promise.all(Array.from({ length: KEYS }, (_, i) => caller(`key-${i}`)));
  return sent;
}

describe('a cluster of three brokers', () => {
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    it(`loses a leader by ${signal} under load: what was acknowledged is there, once, in order, at its offset`, async () => {
      const topic = await newTopic(cluster, { partitions: 6, config: { 'min.insync.replicas': '2' } });
      const { producer } = newProducer(connectionConfigFor(cluster));
      let acknowledgedAfter = 0;
      let killed = false;
      const publishing = publishInOrder(producer, topic, () => {
        if (killed) acknowledgedAfter++;
        return acknowledgedAfter > KEYS * AFTER_FAILOVER;
      });
      await send(producer, record(topic, 'warm', { key: Buffer.from('warm') }));
      const victim = await leaderOf(topic, 0);
      await cluster.stopBroker(victim, signal);
      killed = true;
      const sent = await publishing;
      await cluster.startBroker(victim);

      const log = await readTopic(cluster, topic);
      const stored = new Map(
        log.map(({ partition, offset, key, value }) => [`${partition}/${offset}`, `${key} ${value}`]),
      );
      for (const { key, sequence, outcome } of sent) {
        if (outcome instanceof Failure) {
          assert.ok(['none', 'unknown'].includes(outcome.delivery));
          const isStored = log.some(
            (r) => r.key?.toString() === key && r.value?.toString() === `${sequence}`,
          );
          if (outcome.delivery === 'none')
            assert.ok(!isStored, `${key} ${sequence} failed with delivery none`);
        } else {
          assert.equal(stored.get(`${outcome.partition}/${outcome.offset}`), `${key} ${sequence}`);
        }
      }
      for (let i = 0; i < KEYS; i++) {
        const sequences = log
          .filter(({ key }) => key?.toString() === `key-${i}`)
          .map(({ value }) => Number(value));
        assert.deepEqual(
          sequences,
          [...new Set(sequences)].sort((a, b) => a - b),
          'none twice, in order',
        );
      }
      const successes = sent.filter(({ outcome }) => !(outcome instanceof Failure));
      assert.ok(successes.length > KEYS, `${successes.length} of ${sent.length} acknowledged`);
    });
  }

  it('has too few replicas in sync, and then a partition without a leader', async () => {
    const replicated = await newTopic(cluster, { partitions: 1, config: { 'min.insync.replicas': '3' } });
    const single = await newTopic(cluster, { partitions: 1, replicationFactor: 1 });
    const { producer } = newProducer(connectionConfigFor(cluster));
    acknowledged((await send(producer, record(replicated, 'first')))[0]);
    acknowledged((await send(producer, record(single, 'first')))[0]);
    const victim = await leaderOf(single, 0);
    await cluster.stopBroker(victim, 'SIGKILL');

    const [outcome] = await producer.send([record(single, 'second')], Date.now() + 4_500);
    assert.deepEqual(
      [failed(outcome).code, failed(outcome).status, failed(outcome).delivery],
      ['NO_LEADER', 503, 'none'],
    );
    // While the dead broker still counts as in sync the leader waits for it, and the record is in its log.
    let failure: Failure;
    do {
      failure = failed((await send(producer, record(replicated, 'second')))[0]);
    } while (failure.code === 'ACK_TIMEOUT');
    assert.deepEqual([failure.code, failure.status, failure.delivery], ['NOT_ENOUGH_REPLICAS', 503, 'none']);

    await cluster.startBroker(victim);
    acknowledged((await send(producer, record(single, 'third')))[0]);
    acknowledged((await send(producer, record(replicated, 'third')))[0]);
    const values = (await readTopic(cluster, single)).map(({ value }) => value?.toString());
    assert.deepEqual(values, ['first', 'third']);
  });
});
