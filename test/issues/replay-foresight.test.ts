/**
 * Found 2026-11-28: `replay --dry-run` counted every dead letter as one that would go back, whatever the run
 * was then refused by the cluster.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import kafkaProtocol from 'kafkajs';
import { replayed } from '../../functions/consume-batch/replay/replayed.ts';
import { Failure } from '../../src/errors.ts';
import { connectionConfigFor, kafkaForTests } from '../support/cluster.ts';
import { joinGroup } from '../support/group.ts';
import { newProducer } from '../support/producer.ts';
import { kafkajs, publish, readTopic } from '../support/records.ts';
import { runReplay } from '../support/replay.ts';

// kafkajs is CommonJS, and Node finds only some of its names.
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, CompressionTypes, ResourcePatternTypes } =
  kafkaProtocol;
const HOUR_MS = 3_600_000;
const cluster = await kafkaForTests();
const prefix = `mine-${randomBytes(4).toString('hex')}-`;
const deadLetters = `${prefix}orders.dead-letter`;
const name = (topic: string) => `${prefix}${topic}`;
const { username, password } = cluster.users.restricted;
const user = { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password };
const origins = ['--origins', `mine-*,${name('orders')},readonly,hidden,${deadLetters}`];

const headers = (topic: string, partition = 0, more: Record<string, string | Buffer> = {}) => ({
  '__connect.errors.topic': topic,
  '__connect.errors.partition': `${partition}`,
  ...more,
});

const now = Date.now();
/** What stands in partition 0, in this order, and what becomes of it. */
const letters: {
  what: string;
  code?: string;
  isClusters?: true;
  letter: Parameters<typeof publish>[2][number];
}[] = [
  { what: 'the first of its partition', letter: { value: 'good', headers: headers(name('orders')) } },
  {
    what: 'too large only with the headers that stay behind',
    letter: {
      value: 'x'.repeat(1_500),
      headers: headers(name('small'), 0, { '__connect.errors.exception.stacktrace': 'y'.repeat(1_000) }),
    },
  },
  { what: 'no origin', code: 'INVALID_RECORD', letter: { value: 'x' } },
  {
    what: 'an origin that is not allowed',
    code: 'TOPIC_NOT_ALLOWED',
    letter: { value: 'x', headers: headers('payments') },
  },
  { what: 'its own topic', code: 'TOPIC_NOT_ALLOWED', letter: { value: 'x', headers: headers(deadLetters) } },
  {
    what: 'no topic’s name',
    code: 'INVALID_RECORD',
    letter: { value: 'x', headers: headers(`${prefix}\u001b[31m`) },
  },
  {
    what: 'a topic that is gone',
    code: 'UNKNOWN_TOPIC',
    letter: { value: 'x', headers: headers(name('gone')) },
  },
  {
    what: 'a topic that may only be seen',
    code: 'TOPIC_NOT_AUTHORIZED',
    isClusters: true,
    letter: { value: 'x', headers: headers('readonly') },
  },
  {
    what: 'a topic that is hidden',
    code: 'TOPIC_NOT_AUTHORIZED',
    letter: { value: 'x', headers: headers('hidden') },
  },
  {
    what: 'a partition that is not there',
    code: 'UNKNOWN_PARTITION',
    letter: { value: 'x', headers: headers(name('orders'), 7) },
  },
  {
    what: 'too large',
    code: 'RECORD_TOO_LARGE',
    isClusters: true,
    letter: { value: 'x'.repeat(2_000), headers: headers(name('small')) },
  },
  {
    what: 'no key',
    code: 'INVALID_RECORD',
    isClusters: true,
    letter: { value: 'x', headers: headers(name('compacted')) },
  },
  {
    what: 'too old',
    code: 'INVALID_RECORD',
    isClusters: true,
    letter: { value: 'x', headers: headers(name('recent')), timestamp: `${now - 2 * HOUR_MS}` },
  },
  {
    what: 'from the future',
    code: 'INVALID_RECORD',
    isClusters: true,
    letter: { value: 'x', headers: headers(name('recent')), timestamp: `${now + 2 * HOUR_MS}` },
  },
  {
    what: 'too old where the broker sets the time',
    letter: { value: 'x', headers: headers(name('appended')), timestamp: `${now - 2 * HOUR_MS}` },
  },
  { what: 'behind all these', letter: { value: 'x', headers: headers(name('orders')) } },
];

