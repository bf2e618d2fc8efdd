import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Pipeline } from '../../../functions/consume-batch/records/pipeline.ts';
import { PermanentError } from '../../../functions/consume-batch/records/record-failure.ts';
import { postgresTool } from '../../../local/postgres.ts';
import { buildOwn, bundledConsumer } from '../../support/bundle.ts';
import { failsWith } from '../../support/errors.ts';
import { scratchFolder } from '../../support/folders.ts';
import { postgresForTests, sinkVariables } from '../../support/postgres.ts';
import { topicWithTable } from '../../support/postgres-topic.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';

const why = await postgresTool.missing();
const cluster = await sharedCluster();
const database = await postgresForTests();
const client = await database.client();

const setUp = (handleTransaction: Pipeline['handleTransaction']) =>
  topicWithTable(
    { cluster, database, client },
    {
      pipeline: { handleTransaction },
      table: 'CREATE TABLE {table} (id text PRIMARY KEY, total int NOT NULL)',
    },
  );

const add =
  (seen: number[] = []): NonNullable<Pipeline['handleTransaction']> =>
  async (records, { sql }) => {
    seen.push(records.length);
    for (const { topic, key, value } of records) {
      if (`${value}` === 'poison') throw new PermanentError('not for me');
      await sql(
        `INSERT INTO "${topic}" AS t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET total = t.total + EXCLUDED.total`,
        [`${key}`, `${value}`],
      );
    }
  };

describe('handleTransaction', { skip: why ?? false }, () => {
  test("its statements are the offset's transaction, and a record's fault is found by halving", async () => {
    const seen: number[] = [];
    const it = await setUp(add(seen));
    const values = Array.from({ length: 40 }, (_, n) => (n === 17 ? 'many' : n === 30 ? 'poison' : '1'));
    await it.publish(values.map((value, n) => ({ key: `k${n % 3}`, value })));
    const answer = await it.pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [38, 2]);
    assert.deepEqual(await it.query('SELECT sum(total)::int AS total FROM {table}'), [{ total: 38 }]);
    assert.deepEqual(
      (await it.dead()).map(({ value }) => value),
      ['many', 'poison'],
    );
    assert.deepEqual(seen.slice(0, 3), [1, 2, 4]);
    assert.deepEqual(await it.stored(), [40]);
  });

  test('statements that are awaited together run in turn', async () => {
    const it = await setUp(async (records, { sql }) => {
      const [topic] = records.map((record) => record.topic);
      const insert = `INSERT INTO "${topic}" VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET total = EXCLUDED.total`;
      await Promise.all(['1', '2', '3'].map((total) => sql(insert, ['a', total])));
    });
    await it.publish([{ value: 'x' }]);
    await it.pull();
    assert.deepEqual(await it.query('SELECT total FROM {table}'), [{ total: 3 }]);
  });

  test('is in the trace of its records, where they have the same', async () => {
    const traces: unknown[] = [];
    const it = await setUp(async (records, { traceparent, traceId }) => {
      for (const _record of records) traces.push([traceparent, traceId]);
    });
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
    await it.publish([1, 2].map((n) => ({ value: `${n}`, headers: { traceparent } })));
    await it.pull();
    await it.publish([{ value: '3' }]);
    await it.pull();
    assert.deepEqual(traces, [
      [traceparent, traceId],
      [traceparent, traceId],
      [undefined, undefined],
    ]);
  });

  test('rows come back', async () => {
    const rows: unknown[] = [];
    const it = await setUp(async (_records, { sql }) => {
      rows.push(...(await sql('SELECT $1::int AS one', [1])));
    });
    await it.publish([{ value: 'x' }]);
    await it.pull();
    assert.deepEqual(rows, [{ one: 1 }]);
  });

  for (const statement of [
    'COMMIT',
    ' /* a */ -- b\n rollback',
    '-- b\rCOMMIT',
    ';BEGIN',
    'SELECT 1; COMMIT',
    'end',
  ]) {
    test(`${JSON.stringify(statement)} is refused, and nothing is committed`, async () => {
      const it = await setUp(async (records, call) => {
        await add()(records, call);
        await call.sql(statement);
      });
      await it.publish([{ key: 'a', value: '1' }]);
      const outcome = await it.pull().then(
        ({ deadLettered }) => deadLettered,
        (error: { code: string }) => error.code,
      );
      assert.ok(outcome === 1 || outcome === 'SINK_FAILED', `${outcome}`);
      assert.deepEqual(await it.query('SELECT 1 FROM {table}'), []);
    });
  }

  test("a statement's error blames as it would without the code, however it is wrapped or kept", async () => {
    for (const hide of [
      () => {},
      (error: Error) => {
        throw new Error(`could not insert: ${error.message}`);
      },
    ]) {
      const it = await setUp(async (records, call) => {
        await add()(records, call);
        if (`${records[0]?.key}` !== 'fine') await call.sql('SELECT 1/0').catch(hide);
      });
      await it.publish([{ key: 'a', value: '1' }]);
      assert.equal((await it.pull()).deadLettered, 1);
      const away = await setUp(async (records, call) => {
        await Promise.resolve(add()(records, call)).catch(hide);
      });
      await away.publish([{ key: 'a', value: '1' }]);
      await away.query('ALTER TABLE {table} RENAME COLUMN total TO other');
      await assert.rejects(away.pull(), failsWith('SINK_FAILED'));
      assert.deepEqual([await away.dead(), await away.stored()], [[], []]);
    }
  });

  test('statements that are not awaited commit nothing', async () => {
    const it = await setUp((records, { sql }) => {
      for (const { topic, key } of records) void sql(`INSERT INTO "${topic}" VALUES ($1, 1)`, [`${key}`]);
    });
    await it.publish([{ key: 'a', value: '1' }]);
    await assert.rejects(it.pull(), failsWith('SINK_FAILED', /await each sql/));
    assert.deepEqual(
      [await it.query('SELECT 1 FROM {table}'), await it.stored(), await it.dead()],
      [[], [], []],
    );
  });

  test('code that never ends, or that a signal ends, is late: nothing is dead-lettered, the next pull goes on', async () => {
    let hangs: ((signal: AbortSignal) => Promise<void>) | undefined = () => new Promise(() => {});
    const it = await setUp(async (records, call) => {
      await hangs?.(call.signal);
      await add()(records, call);
    });
    await it.publish([{ key: 'a', value: '1' }]);
    await assert.rejects(it.pull({}, {}, 1_500), failsWith('SINK_FAILED', /did not finish within/));
    hangs = (signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    await assert.rejects(it.pull({}, {}, 1_500), failsWith('SINK_FAILED'));
    hangs = undefined;
    assert.deepEqual([(await it.pull()).processed, await it.dead()], [1, []]);
  });

  test('slow code gets somewhere in each call', async () => {
    const it = await setUp(async (records, call) => {
      for (const record of records) {
        await new Promise((resolve) => setTimeout(resolve, 40));
        await add()([record], call);
      }
    });
    await it.publish(Array.from({ length: 100 }, (_, n) => ({ key: `${n}`, value: '1' })));
    const { processed, more } = await it.pull({}, {}, 2_000);
    assert.ok(processed >= 3 && more, `${processed}`);
  });

  test('is not called without records, and leaves nothing behind in the connection', async () => {
    const sizes: number[] = [];
    const it = await setUp(async (records, call) => {
      sizes.push(records.length);
      await call.sql("SET search_path = 'nowhere'");
      await call.sql('CREATE TEMP TABLE mine (a int)');
    });
    await it.pull();
    for (let n = 0; n < 2; n++) {
      await it.publish([{ value: 'x' }]);
      assert.equal((await it.pull()).processed, 1);
    }
    assert.deepEqual(sizes, [1, 1]);
  });

  test('sql is of no use after the end', async () => {
    let late: (() => Promise<unknown>) | undefined;
    const it = await setUp(async (_records, { sql }) => {
      late = () => sql('SELECT 1');
    });
    await it.publish([{ value: 'x' }]);
    await it.pull();
    await assert.rejects(late?.() ?? Promise.resolve(), /after handleTransaction had ended/);
  });

  test('an error that blames nobody is tried again, and then the record is dead-lettered', async () => {
    let calls = 0;
    const it = await setUp(async () => {
      calls++;
      throw new Error('what now');
    });
    await it.publish([{ value: 'x' }]);
    assert.deepEqual([(await it.pull()).deadLettered, calls > 2], [1, true]);
  });
});

