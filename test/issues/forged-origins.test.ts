/**
 * Found 2026-11-27 (A5): a dead letter's headers say where it came from, and whoever can write one can say
 * anything: `replay` without `--to` published to whatever topic they named.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newTopic } from '../support/cluster.ts';
import { publish, readTopic } from '../support/records.ts';
import { runReplay } from '../support/replay.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

const from = (topic: string) => ({ '__connect.errors.topic': topic, '__connect.errors.partition': '0' });

/** Two dead letters of `orders` with a forged one between them, and another one in a partition of its own. */
async function setUp() {
  const orders = await newTopic(cluster, { partitions: 1 }, 'orders');
  const payments = await newTopic(cluster, { partitions: 1 }, 'payments');
  const deadLetters = `${orders}.dead-letter`;
  await cluster.createTopic(deadLetters, { partitions: 2 });
  await publish(cluster, deadLetters, [
    { value: 'first', headers: from(orders), partition: 0 },
    { value: 'forged', headers: from(payments), partition: 0 },
    { value: 'behind', headers: from(orders), partition: 0 },
    { value: 'beside', headers: from(orders), partition: 1 },
  ]);
  const values = async (topic: string) =>
    (await readTopic(cluster, topic)).map(({ value }) => String(value)).sort();
  return { orders, payments, deadLetters, values };
}

for (const [what, argumentsFor, variablesFor] of [
  ['CONSUME_TOPICS', () => [], (orders: string) => ({ CONSUME_TOPICS: `others, ${orders}` })],
  ['--origins', (orders: string) => ['--origins', `others,${orders}`], () => ({ CONSUME_TOPICS: '' })],
  ['--origins', () => ['--origins', 'orders-*'], () => ({ CONSUME_TOPICS: 'others' })],
] as const) {
  test(`a dead letter that claims an origin outside ${what} is named and stays, with what is behind it`, async () => {
    const { orders, payments, deadLetters, values } = await setUp();
    const args = ['--topic', deadLetters, ...argumentsFor(orders)];
    for (const dryRun of [true, false]) {
      const { code, stdout, stderr } = await runReplay(
        cluster,
        [...args, ...(dryRun ? ['--dry-run'] : [])],
        variablesFor(orders),
      );
      assert.deepEqual([code, stdout], [1, `${orders}\t2\n`], stderr);
      assert.match(
        stderr,
        new RegExp(
          `^TOPIC_NOT_ALLOWED: ${deadLetters}-0@1 says that it came from ${payments}, which is not in ${what}: .*--origins.*--to`,
          'm',
        ),
      );
      assert.match(stderr, /, 1 refused, 1 held back by them$/m);
    }
    assert.deepEqual([await values(payments), await values(orders)], [[], ['beside', 'first']]);

    // Said to be right, it goes; nothing comes twice.
    const origins = `${orders},${payments}`;
    const all = await runReplay(cluster, ['--topic', deadLetters, '--origins', origins]);
    assert.equal(all.code, 0, all.stderr);
    assert.deepEqual(
      [await values(payments), await values(orders)],
      [['forged'], ['behind', 'beside', 'first']],
    );
  });
}

test('without --to, --origins and CONSUME_TOPICS nothing is read, and the remedy is told', async () => {
  const { deadLetters, orders, payments, values } = await setUp();
  const { code, stdout, stderr } = await runReplay(cluster, ['--topic', deadLetters], { CONSUME_TOPICS: '' });
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /^CONFIG_INVALID: configuration: CONSUME_TOPICS must list .*--origins.*--to/m);
  const blank = await runReplay(cluster, ['--topic', deadLetters, '--origins', ','], {
    CONSUME_TOPICS: orders,
  });
  assert.match(blank.stderr, /^CONFIG_INVALID: configuration: --origins /m);
  assert.deepEqual([...(await values(payments)), ...(await values(orders))], []);
});

test('a dead letter never goes back to where it is', async () => {
  const { deadLetters } = await setUp();
  await publish(cluster, deadLetters, [
    { value: 'round and round', headers: from(deadLetters), partition: 1 },
  ]);
  const { code, stderr } = await runReplay(cluster, ['--topic', deadLetters, '--origins', '*']);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`TOPIC_NOT_ALLOWED: ${deadLetters}-1@1 names the topic it is in`));
});