before(async () => {
  const admin = kafkajs(cluster).admin();
  await admin.connect();
  const rule = (
    resourceType: number,
    resourceName: string,
    operation: number,
    resourcePatternType: number,
  ) => ({
    ...{ resourceType, resourceName, operation, resourcePatternType },
    ...{ principal: `User:${username}`, host: '*', permissionType: AclPermissionTypes.ALLOW },
  });
  const { ALL, DESCRIBE, READ } = AclOperationTypes;
  const { PREFIXED, LITERAL } = ResourcePatternTypes;
  await admin.createAcls({
    acl: [
      rule(AclResourceTypes.TOPIC, prefix, ALL, PREFIXED),
      rule(AclResourceTypes.GROUP, prefix, ALL, PREFIXED),
      rule(AclResourceTypes.TRANSACTIONAL_ID, prefix, ALL, PREFIXED),
      rule(AclResourceTypes.TOPIC, 'readonly', DESCRIBE, LITERAL),
      rule(AclResourceTypes.GROUP, 'no-transactions', READ, LITERAL),
      rule(AclResourceTypes.GROUP, 'no-commits', DESCRIBE, LITERAL),
    ],
  });
  await admin.disconnect();
  const future = { 'message.timestamp.after.max.ms': `${100 * HOUR_MS}` };
  const create = (topic: string, config = {}, partitions = 1) =>
    cluster.createTopic(topic, { partitions, config });
  await create(deadLetters, future, 3);
  await create(name('orders'));
  await create('readonly');
  await create('hidden');
  await create(name('small'), { 'max.message.bytes': '2000' });
  await create(name('compacted'), { 'cleanup.policy': 'compact' });
  const limits = {
    'message.timestamp.before.max.ms': `${HOUR_MS}`,
    'message.timestamp.after.max.ms': `${HOUR_MS}`,
  };
  await create(name('recent'), limits);
  await create(name('appended'), { ...limits, 'message.timestamp.type': 'LogAppendTime' });
  for (const { letter } of letters) await publish(cluster, deadLetters, [{ partition: 0, ...letter }]);
  for (let n = 0; n < 3; n++) {
    await publish(cluster, deadLetters, [{ value: `${n}`, headers: headers(name('orders')), partition: 1 }]);
  }
  const producer = kafkajs(cluster).producer();
  await producer.connect();
  const bomb = { value: Buffer.alloc(70 * 1024 * 1024), headers: headers(name('orders')), partition: 2 };
  await producer.send({ topic: deadLetters, messages: [bomb], compression: CompressionTypes.GZIP });
  await producer.disconnect();
});

test('a dry run and the run after it refuse the same dead letters, for the same reasons, and count the same', async () => {
  const expected = letters.flatMap(({ code }, offset) =>
    code ? [`${code} ${deadLetters}-0@${offset}`] : [],
  );
  const outcomes: { stdout: string; summary: unknown[]; refused: string[] }[] = [];
  for (const args of [['--dry-run'], [], []]) {
    const { code, stdout, stderr } = await runReplay(
      cluster,
      ['--topic', deadLetters, ...origins, ...args],
      user,
    );
    const refused = [...stderr.matchAll(/^([A-Z_]+): (\S+-0@\d+)/gm)].map(([, id, at]) => `${id} ${at}`);
    assert.equal(code, 1, stderr);
    assert.deepEqual(refused, expected, stderr);
    assert.match(stderr, new RegExp(`^BATCH_UNREADABLE: .*partition 2 of topic ${deadLetters}`, 'm'));
    outcomes.push({ stdout, refused, summary: [...(stderr.match(/\d+ refused, \d+ held back/) ?? [])] });
  }
  const [dry, real, again] = outcomes;
  assert.deepEqual(real, dry);
  assert.equal(dry?.stdout.split('\n').sort().join('\n').trim(), `${name('orders')}\t4\n${name('small')}\t1`);
  assert.deepEqual(dry?.summary, [`${expected.length + 1} refused, 2 held back`]);
  assert.deepEqual(again, { ...real, stdout: '' });
  assert.equal((await readTopic(cluster, name('orders'))).length, 4);
});

