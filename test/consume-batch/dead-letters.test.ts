import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { ConsumeConfig } from '../../functions/consume-batch/config.ts';
import { deadLetter } from '../../functions/consume-batch/records/dead-letter.ts';
import {
  PermanentError,
  PoisonError,
  TransientError,
} from '../../functions/consume-batch/records/record-failure.ts';
import type { ConsumerRecord, Header } from '../../src/record.ts';
import { newTopic } from '../support/cluster.ts';
import { type Handle, newConsumer } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { committedOffsets } from '../support/group.ts';
import { publish, type ReadRecord, readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

interface Setting extends Partial<ConsumeConfig> {
  handle?: Handle;
  /** Without it the dead-letter topic is not there. */
  deadLetters?: boolean;
}

/** A topic of one partition with ten records, `{"n":0}` to `{"n":9}`, keys `a` and `b` in turn. */
async function setUp({ deadLetters = true, ...options }: Setting = {}) {
  const topic = await newTopic(cluster, { partitions: 1 });
  if (deadLetters) await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1 });
  await publish(
    cluster,
    topic,
    Array.from({ length: 10 }, (_, n) => ({ key: n % 2 === 0 ? 'a' : 'b', value: `{"n":${n}}` })),
  );
  const made = newConsumer(cluster, topic, options);
  return {
    ...made,
    topic,
    handledNumbers: () => made.handled.map(numberOf),
    committed: async () => (await committedOffsets(cluster, topic)).get(0),
    dead: () => readTopic(cluster, `${topic}.dead-letter`),
  };
}

function numberOf({ value }: { value: Buffer | null }): number {
  return JSON.parse(String(value)).n;
}

/** Fails as often as `times` says, for the record with this number. */
function failing(n: number, error: () => Error, times = Number.POSITIVE_INFINITY): Handle {
  let count = 0;
  return (record) => {
    if (numberOf(record) === n && count++ < times) throw error();
  };
}

function headersOf({ headers }: ReadRecord): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, String(value)]));
}

const others = [0, 1, 2, 3, 5, 6, 7, 8, 9];

