import { test } from 'node:test';
import { bundledConsumer } from '../support/bundle.ts';
import { kafkaForTests } from '../support/cluster.ts';
import { besideLiveMember, killPlain, killTransactional } from '../support/kills.ts';

// Kafka's own default, which the embedded one shortens: members wait before they begin.
const cluster = await kafkaForTests({ properties: { 'group.initial.rebalance.delay.ms': '3000' } });
const start = await bundledConsumer(cluster);
const many = { records: 100_000, kills: 50 };

test('50 kills, 100,000 records: nothing lost, and little twice', () => killPlain(cluster, start, many));

test('50 kills, 100,000 records, topic sink: every record exactly once', () =>
  killTransactional(cluster, start, many));

for (const sink of ['http', 'topic'] as const) {
  test(`beside a live member, 15 rounds, ${sink} sink`, () =>
    besideLiveMember(cluster, start, { records: 60_000, rounds: 15, sink, membersWait: true }));
}
