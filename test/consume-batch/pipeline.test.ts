import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pipeline, RecordContext } from '../../functions/consume-batch/records/pipeline.ts';
import { PermanentError, TransientError } from '../../functions/consume-batch/records/record-failure.ts';
import { newTopic } from '../support/cluster.ts';
import { newConsumer, pullDefaults } from '../support/consumer.ts';
import { failsWith } from '../support/errors.ts';
import { committedOffsets } from '../support/group.ts';
import { startReceiver } from '../support/http.ts';
import { numbered, numbersOf, publish, readTopic, upTo } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

const COUNT = 10;
/** What a group has committed that never did. */
const NOTHING = -1;

async function setUp(pipeline: Pipeline, config: Parameters<typeof newConsumer>[2] = {}) {
  const topic = await newTopic(cluster, { partitions: 1, beside: ['out', 'dead-letter'] });
  await publish(cluster, topic, numbered(COUNT));
  const consumer = newConsumer(cluster, topic, { pipeline, ...config });
  return {
    ...{ topic, ...consumer },
    out: () => readTopic(cluster, `${topic}.out`),
    dead: async () => numbersOf(await readTopic(cluster, `${topic}.dead-letter`)),
    committed: async () => (await committedOffsets(cluster, topic)).get(0),
  };
}

const numberOf = ({ value }: { value: Buffer | null }) => JSON.parse(String(value)).n as number;

describe('handleBatch', () => {
  test("gets a partition's records in order; those that it returns fail alone", async () => {
    const seen: number[] = [];
    const { pull, dead, committed } = await setUp({
      handleBatch(records) {
        seen.push(...records.map(numberOf));
        return records.flatMap((record, index) =>
          numberOf(record) === 4 ? [{ index, error: new PermanentError('no') }] : [],
        );
      },
    });
    const { processed, deadLettered } = await pull();
    assert.deepEqual([processed, deadLettered, await committed()], [COUNT - 1, 1, COUNT]);
    assert.deepEqual([seen, await dead()], [upTo(COUNT), [4]]);
  });

  test('what it throws fails all of them, and they come again', async () => {
    let calls = 0;
    const { pull, committed } = await setUp({
      handleBatch() {
        if (calls++ === 0) throw new TransientError('the database is away');
      },
    });
    assert.equal((await pull()).processed, COUNT);
    assert.deepEqual([calls, await committed()], [2, COUNT]);
  });

  test('a call that does not end in time has handled none of its records', async () => {
    const { pull, committed } = await setUp({ handleBatch: () => new Promise(() => {}) }, { retries: 0 });
    await assert.rejects(pull({}, {}, 1_500), failsWith('SINK_FAILED'));
    assert.equal(await committed(), NOTHING);
  });

  test('an index beyond the batch fails the whole batch', async () => {
    const handleBatch = () => [{ index: COUNT, error: new Error('x') }];
    const { pull, dead } = await setUp({ handleBatch }, { retries: 0 });
    assert.equal((await pull()).deadLettered, COUNT);
    assert.deepEqual(await dead(), upTo(COUNT));
  });
});

describe('what handlers get', () => {
  test('resources, opened once an instance and closed at its end; variables; who asked', async () => {
    let opened = 0;
    const closed: unknown[] = [];
    const contexts: RecordContext[] = [];
    const { topic, pull, consumer } = await setUp({
      openResources: ({ environment }) => ({ url: environment('DATABASE_URL'), number: ++opened }),
      closeResources: (resources) => void closed.push(resources),
      handleRecord: (_record, context) => void contexts.push(context),
    });
    const variables: Record<string, string> = { DATABASE_URL: 'postgres://db' };
    const call = {
      requestId: 'r-1',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      environment: (name: string) => variables[name],
    };
    const config = { groupId: `${topic}-g`, topics: [topic] };
    await consumer.pull({}, { ...pullDefaults, ...config }, Date.now() + 30_000, call);
    await publish(cluster, topic, numbered(1));
    await pull();
    const [context] = contexts;
    assert.deepEqual(context?.resources, { url: 'postgres://db', number: 1 });
    assert.deepEqual([context?.requestId, context?.traceparent], ['r-1', call.traceparent]);
    assert.equal(context?.environment('DATABASE_URL'), 'postgres://db');
    assert.deepEqual([contexts.length, opened], [COUNT + 1, 1]);
    await consumer.close();
    assert.deepEqual(closed, [{ url: 'postgres://db', number: 1 }]);
  });

  test('resources that cannot be opened leave all records where they are, and the next call opens again', async () => {
    let opened = 0;
    const { pull, dead, committed } = await setUp({
      openResources() {
        if (opened++ === 0) throw new Error('connection refused');
      },
      handleRecord() {},
    });
    await assert.rejects(pull(), failsWith('SINK_FAILED'));
    assert.deepEqual([await committed(), await dead()], [NOTHING, []]);
    assert.equal((await pull()).processed, COUNT);
  });

  test('a pipeline with neither handleRecord nor handleBatch is refused at once', async () => {
    const making = setUp({});
    await assert.rejects(making, failsWith('CONFIG_INVALID'));
  });
});