test('what is foreseen of the cluster is what the cluster says', async () => {
  const { producer } = newProducer(connectionConfigFor(cluster, { user: cluster.users.restricted }), {
    idempotence: 'off',
  });
  for (const { what, code, isClusters, letter } of letters) {
    if (!isClusters && code) continue;
    const record = replayed(
      {
        ...{
          topic: deadLetters,
          partition: 0,
          offset: 0,
          key: null,
          value: Buffer.from(String(letter.value)),
        },
        headers: Object.entries(letter.headers ?? {}).map(([key, value]) => ({
          key,
          value: Buffer.from(String(value)),
        })),
        timestamp: Number(letter.timestamp ?? now),
      },
      { to: undefined, isOrigin: () => true, origins: 'this test' },
    );
    assert.ok(!(record instanceof Failure), what);
    const [outcome] = await producer.send([record], Date.now() + 10_000);
    assert.equal(outcome instanceof Failure ? outcome.code : undefined, code, what);
  }
});

for (const [what, group, message] of [
  [
    'a transactional id that this user may not use',
    'no-transactions',
    /^TOPIC_NOT_AUTHORIZED: .*transactional id no-transactions/m,
  ],
  [
    'a group that this user may not commit for',
    'no-commits',
    /^TOPIC_NOT_AUTHORIZED: .*group no-commits: it needs Read/m,
  ],
] as const) {
  test(`a dry run foresees ${what}`, async () => {
    const args = ['--topic', deadLetters, ...origins, '--group', group];
    for (const more of [['--dry-run'], []]) {
      const { code, stdout, stderr } = await runReplay(cluster, [...args, ...more], user);
      assert.deepEqual([code, stdout], [1, ''], stderr);
      assert.match(stderr, message);
    }
  });
}

test('a dry run foresees a group with a member', async (t) => {
  const group = name('busy');
  const member = await joinGroup(
    cluster,
    { groupId: group, topic: deadLetters },
    { eachMessage: async () => {} },
  );
  t.after(() => member.disconnect());
  for (const more of [['--dry-run'], []]) {
    const args = ['--topic', deadLetters, ...origins, '--group', group, ...more];
    const { code, stdout, stderr } = await runReplay(cluster, args, user);
    assert.deepEqual([code, stdout], [1, ''], stderr);
    assert.match(stderr, /^GROUP_ACTIVE: /m);
  }
});

test('a dry run says of which topics it can’t foresee what they refuse', async () => {
  const admin = kafkajs(cluster).admin();
  await admin.connect();
  const acl = {
    ...{
      resourceType: AclResourceTypes.TOPIC,
      resourceName: 'unseen',
      resourcePatternType: ResourcePatternTypes.LITERAL,
    },
    ...{ principal: `User:${username}`, host: '*', permissionType: AclPermissionTypes.ALLOW },
  };
  await admin.createAcls({ acl: [{ ...acl, operation: AclOperationTypes.WRITE }] });
  await admin.disconnect();
  await cluster.createTopic('unseen', { partitions: 1 });
  const source = name('unseen.dead-letter');
  await cluster.createTopic(source, { partitions: 1 });
  await publish(cluster, source, [{ value: 'x' }]);
  const { code, stdout, stderr } = await runReplay(
    cluster,
    ['--topic', source, '--to', 'unseen', '--dry-run'],
    user,
  );
  assert.deepEqual([code, stdout], [0, 'unseen\t1\n'], stderr);
  assert.match(stderr, /what topic unseen refuses can't be foreseen: .*Describe Configs/);
});
