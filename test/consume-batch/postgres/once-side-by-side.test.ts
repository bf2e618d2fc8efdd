import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Pipeline } from '../../../functions/consume-batch/records/pipeline.ts';
import { PermanentError } from '../../../functions/consume-batch/records/record-failure.ts';
import { postgresTool } from '../../../local/postgres.ts';
import { codeOf } from '../../../src/errors.ts';
import type { TestConsumer } from '../../support/consumer.ts';
import { failsWith } from '../../support/errors.ts';
import { ofRequest } from '../../support/idempotency.ts';
import { postgresForTests } from '../../support/postgres.ts';
import { topicWithTable } from '../../support/postgres-topic.ts';
import { upTo } from '../../support/records.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';

const why = await postgresTool.missing();
const cluster = await sharedCluster();
const database = await postgresForTests();
const client = await database.client();
/** Whose locks are in the way. */
const blocker = await database.client();

const setUp = (pipeline: Pipeline = {}, retries = 5) =>
  topicWithTable(
    { cluster, database, client },
    {
      partitions: 2,
      pipeline,
      variables: { CONSUME_SINK_DEDUPLICATE: 'true' },
      config: { retries, retryBackoffMs: 50 },
      ...(pipeline.handleTransaction && { table: 'CREATE TABLE {table} (value text)' }),
    },
  );

/** Until so many statements of the sink wait for a lock. */
async function waiting(count: number): Promise<void> {
  for (let asked = 0; asked < 500; asked++) {
    const { rows } = await client.query(
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'kafka-functions' AND wait_event_type = 'Lock'`,
    );
    if (rows[0]?.count === count) return;
    await wait(10);
  }
  assert.fail(`${count} statements never waited`);
}

/** SQLSTATE of what made transactions run again. */
function repeatedFor({ log }: TestConsumer): string[] {
  const lines = log.lines.filter(({ message }) => message === 'a transaction is tried again');
  return lines.map(({ fields }) => codeOf(fields?.error));
}

describe('two pulls at once, with the same keys in both partitions', { skip: why ?? false }, () => {
  // Nor do they stay where a test has failed.
  afterEach(async () => void (await blocker.query('ROLLBACK')));

  test('in opposite order: neither waits for the other for ever', async () => {
    const it = await setUp();
    const [one, two] = [it.another(), it.another()];
    const records = (partition: number) =>
      upTo(100).map((n) => ofRequest({ value: `${n}`, partition }, { key: `${n}` }));
    await it.publish([...records(0), ...records(1).reverse()]);
    // Each needs its time, so that both are at work at once.
    await client.query(`CREATE FUNCTION slow() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(0.005); RETURN NEW; END $$ LANGUAGE plpgsql;
      CREATE TRIGGER slow BEFORE INSERT ON kafka_functions_once FOR EACH ROW EXECUTE FUNCTION slow()`);
    await blocker.query('BEGIN; LOCK TABLE kafka_functions_once IN SHARE MODE');
    const pulls = Promise.all([one.pull({ partitions: [0] }), two.pull({ partitions: [1] })]);
    await waiting(2);
    await blocker.query('COMMIT');
    const answers = await pulls;
    await client.query('DROP TRIGGER slow ON kafka_functions_once');
    assert.deepEqual(
      answers.map(({ processed, deadLettered }) => [processed, deadLettered]),
      [
        [100, 0],
        [100, 0],
      ],
    );
    assert.deepEqual([repeatedFor(one), repeatedFor(two)], [[], []]);
    assert.deepEqual(
      await it.query('SELECT count(*)::int AS rows, count(DISTINCT value)::int AS values FROM {table}'),
      [{ rows: 100, values: 100 }],
    );
  });

  for (const ends of ['is committed', 'is killed']) {
    test(`the second waits until the first ${ends}`, async () => {
      const it = await setUp();
      const [one, two] = [it.another(), it.another()];
      await it.publish([0, 1].map((partition) => ofRequest({ value: '1', partition })));
      await blocker.query(`BEGIN; LOCK TABLE ${it.table}`);
      const first = one.pull({ partitions: [0] });
      await waiting(1);
      const second = two.pull({ partitions: [1] });
      await waiting(2);
      if (ends === 'is killed') {
        await client.query(
          `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = $1::regclass AND NOT granted`,
          [it.table],
        );
      }
      await blocker.query('COMMIT');
      const answers = await Promise.all([first, second]);
      assert.deepEqual(
        answers.map(({ processed }) => processed),
        [1, 1],
      );
      const [row, ...more] = await it.query('SELECT partition FROM {table}');
      assert.deepEqual(more, []);
      if (ends === 'is committed') assert.equal(row?.partition, 0);
    });
  }

  test('a deadlock, as where records are written one by one: one of them is tried again', async () => {
    // Both are about to write their second record, with a key that the other one holds.
    const gates = { begun: gate(2), held: gate(2) };
    const handleTransaction: Pipeline['handleTransaction'] = async (records, { sql }) => {
      const values = records.map(({ value }) => `${value}`);
      if (values.includes('first') && values.length > 1) throw new PermanentError('too many');
      if (values.includes('first')) await gates.begun();
      if (values.length === 1 && /^[xy]$/.test(values[0] ?? '')) await gates.held();
      for (const { topic } of records) await sql(`INSERT INTO "${topic}" VALUES ($1)`, [values.shift()]);
    };
    const it = await setUp({ handleTransaction });
    const [one, two] = [it.another(), it.another()];
    const keyed = (value: string, partition: number) => ofRequest({ value, partition }, { key: value });
    const plain = (value: string, partition: number) => ({ value, partition });
    for (const [partition, own, other] of [[0, 'x', 'y'] as const, [1, 'y', 'x'] as const]) {
      await it.publish([
        // User code gets one record, then two, then four: the first three are not of interest.
        ...['a', 'b', 'c'].map((value) => plain(value, partition)),
        ...[
          plain('first', partition),
          keyed(own, partition),
          keyed(other, partition),
          plain('last', partition),
        ],
      ]);
    }
    const answers = await Promise.all([one.pull({ partitions: [0] }), two.pull({ partitions: [1] })]);
    assert.deepEqual(
      answers.map(({ processed, deadLettered }) => [processed, deadLettered]),
      [
        [7, 0],
        [7, 0],
      ],
    );
    assert.ok([...repeatedFor(one), ...repeatedFor(two)].includes('40P01'));
    const keys = await it.query(`SELECT value FROM {table} WHERE value IN ('x', 'y') ORDER BY 1`);
    assert.deepEqual(keys, [{ value: 'x' }, { value: 'y' }]);
  });

  test('a key that somebody holds longer than we wait: the records stay', async () => {
    const it = await setUp({}, 0);
    await it.publish([ofRequest({ value: '1', partition: 0 })]);
    await blocker.query('BEGIN');
    await blocker.query(`INSERT INTO kafka_functions_once VALUES ($1, $2, '-', 'once', 0, 'another', 0, 0)`, [
      `${it.topic}-g`,
      it.topic,
    ]);
    await assert.rejects(it.pull(), failsWith('SINK_FAILED', /lock timeout/));
    await blocker.query('ROLLBACK');
    assert.deepEqual([(await it.pull()).processed, await it.dead()], [1, []]);
  });
});

/** Opens once `count` have come, and stays open. */
function gate(count: number): () => Promise<void> {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let come = 0;
  return () => {
    come++;
    if (come === count) open();
    return opened;
  };
}
