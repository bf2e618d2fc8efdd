import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PermanentError } from '../../functions/consume-batch/records/record-failure.ts';
import { newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { publish, readTopic } from '../support/records.ts';
import { replayWith } from '../support/replay.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

const replay = (...args: string[]) => replayWith(cluster, 'SASL_SSL', ...args);
const origins = (topic: string) => ['--origins', topic];

test('dead letters go back to where they came from, once, and count their attempts', async () => {
  const topic = await newTopic(cluster, { partitions: 3 });
  const deadLetters = `${topic}.dead-letter`;
  await cluster.createTopic(deadLetters, { partitions: 2 });
  const messages = Array.from({ length: 50 }, (_, n) => ({
    ...{ key: `k${n}`, value: `{"n":${n}}`, headers: { own: `${n}` }, timestamp: `${1_700_000_000_000 + n}` },
  }));
  await publish(cluster, topic, messages);
  const failing = newConsumer(cluster, topic, {
    handle: () => Promise.reject(new PermanentError('not yet')),
  });
  assert.equal((await failing.pull()).deadLettered, 50);
  const before = await readTopic(cluster, topic);

  const dry = await replay('--topic', deadLetters, ...origins(topic), '--dry-run');
  assert.deepEqual([dry.code, dry.stdout], [0, `${topic}\t50\n`], dry.stderr);
  assert.equal((await readTopic(cluster, topic)).length, 50);

  const first = await replay('--topic', deadLetters, ...origins(topic));
  assert.deepEqual([first.code, first.stdout], [0, `${topic}\t50\n`], first.stderr);
  assert.match(first.stderr, /50 replayed, 0 left/);
  const again = await replay('--topic', deadLetters, ...origins(topic));
  assert.deepEqual([again.code, again.stdout], [0, ''], again.stderr);

  const all = await readTopic(cluster, topic);
  assert.equal(all.length, 100);
  const replayed = all.filter(({ headers }) => headers['replay.attempts'] !== undefined);
  for (const original of before) {
    const copy = replayed.find(({ key }) => String(key) === String(original.key));
    assert.deepEqual(
      [copy?.partition, String(copy?.value), copy?.timestamp, String(copy?.headers.own)],
      [original.partition, String(original.value), original.timestamp, String(original.headers.own)],
    );
    assert.deepEqual(Object.keys(copy?.headers ?? {}).sort(), [
      '__connect.errors.offset',
      '__connect.errors.partition',
      '__connect.errors.topic',
      'own',
      'replay.attempts',
    ]);
  }

  // They die again, keep their first origin, and count on.
  assert.equal((await failing.pull()).deadLettered, 50);
  const second = await replay('--topic', deadLetters, '--to', `${topic}`);
  assert.equal(second.code, 0, second.stderr);
  const twice = (await readTopic(cluster, topic)).filter(
    ({ headers }) => String(headers['replay.attempts']) === '2',
  );
  assert.equal(twice.length, 50);
  for (const { key, headers } of twice) {
    const original = before.find((record) => String(record.key) === String(key));
    assert.equal(String(headers['__connect.errors.offset']), `${original?.offset}`);
  }
});

test('a record that does not say where it came from is named, and nothing past it is replayed', async () => {
  const topic = await newTopic(cluster, { partitions: 1 });
  const target = await newTopic(cluster, { partitions: 1 });
  await publish(cluster, topic, [{ value: 'x' }]);
  const { code, stderr } = await replay('--topic', topic, ...origins(target));
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`INVALID_RECORD: ${topic}-0@0 does not say where it came from .+ give --to`),
  );
  assert.equal((await replay('--topic', topic, '--to', target)).code, 0);
  assert.equal((await readTopic(cluster, target)).length, 1);
});

test('a command line that makes no sense is told why, and how it goes', async () => {
  for (const [args, why] of [
    [[], /^--topic is required\n\nUsage/],
    [['--topic', 'a', '--to', 'a'], /^--to a is where the dead letters are/],
    [['--topic', 'a', '--group', ''], /^--group is empty/],
    [['--topic', 'a', '--origins', ' '], /^--origins is empty/],
    [['--topic', 'a', '--origins', 'b', '--to', 'c'], /^--to and --origins/],
    [['--topic', 'a', '--dryrun'], /^Unknown option '--dryrun'/],
  ] as const) {
    const { code, stderr } = await replay(...args);
    assert.equal(code, 2);
    assert.match(stderr, why);
    assert.match(stderr, /^Usage: npm run replay/m);
  }
});

test('a dry run says that a target is missing', async () => {
  const topic = await newTopic(cluster, { partitions: 1 });
  await publish(cluster, topic, [{ value: '1' }]);
  const dry = await replay('--topic', topic, '--to', `${topic}.gone`, '--dry-run');
  assert.deepEqual([dry.code, dry.stdout], [1, '']);
  assert.match(dry.stderr, new RegExp(`UNKNOWN_TOPIC: ${topic}-0@0: topic ${topic}.gone does not exist`));
});
