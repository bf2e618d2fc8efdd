/**
 * Found 2026-11-27 (C1, C2): some seconds after a broker's death it is gone from the metadata, and the check
 * said "OK: every rung holds"; and of two faults it named the rarer one.
 */

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { checkWith } from '../support/check.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { administer } from '../support/records.ts';
import { assertBrokenBy, assertFine, viewsOf } from './dead-brokers.ts';

const cluster = await kafkaForTests({ brokers: 3 });
await newTopic(cluster);
const [everyBroker, survivor] = viewsOf(cluster);
assert.ok(everyBroker && survivor);

test('three brokers that run make a check without faults', async () => {
  for (const view of [everyBroker, survivor]) await assertFine(view);
});

describe('one of three is killed', () => {
  before(() => cluster.stopBroker(3, 'SIGKILL'));

  for (const view of [everyBroker, survivor]) {
    test(`${view.what}: it is a fault from the first moment on, and stays one`, {
      timeout: 60_000,
    }, async () => {
      let report = await assertBrokenBy(3, view);
      while (report.verdict?.fault !== 'BROKER_DOWN') report = await assertBrokenBy(3, view);
      assert.match(report.verdict.cause, /broker 3, 1 of 3/);
      for (let again = 0; again < 3; again++) {
        const { verdict } = await assertBrokenBy(3, view);
        assert.equal(verdict?.fault, 'BROKER_DOWN');
      }
    });
  }

  test('a password that is wrong everywhere comes before the dead broker, which is listed', async () => {
    const { verdict, faults } = await checkWith(
      { ...everyBroker.variables, KAFKA_SASL_PASSWORD: 'wrong' },
      10_000,
    );
    assert.equal(verdict?.fault, 'SASL_BAD_CREDENTIALS');
    assert.deepEqual(
      faults.map(({ fault }) => fault),
      ['SASL_BAD_CREDENTIALS', 'SASL_BAD_CREDENTIALS', 'TCP_REFUSED'],
    );
  });

  test('a password that is wrong at the only other address comes before the dead broker', async () => {
    const servers = cluster.bootstrapServers.SASL_SSL.split(',');
    const { faults } = await checkWith(
      {
        ...everyBroker.variables,
        KAFKA_BOOTSTRAP_SERVERS: `${servers[2]},${servers[0]}`,
        KAFKA_SASL_PASSWORD: 'wrong',
      },
      10_000,
    );
    assert.deepEqual(
      faults.map(({ fault }) => fault),
      ['SASL_BAD_CREDENTIALS', 'TCP_REFUSED'],
    );
  });
});

describe('two of three are killed', () => {
  before(() => cluster.stopBroker(2, 'SIGKILL'));

  for (const view of [everyBroker, survivor]) {
    test(view.what, { timeout: 60_000 }, async () => {
      const isDown = async () => {
        const { verdict, faults } = await checkWith(view.variables, 10_000);
        return verdict?.fault === 'BROKER_DOWN' && faults.length >= 2 ? { verdict, faults } : undefined;
      };
      let found = await isDown();
      while (!found) found = await isDown();
      assert.match(found.verdict.cause, /broker 2, 2 of 3/);
      assert.deepEqual(
        found.faults.filter(({ fault }) => fault === 'BROKER_DOWN').map(({ target }) => target),
        ['broker 2', 'broker 3'],
      );
    });
  }
});

describe('the brokers come back', () => {
  before(async () => {
    await cluster.startBroker(2);
    await cluster.startBroker(3);
  });

  test('the check is well again once they are back', async () => {
    for (const view of [everyBroker, survivor]) await assertFine(view);
  });

  test('a broker whose replicas were moved away before it was removed is not missed', {
    timeout: 120_000,
  }, async () => {
    await administer(cluster, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata();
      await admin.alterPartitionReassignments({
        topics: topics.map(({ name, partitions }) => ({
          topic: name,
          partitionAssignment: partitions.map(({ partitionId }) => ({
            partition: partitionId,
            replicas: [1, 2],
          })),
        })),
      });
      const isMoved = async () => {
        const { topics: now } = await admin.fetchTopicMetadata();
        return now.every(({ partitions }) => partitions.every(({ replicas }) => !replicas.includes(3)));
      };
      while (!(await isMoved()));
      await cluster.stopBroker(3);
      const isGone = async () => (await admin.describeCluster()).brokers.every(({ nodeId }) => nodeId !== 3);
      while (!(await isGone()));
    });
    await assertFine(survivor);
    const { ok, warnings } = await checkWith(everyBroker.variables, 10_000);
    assert.deepEqual([ok, warnings.map(({ fault }) => fault)], [true, ['BOOTSTRAP_PARTIAL']]);
  });
});
