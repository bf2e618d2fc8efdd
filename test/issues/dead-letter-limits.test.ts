/**
 * Found 2026-11-27 (B10; spring-projects/spring-kafka#1994 is the same elsewhere): a dead letter that grew past
 * its topic's limit by what it tells of the failure, or whose timestamp the topic refuses, held its partition
 * for good.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deadLetter } from '../../functions/consume-batch/records/dead-letter.ts';
import { PermanentError } from '../../functions/consume-batch/records/record-failure.ts';
import { recordBodySize, singleBatchSize } from '../../src/kafka/wire/records/record-batch.ts';
import type { ProducerRecord } from '../../src/record.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { committedOffsets } from '../support/group.ts';
import { newProducer } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';
import { replayWith } from '../support/replay.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const LIMIT = 20_000;
const HOUR_MS = 3_600_000;
const cluster = await sharedCluster();

/** Whose batch takes so many bytes, as a topic's max.message.bytes counts them. */
function recordOfSize(topic: string, size: number, timestamp = Date.now()): ProducerRecord {
  const record = { topic, key: Buffer.from('k'), value: Buffer.alloc(0), headers: [], timestamp };
  const missing = size - singleBatchSize(recordBodySize(record));
  for (let length = missing - 10; ; length++) {
    const filled = { ...record, value: Buffer.alloc(length, 'x') };
    if (singleBatchSize(recordBodySize(filled)) === size) return filled;
  }
}

interface Setting {
  /** Of the dead-letter topic. */
  config?: Record<string, string>;
  /** Of the producer, as KAFKA_MAX_REQUEST_SIZE has it. */
  maxRequestSize?: number;
}

/** A handler that gives every record up, and a topic that takes none of them: dead letters of both kinds of pull. */
const paths = {
  'after a handler': { sink: { name: 'handler' }, target: {} },
  'in a transaction': {
    sink: { name: 'topic', topic: '{topic}.out' },
    target: { 'max.message.bytes': '300' },
  },
} as const;

async function setUp(path: keyof typeof paths, { config = {}, maxRequestSize }: Setting = {}) {
  const { sink, target } = paths[path];
  const topic = await newTopic(cluster, { partitions: 1, config: { 'max.message.bytes': `${LIMIT}` } });
  await cluster.createTopic(`${topic}.out`, { partitions: 1, config: target });
  await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1, config });
  const consumer = newConsumer(cluster, topic, {
    ...(maxRequestSize !== undefined && { producer: { maxRequestSize } }),
    sink,
    handle: () => Promise.reject(new PermanentError('m'.repeat(1_000))),
  });
  const { producer } = newProducer(connectionConfigFor(cluster));
  const publish = async (...records: ProducerRecord[]) => {
    // Each in a batch of its own.
    for (const record of records) await producer.send([record], Date.now() + 10_000);
  };
  return {
    ...{ ...consumer, topic, publish },
    committed: async () => (await committedOffsets(cluster, topic)).get(0),
    dead: () => readTopic(cluster, `${topic}.dead-letter`),
  };
}

function namesOf(headers: object): string[] {
  return Object.keys(headers).map((name) => name.replace('__connect.errors.', ''));
}

const ORIGIN = ['topic', 'partition', 'offset'];
const REASON = [
  'connector.name',
  'task.id',
  'stage',
  'class.name',
  'exception.class.name',
  'exception.message',
];

