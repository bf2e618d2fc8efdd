/** Processes that are killed or frozen at chosen points, and their successors. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bundledConsumer } from '../../support/bundle.ts';
import { startStoreProxy } from '../../support/faults/store-proxy.ts';
import { killIntoBucket } from '../../support/kills.ts';
import { overlappingPulls } from '../../support/overlapping-pulls.ts';
import { numbered, publish, upTo } from '../../support/records.ts';
import { assertContiguous, bucketForTests } from '../../support/s3.ts';
import { killS3 } from '../../support/s3-kills.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';
import { numbersIn, topicAndBucket } from './setup.ts';

const cluster = await sharedCluster();
const bucket = await bucketForTests();
const proxy = await startStoreProxy(bucket.server);
const start = await bundledConsumer(cluster);

async function setUp() {
  const found = await topicAndBucket(cluster, bucket);
  const { topic } = found;
  await publish(cluster, topic, numbered(500));
  const variables = { KAFKA_GROUP_ID: `${topic}-g`, CONSUME_TOPICS: topic, LOG_LEVEL: 'warn' };
  const instance = (url?: string) => start({ ...variables, ...bucket.variables(url) });
  return { ...found, first: instance(proxy.url), second: instance() };
}

const processedBy = (result: { ok: boolean; result?: unknown }) =>
  (result.result as { processed: number } | undefined)?.processed;

describe('a pull that is killed', () => {
  for (const point of ['after its intent', 'in the middle of its PUT', 'after its PUT', 'as it commits']) {
    test(`${point}: its successor finishes the object, each record once`, async () => {
      const { first, second, objects, committed } = await setUp();
      const kill = () => process.kill(first.pid() ?? 0, 'SIGKILL');
      proxy.onRequest = ({ method }) => {
        if (method !== 'PUT' || !point.includes('PUT')) {
          if (point === 'after its intent') kill();
          return point === 'after its intent' ? 'never' : 'pass';
        }
        if (point !== 'in the middle of its PUT') return 'pass';
        kill();
        return 'half';
      };
      proxy.onAnswer = () => {
        if (point === 'after its PUT') kill();
        // The commit takes a few round trips from now on.
        if (point === 'as it commits') setTimeout(kill, 3);
      };
      const result = await first.invoke({});
      proxy.onRequest = () => 'pass';
      proxy.onAnswer = () => {};
      assert.ok(!result.ok || point === 'as it commits');
      const { offset, metadata } = await committed();
      if (point !== 'as it commits') assert.match(metadata, /intent/);
      const before = await objects();
      assert.equal(before.length, ['after its PUT', 'as it commits'].includes(point) ? 1 : 0);
      const next = await second.invoke({});
      assert.ok(next.ok, JSON.stringify(next));
      assert.equal(processedBy(next), offset === 500 ? 0 : 500);
      const found = await objects();
      assertContiguous(found, 0, 500);
      assert.deepEqual(
        found.flatMap(({ lines }) => numbersIn(lines)),
        upTo(500),
      );
      if (before[0]) assert.deepEqual(found[0]?.bytes, before[0].bytes);
    });
  }
});

test('killed at random moments: every record once, in objects without gap or overlap', () =>
  killIntoBucket(cluster, bucket, start, { records: 10_000, kills: 6 }));

test('four calls at once: every record once, in objects without gap or overlap', () =>
  overlappingPulls(cluster, { records: 5_000, calls: 4, withinMs: 200, bucket }));

test('frozen before its PUT while another pull finishes: its late PUT changes nothing', async () => {
  const { topic, first, second, objects, committed } = await setUp();
  const pid = () => first.pid() ?? 0;
  let release = (_: 'pass') => {};
  const held = new Promise<'pass'>((resolve) => {
    release = resolve;
  });
  const frozen = new Promise<void>((resolve) => {
    proxy.onRequest = async ({ method }) => {
      if (method !== 'PUT') return 'pass';
      process.kill(pid(), 'SIGSTOP');
      resolve();
      return held;
    };
  });
  const call = first.invoke({});
  await frozen;
  await publish(cluster, topic, numbered(100, 500));
  const next = await second.invoke({});
  assert.deepEqual([next.ok, processedBy(next)], [true, 600]);
  const before = await objects();
  assertContiguous(before, 0, 600);
  release('pass');
  process.kill(pid(), 'SIGCONT');
  const late = await call;
  proxy.onRequest = () => 'pass';
  assert.ok(late.ok, JSON.stringify(late));
  assert.equal(processedBy(late), 0);
  assert.deepEqual(await objects(), before);
  assert.equal((await committed()).offset, 600);
});

test('killed, frozen and side by side, with poison and dropped records: each record once', (t) =>
  killS3(t, cluster, bucket, { records: 6_000, kills: 8 }));