describe('a record that fails in a pull', () => {
  for (const [what, error, stage] of [
    ['permanent', () => new PermanentError('no such customer'), 'TASK_PUT'],
    ['poison', () => new PoisonError('the value is not JSON'), 'VALUE_CONVERTER'],
    ['unclassified', () => new RangeError('a bug'), 'TASK_PUT'],
  ] as const) {
    test(`${what}: a dead letter, the others are handled, all is committed`, async () => {
      const { pull, topic, handledNumbers, committed, dead } = await setUp({ handle: failing(4, error) });
      const { processed, deadLettered, failed, more } = await pull();
      assert.deepEqual(
        { processed, deadLettered, failed, more },
        { processed: 9, deadLettered: 1, failed: 0, more: false },
      );
      assert.deepEqual(handledNumbers(), others);
      assert.equal(await committed(), 10);
      const [letter, ...rest] = await dead();
      assert.equal(rest.length, 0);
      assert.deepEqual([String(letter?.key), String(letter?.value)], ['a', '{"n":4}']);
      const { '__connect.errors.exception.stacktrace': stack, ...headers } = headersOf(
        letter ?? assert.fail(),
      );
      assert.match(stack ?? '', new RegExp(error().message));
      assert.deepEqual(headers, {
        '__connect.errors.topic': topic,
        '__connect.errors.partition': '0',
        '__connect.errors.offset': '4',
        '__connect.errors.connector.name': 'test',
        '__connect.errors.task.id': '0',
        '__connect.errors.stage': stage,
        '__connect.errors.class.name': 'handler',
        '__connect.errors.exception.class.name': error().name,
        '__connect.errors.exception.message': error().message,
      });
    });
  }

  test('is not tried again where it is permanent, and CONSUME_RETRIES times where nobody said', async () => {
    for (const [error, calls] of [
      [() => new PermanentError('x'), 1],
      [() => new PoisonError('x'), 1],
      [() => new Error('x'), 3],
    ] as const) {
      let count = 0;
      const { pull } = await setUp({
        handle: (record) => {
          if (numberOf(record) !== 4) return;
          count++;
          throw error();
        },
      });
      await pull();
      assert.equal(count, calls);
    }
  });

  test('transient: tried again, in its place', async () => {
    const { pull, handledNumbers, dead } = await setUp({
      handle: failing(4, () => new TransientError('busy'), 2),
    });
    assert.equal((await pull()).processed, 10);
    assert.deepEqual(handledNumbers(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(await dead(), []);
  });

  test('transient for longer than CONSUME_RETRIES: the pull ends before it, and the next one begins there', async () => {
    let isDown = true;
    const { pull, handledNumbers, committed, dead } = await setUp({
      handle: (record) => {
        if (isDown && numberOf(record) === 4)
          throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      },
    });
    await assert.rejects(pull(), failsWith('SINK_FAILED'));
    assert.deepEqual([handledNumbers(), await committed(), await dead()], [[0, 1, 2, 3], 4, []]);
    isDown = false;
    const { partitions, processed } = await pull();
    assert.deepEqual([partitions[0]?.from, processed], [4, 6]);
  });

  test('hangs: the pull ends in time, the signal aborts, and everything before it is committed', async () => {
    let aborted = false;
    const { pull, committed } = await setUp({
      handle: async (record, { signal }) => {
        if (numberOf(record) !== 4) return;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        aborted = true;
        await new Promise(() => {});
      },
    });
    const deadline = Date.now() + 2_000;
    await assert.rejects(pull({}, {}, 2_000), failsWith('SINK_FAILED'));
    assert.ok(Date.now() <= deadline, 'the contract: by the deadline');
    assert.deepEqual([await committed(), aborted], [4, true]);
  });

  test('without a dead-letter topic: a warning until a record needs it, then nothing past it is committed', async () => {
    const { pull, topic, log, committed } = await setUp({ deadLetters: false });
    await pull({ maxRecords: 2 });
    const warning = log.lines.find(({ message }) => message.includes('dead-letter topic'));
    assert.equal(warning?.level, 'warn');
    assert.match(warning?.message ?? '', new RegExp(`${topic}.dead-letter does not exist: create it`));
    assert.equal(await committed(), 2);

    const failed = await setUp({ deadLetters: false, handle: failing(4, () => new PermanentError('x')) });
    await assert.rejects(failed.pull(), failsWith('DEAD_LETTER_FAILED'));
    assert.deepEqual([failed.handledNumbers(), await failed.committed()], [[0, 1, 2, 3], 4]);
    await cluster.createTopic(`${failed.topic}.dead-letter`, { partitions: 1 });
    assert.deepEqual([(await failed.pull()).deadLettered, await failed.committed()], [1, 10]);
  });

  test('with CONSUME_DEAD_LETTER_TOPIC none: the pull fails before it', async () => {
    const { pull, committed } = await setUp({
      deadLetterTopic: undefined,
      handle: failing(4, () => new PermanentError('x')),
    });
    await assert.rejects(pull(), failsWith('SINK_FAILED'));
    assert.equal(await committed(), 4);
  });

  test('a dead letter keeps bytes that are no text, null keys and values, and its timestamp', async () => {
    const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });
    const bytes = Buffer.from([0, 255, 128]);
    await publish(cluster, topic, [
      { key: bytes, value: bytes, headers: { h: bytes, i: ['1', '2'] }, timestamp: '1700000000000' },
      { key: null, value: null, timestamp: '1700000000001' },
    ]);
    const { pull } = newConsumer(cluster, topic, { handle: () => Promise.reject(new PoisonError('x')) });
    await pull();
    const [first, second] = await readTopic(cluster, `${topic}.dead-letter`);
    assert.deepEqual(
      [first?.key, first?.value, first?.headers.h, first?.timestamp],
      [bytes, bytes, bytes, 1_700_000_000_000],
    );
    assert.deepEqual(first?.headers.i, [Buffer.from('1'), Buffer.from('2')]);
    assert.deepEqual([second?.key, second?.value, second?.timestamp], [null, null, 1_700_000_000_001]);
  });

  test('a dead letter of 10 MB fits', async () => {
    const config = { 'max.message.bytes': '11000000' };
    const topic = await newTopic(cluster, { partitions: 1, config });
    await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1, config });
    await publish(cluster, topic, [{ value: Buffer.alloc(10_000_000, 'x') }]);
    const { pull } = newConsumer(cluster, topic, { handle: () => Promise.reject(new PoisonError('x')) });
    assert.equal((await pull()).deadLettered, 1);
    const [letter] = await readTopic(cluster, `${topic}.dead-letter`);
    assert.equal(letter?.value?.length, 10_000_000);
  });
});