describe('pipeline/handle-transaction.ts', { skip: why ?? false }, () => {
  const folder = (name: string) => fileURLToPath(new URL(`../../support/${name}`, import.meta.url));

  test('is built in, and decides', async () => {
    const pipeline = folder('pipeline-transaction');
    const start = await bundledConsumer(cluster, (options) => buildOwn({ ...options, pipeline }));
    await client.query('CREATE TABLE sums (topic text PRIMARY KEY, total int)');
    const { topic, publish, dead, stored } = await setUp(undefined);
    await publish(['1', '20', 'x', '300'].map((value) => ({ value })));
    const runtime = start({
      ...sinkVariables(database),
      ...{ KAFKA_GROUP_ID: `${topic}-g`, CONSUME_TOPICS: topic },
    });
    const result = await runtime.invoke({});
    assert.ok(result.ok, JSON.stringify(result));
    const { rows } = await client.query('SELECT total FROM sums WHERE topic = $1', [topic]);
    assert.deepEqual([rows, (await dead()).map(({ value }) => value)], [[{ total: 321 }], ['x']]);
    assert.deepEqual(await stored(), [4]);
  });

  test('beside a transform that changes records, the build is refused', async () => {
    const pipeline = scratchFolder('pipeline');
    cpSync(folder('pipeline-dropping'), pipeline, { recursive: true });
    cpSync(folder('pipeline-transaction/handle-transaction.ts'), join(pipeline, 'handle-transaction.ts'));
    const building = buildOwn({ functions: ['consume-batch'], outdir: scratchFolder('dist'), pipeline });
    await assert.rejects(building, /handle-transaction.ts: .*transform-record.ts/);
  });
});