describe('a dead letter larger than its topic takes', () => {
  for (const [path, room, names, messageLength] of [
    ['after a handler', 0, []],
    ['after a handler', 200, [...ORIGIN, 'exception.class.name']],
    ['after a handler', 600, [...ORIGIN, ...REASON], 100],
    ['after a handler', 1_500, [...ORIGIN, ...REASON], 1_000],
    ['in a transaction', 0, []],
    ['in a transaction', 200, [...ORIGIN, 'exception.class.name']],
    ['in a transaction', 500, [...ORIGIN, ...REASON]],
  ] as const) {
    test(`${path}, ${room} bytes beside the record: it tells what there is room for`, async () => {
      const setting = { config: { 'max.message.bytes': `${LIMIT}` } };
      const { topic, publish, pull, dead, committed, log } = await setUp(path, setting);
      const record = recordOfSize(topic, LIMIT - room);
      await publish(record);
      assert.equal((await pull()).deadLettered, 1);
      const [letter, ...rest] = await dead();
      assert.deepEqual([rest, await committed()], [[], 1]);
      assert.deepEqual(
        [letter?.key, letter?.value, letter?.timestamp],
        [record.key, record.value, record.timestamp],
      );
      assert.deepEqual(namesOf(letter?.headers ?? {}), names);
      if (messageLength !== undefined) {
        const message = letter?.headers['__connect.errors.exception.message'];
        assert.equal(String(message), 'm'.repeat(messageLength));
      }
      // Whatever the dead letter does not tell, the log does.
      const line = log.lines.find(({ message }) => message === 'a record was dead-lettered');
      assert.deepEqual([line?.fields?.topic, line?.fields?.offset], [topic, 0]);
    });
  }

  test('among others: they have all of theirs, and all are in the topic', async () => {
    const setting = { config: { 'max.message.bytes': `${LIMIT}` } };
    const { topic, publish, pull, dead, committed } = await setUp('after a handler', setting);
    await publish(...[500, LIMIT, 500, LIMIT].map((size) => recordOfSize(topic, size)));
    assert.equal((await pull()).deadLettered, 4);
    assert.equal(await committed(), 4);
    const hasStack = (await dead()).map(({ headers }) => namesOf(headers).includes('exception.stacktrace'));
    assert.equal(hasStack.filter(Boolean).length, 2);
  });

  for (const path of ['after a handler', 'in a transaction'] as const) {
    test(`${path}, and the record alone is larger: DEAD_LETTER_FAILED names size, limit and remedy`, async () => {
      const setting = { config: { 'max.message.bytes': `${LIMIT - 1}` } };
      const { topic, publish, pull, dead, committed } = await setUp(path, setting);
      await publish(recordOfSize(topic, LIMIT));
      await assert.rejects(pull(), (error) => {
        failsWith('DEAD_LETTER_FAILED')(error);
        const limit = `max.message.bytes of ${topic}.dead-letter is ${LIMIT - 1}: raise it`;
        assert.match(String(error), new RegExp(`takes ${LIMIT} bytes uncompressed, ${limit}`));
        return true;
      });
      assert.deepEqual([await dead(), await committed()], [[], -1]);
    });
  }

  test('KAFKA_MAX_REQUEST_SIZE: the same, before anything is sent', async () => {
    const { topic, publish, pull, dead } = await setUp('after a handler', { maxRequestSize: 10_000 });
    await publish(recordOfSize(topic, 9_700));
    assert.equal((await pull()).deadLettered, 1);
    const [letter] = await dead();
    assert.deepEqual(namesOf(letter?.headers ?? {}), [...ORIGIN, 'exception.class.name']);
    await publish(recordOfSize(topic, 10_001));
    await assert.rejects(pull(), (error) => {
      failsWith('DEAD_LETTER_FAILED')(error);
      assert.match(String(error), /KAFKA_MAX_REQUEST_SIZE is 10000: raise KAFKA_MAX_REQUEST_SIZE$/);
      return true;
    });
  });

  test('a pushed record is a dead letter all the same', async () => {
    const setting = { config: { 'max.message.bytes': `${LIMIT}` } };
    const { topic, consumer, dead } = await setUp('after a handler', setting);
    const { key, value, headers } = recordOfSize(topic, LIMIT - 100);
    const deadline = Date.now() + 10_000;
    const { failures } = await consumer.push([{ topic, key, value, headers }], {
      isRedelivered: false,
      deadline,
    });
    assert.deepEqual(failures, []);
    assert.deepEqual(
      (await dead()).map(({ headers }) => namesOf(headers)),
      [['topic', 'exception.class.name']],
    );
  });
});

describe('a dead letter whose timestamp its topic refuses', () => {
  for (const [path, setting, shiftMs] of [
    ['after a handler', 'message.timestamp.before.max.ms', -9 * HOUR_MS],
    ['after a handler', 'message.timestamp.after.max.ms', 0.9 * HOUR_MS],
    ['in a transaction', 'message.timestamp.before.max.ms', -9 * HOUR_MS],
    ['in a transaction', 'message.timestamp.after.max.ms', 0.9 * HOUR_MS],
  ] as const) {
    test(`${path} (${setting}): it has the present time, a header the record's, and replay gives that back`, async () => {
      const config = { [setting]: `${HOUR_MS / 2}` };
      const { topic, publish, pull, dead, committed } = await setUp(path, { config });
      const startedAt = Date.now();
      const timestamp = startedAt + shiftMs;
      await publish(recordOfSize(topic, 1_000, timestamp));
      assert.equal((await pull()).deadLettered, 1);
      assert.equal(await committed(), 1);
      const [letter] = await dead();
      assert.ok(Number(letter?.timestamp) >= startedAt && Number(letter?.timestamp) <= Date.now());
      assert.equal(String(letter?.headers['__connect.errors.timestamp']), `${timestamp}`);
      assert.ok(namesOf(letter?.headers ?? {}).includes('exception.stacktrace'), 'nothing else is left out');

      const args = ['--topic', `${topic}.dead-letter`, '--origins', topic];
      const replay = await replayWith(cluster, 'SASL_SSL', ...args);
      assert.equal(replay.code, 0, replay.stderr);
      const [, again] = await readTopic(cluster, topic);
      assert.deepEqual([again?.timestamp, again?.value?.length], [timestamp, letter?.value?.length]);
    });
  }

  test('and is too large as well: both are mended', async () => {
    const config = { 'message.timestamp.before.max.ms': `${HOUR_MS}`, 'max.message.bytes': `${LIMIT}` };
    const { topic, publish, pull, dead } = await setUp('after a handler', { config });
    const timestamp = Date.now() - 9 * HOUR_MS;
    await publish(recordOfSize(topic, LIMIT - 250, timestamp));
    assert.equal((await pull()).deadLettered, 1);
    const [letter] = await dead();
    assert.deepEqual(namesOf(letter?.headers ?? {}), [...ORIGIN, 'timestamp', 'exception.class.name']);
    assert.equal(String(letter?.headers['__connect.errors.timestamp']), `${timestamp}`);
  });

  test('a record that dies twice keeps the time that it had first', () => {
    const record = { topic: 't', partition: 0, offset: 1, key: null, value: null, headers: [] };
    const reporter = { clientId: 'c', sink: 'handler', requestId: '' };
    const dead = { failureClass: 'permanent', error: new Error('x'), isOfNow: true } as const;
    const first = deadLetter({ ...dead, record: { ...record, timestamp: 1 } }, 't.dead', reporter);
    const again = { ...record, topic: 't.dead', timestamp: 2, headers: first.headers };
    const { headers, timestamp } = deadLetter({ ...dead, record: again }, 't.dead.dead', reporter);
    const times = headers.filter(({ key }) => key === '__connect.errors.timestamp');
    assert.deepEqual([times.map(({ value }) => String(value)), timestamp], [['1'], undefined]);
  });
});