describe('the headers of a dead letter', () => {
  const reporter = { clientId: 'c', sink: 'handler', requestId: '' };
  const record: ConsumerRecord = { topic: 't', key: null, value: null, headers: [] };
  const textOf = (headers: readonly Header[]) =>
    Object.fromEntries(
      headers.map(({ key, value }) => [key.replace('__connect.errors.', ''), String(value)]),
    );
  const letterOf = (of: ConsumerRecord) =>
    deadLetter({ record: of, failureClass: 'permanent', error: new Error('again') }, 't.dead', reporter);

  test('coordinates that an event did not carry are not invented', () => {
    const { topic, partition, offset } = textOf(letterOf(record).headers);
    assert.deepEqual([topic, partition, offset], ['t', undefined, undefined]);
  });

  test('a record that dies twice keeps its first origin, and tells its last failure', () => {
    const first = letterOf({ ...record, topic: 'origin', partition: 3, offset: 7 });
    const second = letterOf({ ...record, headers: first.headers, partition: 1, offset: 1 });
    const { topic, partition, offset, 'exception.message': message } = textOf(second.headers);
    assert.deepEqual([topic, partition, offset, message], ['origin', '3', '7', 'again']);
    const names = second.headers.map(({ key }) => key);
    assert.equal(new Set(names).size, names.length);
  });

  test('a long message and a long stack are cut', () => {
    const error = new Error('x'.repeat(100_000));
    const { headers } = deadLetter({ record, failureClass: 'permanent', error }, 't.dead', reporter);
    assert.ok(headers.every(({ value }) => (value?.length ?? 0) <= 4_096));
  });
});

