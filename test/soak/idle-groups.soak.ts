import { test } from 'node:test';
import { pullIdlePartitions, SHORT_RETENTION } from '../issues/idle-groups.ts';
import { kafkaForTests } from '../support/cluster.ts';

const EVERY_MS = 10_000;
const FOR_MS = 180_000;

// Members wait before they begin, as by Kafka's default.
const cluster = await kafkaForTests({
  properties: { ...SHORT_RETENTION, 'group.initial.rebalance.delay.ms': '3000' },
});

test('pulled every ten seconds for three minutes, idle partitions keep their offsets', async () => {
  const until = Date.now() + FOR_MS;
  await pullIdlePartitions(cluster, { everyMs: EVERY_MS, isOver: async () => Date.now() > until });
});