describe('transformRecord', () => {
  /** Drops 1, doubles 2, says of 3 that it can't be, changes 4, and leaves the others. */
  const transforming: Pipeline = {
    transformRecord(record) {
      const number = numberOf(record);
      if (number === 1) return undefined;
      if (number === 2) return [record, { ...record, value: Buffer.from('{"n":200}') }];
      if (number === 3) throw new PermanentError('not this one');
      return number === 4
        ? { ...record, value: Buffer.from('{"n":400}'), topic: 'elsewhere', offset: 999 }
        : record;
    },
  };
  const outputs = [0, 2, 200, 400, ...upTo(COUNT).slice(5)].sort((a, b) => a - b);

  test('before the topic sink: outputs, dead letters and offsets are one transaction', async () => {
    const sink = { name: 'topic', topic: '{topic}.out' } as const;
    const { pull, out, dead, committed } = await setUp(transforming, { sink });
    const { processed, deadLettered } = await pull();
    assert.deepEqual([processed, deadLettered, await committed()], [COUNT - 1, 1, COUNT]);
    assert.deepEqual([numbersOf(await out()), await dead()], [outputs, [3]]);
    assert.equal((await pull()).processed, 0);
  });

  test('before the http sink: coordinates stay those of the source', async () => {
    const { posts, sink } = await startReceiver();
    const { topic, pull, dead, committed } = await setUp(transforming, { sink });
    const { processed, deadLettered } = await pull();
    assert.deepEqual([processed, deadLettered, await committed()], [COUNT - 1, 1, COUNT]);
    const posted = posts.flatMap(({ records }) => records);
    const numberIn = ({ value }: { value: unknown }) => (value as { n: number }).n;
    assert.deepEqual(
      posted.map(numberIn).sort((a, b) => a - b),
      outputs,
    );
    const changed = posted.find((record) => numberIn(record) === 400);
    assert.deepEqual([changed?.topic, changed?.offset], [topic, 4]);
    assert.deepEqual(await dead(), [3]);
  });

  test('a failure for now is tried again, and a longer one keeps the partition before its record', async () => {
    let attempts = 0;
    const sink = { name: 'topic', topic: '{topic}.out' } as const;
    const failing = (times: number): Pipeline => ({
      transformRecord(record) {
        if (numberOf(record) === 4 && attempts++ < times) throw new TransientError('busy');
        return record;
      },
    });
    const once = await setUp(failing(1), { sink });
    assert.equal((await once.pull()).processed, COUNT);
    attempts = 0;
    const always = await setUp(failing(Number.POSITIVE_INFINITY), { sink });
    await assert.rejects(always.pull(), failsWith('SINK_FAILED'));
    assert.deepEqual([await always.committed(), numbersOf(await always.out())], [4, upTo(4)]);
  });

  test('a record that becomes more than a sink takes at once goes on as a whole', async () => {
    const many: Pipeline = {
      transformRecord: (record) => Array.from({ length: 1_200 }, () => record),
    };
    const { posts, sink } = await startReceiver();
    const { pull } = await setUp(many, { sink });
    assert.equal((await pull()).processed, COUNT);
    assert.equal(posts.length, Math.ceil((COUNT * 1_200) / 500));
  });
});