describe('CONSUME_ORDER', () => {
  /** Each record takes a moment; record 4 fails for a moment longer than its retries last. */
  async function orderOf(order: ConsumeConfig['order']) {
    const begun: number[] = [];
    const { pull, committed, handledNumbers } = await setUp({
      order,
      handle: async (record) => {
        begun.push(numberOf(record));
        await wait(5);
        if (numberOf(record) === 4) throw new TransientError('busy');
      },
    });
    await assert.rejects(pull(), failsWith('SINK_FAILED'));
    return { begun, handled: handledNumbers().sort((a, b) => a - b), committed: await committed() };
  }

  test('partition: what comes after a failed record waits', async () => {
    const { begun, handled, committed } = await orderOf('partition');
    assert.deepEqual([begun, handled, committed], [[0, 1, 2, 3, 4, 4, 4], [0, 1, 2, 3], 4]);
  });

  test('key: what comes after it with the same key waits', async () => {
    const { begun, handled, committed } = await orderOf('key');
    assert.deepEqual([handled, committed], [[0, 1, 2, 3, 5, 7, 9], 4]);
    const ofKey = (rest: number) => begun.filter((n) => n % 2 === rest);
    assert.deepEqual(
      [ofKey(0), ofKey(1)],
      [
        [0, 2, 4, 4, 4],
        [1, 3, 5, 7, 9],
      ],
    );
    assert.deepEqual(begun.slice(0, 2), [0, 1]);
  });

  test('none: nothing waits', async () => {
    const { begun, handled, committed } = await orderOf('none');
    assert.deepEqual([handled, committed], [others, 4]);
    assert.deepEqual(begun.slice(0, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('CONSUME_CONCURRENCY is never exceeded', async () => {
    let running = 0;
    let most = 0;
    const consumer = newConsumer(
      cluster,
      { groupId: 'g', topics: [] },
      {
        order: 'none',
        concurrency: 3,
        handle: async () => {
          most = Math.max(most, ++running);
          await wait(1);
          running--;
        },
      },
    );
    const records = Array.from(
      { length: 50 },
      (): ConsumerRecord => ({ topic: 't', key: null, value: null, headers: [] }),
    );
    await consumer.consumer.push(records, { isRedelivered: false, deadline: Date.now() + 10_000 });
    assert.deepEqual([most, consumer.handled.length], [3, 50]);
  });
});

test('behind a record that stays, nothing becomes a dead letter with every pull', async () => {
  const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });
  await publish(cluster, topic, [{ value: '{"n":0}' }, { value: 'no JSON' }, { value: '{"n":2}' }]);
  const nobody = { name: 'http', url: 'http://127.0.0.1:1/', headers: {}, format: 'json' } as const;
  const { pull } = newConsumer(cluster, topic, { sink: nobody });
  for (const _ of [1, 2]) await assert.rejects(pull(), failsWith('SINK_FAILED'));
  assert.deepEqual(await readTopic(cluster, `${topic}.dead-letter`), []);
});

describe('records that a trigger pushes', () => {
  const push = async (
    isRedelivered: boolean,
    handle: Handle,
    { deadLetters = true, timeoutMs = 10_000 } = {},
  ) => {
    const topic = await newTopic(cluster, { partitions: 1 });
    if (deadLetters) await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1 });
    const { consumer, handled } = newConsumer(cluster, { groupId: 'g', topics: [] }, { handle });
    const records = Array.from(
      { length: 10 },
      (_, n): ConsumerRecord => ({
        ...{ topic, key: null, value: Buffer.from(`{"n":${n}}`), headers: [] },
        ...(isRedelivered && { partition: 0, offset: n }),
      }),
    );
    const result = await consumer.push(records, { isRedelivered, deadline: Date.now() + timeoutMs });
    const dead = deadLetters ? (await readTopic(cluster, `${topic}.dead-letter`)).map(numberOf) : [];
    return { ...result, handled: handled.map(numberOf), dead };
  };
  const transient = () => new TransientError('busy');

  test('nobody delivers again: a transient failure becomes a dead letter after its retries', async () => {
    const { answer, handled, dead, failures } = await push(false, failing(4, transient));
    assert.deepEqual(answer, { mode: 'push', processed: 9, deadLettered: 1, failed: 0 });
    assert.deepEqual([dead, failures], [[4], []]);
    assert.deepEqual(handled, others);
  });

  test('nobody delivers again: what a hanging handler keeps from being begun becomes a dead letter', async () => {
    const handle: Handle = (record) => (numberOf(record) === 4 ? new Promise(() => {}) : undefined);
    const { dead, failures } = await push(false, handle, { timeoutMs: 2_000 });
    assert.deepEqual([dead, failures], [[4, 5, 6, 7, 8, 9], []]);
  });

  test('nobody delivers again, and there is no dead-letter topic: the failure is told', async () => {
    const { failures } = await push(false, failing(4, transient), { deadLetters: false, timeoutMs: 3_000 });
    assert.ok(failures.some(({ failure }) => failure.code === 'DEAD_LETTER_FAILED'));
  });

  test('delivered again: a transient failure is named, with what it holds back; nothing is a dead letter', async () => {
    const { failures, dead, handled } = await push(true, failing(4, transient));
    assert.deepEqual(
      failures.map(({ record }) => record.offset),
      [4, 5, 6, 7, 8, 9],
    );
    assert.deepEqual([dead, handled], [[], [0, 1, 2, 3]]);
  });

  test('delivered again: a permanent failure becomes a dead letter, and is not named', async () => {
    const { failures, dead } = await push(
      true,
      failing(4, () => new PermanentError('x')),
    );
    assert.deepEqual([failures, dead], [[], [4]]);
  });

  test('delivered again: a dead letter that cannot be written is named', async () => {
    const { failures } = await push(
      true,
      failing(4, () => new PermanentError('x')),
      {
        deadLetters: false,
        timeoutMs: 3_000,
      },
    );
    assert.equal(failures[0]?.failure.code, 'DEAD_LETTER_FAILED');
    assert.equal(failures[0]?.record.offset, 4);
  });
});
