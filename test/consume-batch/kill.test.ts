import { test } from 'node:test';
import { bundledConsumer } from '../support/bundle.ts';
import { besideLiveMember, killPlain, killTransactional } from '../support/kills.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

const start = await bundledConsumer(cluster);
const few = { records: 20_000, kills: 6 };

test('killed at random moments: nothing lost, and little twice', () => killPlain(cluster, start, few));

test('killed at random moments, topic sink: every record exactly once', () =>
  killTransactional(cluster, start, few));

for (const sink of ['http', 'topic'] as const) {
  test(`beside a live member that comes and goes, ${sink} sink: its offsets never move back`, () =>
    besideLiveMember(cluster, start, { records: 6_000, rounds: 3, sink }));
}
