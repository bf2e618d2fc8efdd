import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PermanentError } from '../../../functions/consume-batch/records/record-failure.ts';
import { sinkConfig } from '../../../functions/consume-batch/sinks/open-sink.ts';
import { ddl } from '../../../functions/consume-batch/sinks/postgres/ddl.ts';
import { CLEAN } from '../../../functions/consume-batch/sinks/postgres/once.ts';
import { postgresTool } from '../../../local/postgres.ts';
import { tableConfig } from '../../../src/postgres/config.ts';
import { readConfig } from '../../../src/variables.ts';
import { newTopic } from '../../support/cluster.ts';
import { newConsumer } from '../../support/consumer.ts';
import { failsWith } from '../../support/errors.ts';
import { startTcpProxy } from '../../support/faults/tcp-proxy.ts';
import { ofRequest } from '../../support/idempotency.ts';
import { postgresForTests, sinkOf, sinkVariables } from '../../support/postgres.ts';
import { type TopicSetting, topicWithTable } from '../../support/postgres-topic.ts';
import { runScript } from '../../support/processes.ts';
import { publish, upTo } from '../../support/records.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';

const why = await postgresTool.missing();
const cluster = await sharedCluster();
const database = await postgresForTests();
const client = await database.client();

const once: Record<string, string> = { CONSUME_SINK_DEDUPLICATE: 'true' };
const upsert = { CONSUME_SINK_INSERT_MODE: 'upsert', CONSUME_SINK_PK_FIELDS: 'id' };

const setUp = ({ variables = {}, ...setting }: TopicSetting = {}) =>
  topicWithTable({ cluster, database, client }, { ...setting, variables: { ...once, ...variables } });
type It = Awaited<ReturnType<typeof setUp>>;

/** The keys of a topic, as `caller/key/index@offset`. */
async function keysOf({ topic }: It): Promise<string[]> {
  const { rows } = await client.query(
    `SELECT caller || '/' || key || '/' || index || '@' || "offset" AS key FROM kafka_functions_once WHERE topic = $1 ORDER BY 1`,
    [topic],
  );
  return rows.map(({ key }) => key);
}

async function offsetsOf({ query }: It): Promise<number[]> {
  return (await query('SELECT "offset"::int AS o FROM {table} ORDER BY 1')).map(({ o }) => o);
}

describe('once only', { skip: why ?? false }, () => {
  test('a repeat is skipped and counts as processed; another key, caller or index is another record', async () => {
    const it = await setUp();
    await it.publish([
      ofRequest({ value: '1' }),
      ofRequest({ value: '1' }),
      ofRequest({ value: '1' }, { key: 'another' }),
      ofRequest({ value: '1' }, { caller: 'shop' }),
      ofRequest({ value: '1' }, { index: 1 }),
      { value: '1' },
      { value: '1' },
    ]);
    const answer = await it.pull();
    assert.deepEqual([answer.processed, answer.failed, answer.deadLettered], [7, 0, 0]);
    assert.deepEqual(await offsetsOf(it), [0, 2, 3, 4, 5, 6]);
    assert.deepEqual(await keysOf(it), ['-/another/0@2', '-/once/0@0', '-/once/1@4', 'shop/once/0@3']);
    const line = it.log.lines.find(({ message }) => message === 'rows were written');
    assert.deepEqual([line?.fields?.records, line?.fields?.repeats, line?.fields?.bytes], [6, 1, 6]);
    // In a later pull, of another instance.
    await it.publish([ofRequest({ value: '1' }), { value: '2' }]);
    assert.equal((await it.another().pull()).processed, 2);
    assert.deepEqual([await offsetsOf(it), await it.stored()], [[0, 2, 3, 4, 5, 6, 8], [9]]);
  });

  test('another body with the same key is dead-lettered, and says where the first is', async () => {
    const it = await setUp();
    await it.publish([ofRequest({ value: '1' }), ofRequest({ value: '2' })]);
    const first = await it.pull();
    await it.publish([ofRequest({ value: '3' }), ofRequest({ value: '1' }), { value: '4' }]);
    const second = await it.another().pull();
    assert.deepEqual([first.processed, first.deadLettered], [1, 1]);
    assert.deepEqual([second.processed, second.deadLettered], [2, 1]);
    const dead = await it.dead();
    assert.deepEqual(
      dead.map(({ value, name }) => [value, name]),
      ['2', '3'].map((value) => [value, 'IDEMPOTENCY_KEY_REUSED']),
    );
    for (const letter of dead) {
      assert.match(letter.why, /^IDEMPOTENCY_KEY_REUSED: .* with another body/);
      assert.ok(letter.why.includes(`${it.topic}-0@0`) && !letter.why.includes('once'), letter.why);
    }
    assert.deepEqual([await offsetsOf(it), await keysOf(it)], [[0, 4], ['-/once/0@0']]);
  });

  test('keys of any characters; a record with other headers of these names is one without a key', async () => {
    const it = await setUp();
    const keys = [`"'\\%_{},NULL;--$1\`~!`, 'ü€😀'.repeat(60), 'k'.repeat(255), ' ', '😀'.repeat(255)];
    const digest = '0'.repeat(32);
    const scope = `-/0/${digest}`;
    const odd = [
      { 'idempotency-key': 'k' },
      { 'idempotency-scope': scope },
      { 'idempotency-key': '', 'idempotency-scope': scope },
      { 'idempotency-key': 'k'.repeat(256), 'idempotency-scope': scope },
      { 'idempotency-key': 'a\0b', 'idempotency-scope': scope },
      { 'idempotency-key': Buffer.from([0xff]), 'idempotency-scope': scope },
      { 'idempotency-key': ['k', 'k'], 'idempotency-scope': scope },
      { 'idempotency-key': 'k', 'idempotency-scope': [scope, scope] },
      { 'Idempotency-Key': 'k', 'idempotency-scope': scope },
      ...['-/0/0', `a b/0/${digest}`, `-/x/${digest}`, `-/99999999999/${digest}`].map((wrong) => ({
        'idempotency-key': 'k',
        'idempotency-scope': wrong,
      })),
    ];
    const records = [
      ...keys.map((key) => ofRequest({ value: '1' }, { key })),
      ...odd.map((headers) => ({ value: '2', headers })),
    ];
    await it.publish([...records, ...records]);
    const answer = await it.pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [2 * records.length, 0]);
    const { rows } = await client.query('SELECT key FROM kafka_functions_once WHERE topic = $1', [it.topic]);
    assert.deepEqual(new Set(rows.map(({ key }) => key)), new Set(keys));
    assert.equal((await offsetsOf(it)).length, keys.length + 2 * odd.length);
  });

  test('10,000 records of one request that was sent twice', async () => {
    const it = await setUp({ partitions: 2 });
    for (const partition of [0, 1]) {
      await it.publish(
        upTo(10_000).map((index) => ofRequest({ value: `${index}`, partition }, { index, body: 'all' })),
      );
    }
    for (let more = true; more; ) ({ more } = await it.pull());
    assert.deepEqual(
      await it.query('SELECT count(*)::int AS rows, count(DISTINCT value)::int AS values FROM {table}'),
      [{ rows: 10_000, values: 10_000 }],
    );
    assert.deepEqual(await it.stored(), [10_000, 10_000]);
  });

  test('a batch of repeats alone moves the offset', async () => {
    const it = await setUp();
    const records = upTo(50).map((n) => ofRequest({ value: `${n}` }, { key: `${n}` }));
    await it.publish(records);
    await it.pull();
    await it.publish(records);
    const { processed, deadLettered } = await it.pull();
    assert.deepEqual([processed, deadLettered, await it.stored()], [50, 0, [100]]);
    assert.deepEqual(await offsetsOf(it), upTo(50));
  });

  test('topics and groups have keys of their own', async () => {
    const it = await setUp();
    const another = await setUp();
    await it.publish([ofRequest({ value: '1' })]);
    await another.publish([ofRequest({ value: '2' })]);
    const sink = sinkOf(database, { ...once, CONSUME_SINK_TABLE_NAME_FORMAT: another.topic });
    const group = { groupId: `${it.topic}-other`, topics: [it.topic] };
    for (const { pull } of [it, another, newConsumer(cluster, group, { pipeline: {}, sink })]) {
      const { processed, deadLettered } = await pull();
      assert.deepEqual([processed, deadLettered], [1, 0]);
    }
    const values = await another.query('SELECT value FROM {table} ORDER BY value::text');
    assert.deepEqual(values, [{ value: 1 }, { value: 2 }]);
  });

  test('a record that is dead-lettered leaves no key: its repeat is tried', async () => {
    const it = await setUp({
      variables: upsert,
      table: 'CREATE TABLE {table} (id text PRIMARY KEY, total int, CONSTRAINT rule CHECK (total >= 0))',
    });
    const bad = ofRequest({ value: '{"id":"a","total":-1}' });
    const others = upTo(20).map((n) => ofRequest({ value: `{"id":"${n}","total":${n}}` }, { key: `${n}` }));
    await it.publish([bad, ...others, bad]);
    const first = await it.pull();
    assert.deepEqual([first.processed, first.deadLettered, (await keysOf(it)).length], [20, 2, 20]);
    await it.query('ALTER TABLE {table} DROP CONSTRAINT rule');
    await it.publish([bad, bad]);
    const second = await it.pull();
    assert.deepEqual([second.processed, second.deadLettered], [2, 0]);
    assert.equal((await it.query('SELECT 1 FROM {table}')).length, 21);
    assert.ok((await keysOf(it)).includes('-/once/0@22'));
  });

  test('bad records, repeats and reused keys in one batch: each is what it is', async () => {
    const it = await setUp();
    await it.publish([
      ofRequest({ value: '1' }, { key: 'a' }),
      ofRequest({ value: '{' }, { key: 'b' }),
      ofRequest({ value: '1' }, { key: 'a' }),
      ofRequest({ value: '2' }, { key: 'a' }),
      ofRequest({ value: '3' }, { key: 'b' }),
      ofRequest({ value: '{' }, { key: 'b' }),
      { value: '[' },
      ofRequest({ value: '3' }, { key: 'b' }),
    ]);
    const answer = await it.pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [4, 4]);
    assert.deepEqual(await offsetsOf(it), [0, 4]);
    const dead = await it.dead();
    assert.deepEqual(
      dead.map(({ value, name }) => [value, name]),
      [
        ['{', 'PoisonError'],
        ['2', 'IDEMPOTENCY_KEY_REUSED'],
        ['{', 'IDEMPOTENCY_KEY_REUSED'],
        ['[', 'PoisonError'],
      ],
    );
  });

  test('upsert: a repeat does not bring back what a later record has changed or deleted', async () => {
    const it = await setUp({
      variables: upsert,
      table: 'CREATE TABLE {table} (id text PRIMARY KEY, state text)',
    });
    const ordered = ofRequest({ value: '{"id":"o-1","state":"new"}' }, { key: 'order' });
    const deleted = ofRequest({ key: 'o-2', value: null }, { key: 'deletion' });
    const without = await setUp({
      variables: { ...upsert, CONSUME_SINK_DEDUPLICATE: 'false' },
      table: 'CREATE TABLE {table} (id text PRIMARY KEY, state text)',
    });
    const records = [
      ordered,
      ofRequest({ value: '{"id":"o-1","state":"paid"}' }, { key: 'payment' }),
      ordered,
      deleted,
      ofRequest({ value: '{"id":"o-2","state":"new"}' }, { key: 'order 2' }),
      deleted,
    ];
    for (const { publish, pull } of [it, without]) {
      await publish(records);
      await pull();
      await publish([ordered, deleted]);
      await pull();
    }
    const states = 'SELECT id, state FROM {table} ORDER BY id';
    assert.deepEqual(await it.query(states), [
      { id: 'o-1', state: 'paid' },
      { id: 'o-2', state: 'new' },
    ]);
    assert.deepEqual(await without.query(states), [{ id: 'o-1', state: 'new' }]);
  });

  test('outputs of a transformed record: all of them or none, and a dropped record is done', async () => {
    const it = await setUp({
      pipeline: {
        transformRecord: (record) =>
          Array.from({ length: Number(record.value) }, (_, n) => ({
            ...record,
            headers: [],
            value: Buffer.from(`{"n":${n}}`),
          })),
      },
    });
    const two = ofRequest({ value: '2' }, { key: 'two' });
    const none = ofRequest({ value: '0' }, { key: 'none' });
    await it.publish([two, none, two, none, ofRequest({ value: '1' }, { key: 'none' })]);
    const { processed, deadLettered } = await it.pull();
    assert.deepEqual([processed, deadLettered], [4, 1]);
    assert.deepEqual(await offsetsOf(it), [0, 0]);
    assert.deepEqual(await keysOf(it), ['-/none/0@1', '-/two/0@0']);
  });

  test('outputs that another pull has published are no repeats of each other', async () => {
    const it = await setUp();
    const source = await newTopic(cluster, { partitions: 1 });
    const value = (name: string) => Buffer.from(JSON.stringify(name));
    const { pull } = newConsumer(cluster, source, {
      sink: { name: 'topic', topic: it.topic },
      pipeline: {
        transformRecord: (record) =>
          `${record.value}` === '1' ? record : ['a', 'b'].map((name) => ({ ...record, value: value(name) })),
      },
    });
    await publish(cluster, source, [
      ...[ofRequest({ value: '1' }), ofRequest({ value: '1' })],
      ofRequest({ value: '2' }, { key: 'b' }),
    ]);
    await pull();
    await it.pull();
    assert.deepEqual(await it.query('SELECT value FROM {table} ORDER BY "offset"'), [
      ...[{ value: 1 }, { value: 'a' }, { value: 'b' }],
    ]);
  });

  test('handleTransaction does not get repeats, also where a record of the batch fails', async () => {
    const seen: string[] = [];
    const it = await setUp({
      pipeline: {
        async handleTransaction(records, { sql }) {
          // What it sets must not hide our table from us.
          await sql("SET search_path = 'nowhere'");
          for (const { topic, value } of records) {
            if (`${value}` === 'bad') throw new PermanentError('not for me');
            await sql(`INSERT INTO public."${topic}" VALUES ($1)`, [`${value}`]);
          }
          seen.push(...records.map(({ value }) => `${value}`));
        },
      },
      table: 'CREATE TABLE {table} (value text PRIMARY KEY)',
    });
    const records = upTo(40).map((n) => ofRequest({ value: `${n % 20}` }, { key: `${n % 20}` }));
    records.splice(30, 0, ofRequest({ value: 'bad' }, { key: 'bad' }));
    records.push(ofRequest({ value: 'other' }, { key: '7' }));
    await it.publish(records);
    const answer = await it.pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [40, 2]);
    assert.equal((await it.query('SELECT 1 FROM {table}')).length, 20);
    assert.deepEqual([...new Set(seen)].length, 20);
    assert.deepEqual(
      new Set((await it.dead()).map(({ name }) => name)),
      new Set(['PermanentError', 'IDEMPOTENCY_KEY_REUSED']),
    );
    assert.deepEqual([(await keysOf(it)).length, await it.stored()], [20, [42]]);
  });

  test('a record that is read once more after a rewind is no repeat of itself', async () => {
    const it = await setUp();
    await it.publish([
      ofRequest({ value: '1' }),
      ofRequest({ value: '1' }),
      ofRequest({ value: '2' }, { key: 'b' }),
    ]);
    await it.pull();
    await it.query('DELETE FROM {table}');
    await it.rewind(0);
    assert.equal((await it.pull()).processed, 3);
    assert.deepEqual(await offsetsOf(it), [0, 2]);
    await it.rewind(0);
    assert.equal((await it.pull()).processed, 3);
    assert.deepEqual([await offsetsOf(it), await it.dead()], [[0, 2], []]);
  });

  test('a COMMIT without an answer is found to be done, with its repeats and its dead letter', async () => {
    const proxy = await startTcpProxy(database.port);
    const CONSUME_SINK_URL = `postgres://127.0.0.1:${proxy.port}/postgres?sslmode=disable`;
    const it = await setUp({ variables: { CONSUME_SINK_URL } });
    await it.publish([ofRequest({ value: '1' }), ofRequest({ value: '1' }), ofRequest({ value: '2' })]);
    proxy.loseAnswerTo('COMMIT');
    const answer = await it.pull();
    assert.deepEqual([proxy.lost(), answer.processed, answer.deadLettered], [1, 2, 1]);
    assert.deepEqual([await offsetsOf(it), (await it.dead()).length], [[0], 1]);
  });

  test('a record that has a dead letter is not written, even if its key is free by then', async () => {
    const proxy = await startTcpProxy(database.port);
    const CONSUME_SINK_URL = `postgres://127.0.0.1:${proxy.port}/postgres?sslmode=disable`;
    const it = await setUp({ variables: { CONSUME_SINK_URL }, config: { retryBackoffMs: 500 } });
    await it.publish([ofRequest({ value: '1' })]);
    await it.pull();
    await it.publish([ofRequest({ value: '2' })]);
    proxy.once({
      ...{ from: 'client', text: 'COMMIT' },
      act() {
        void it.query('DELETE FROM kafka_functions_once');
        return 'lose';
      },
    });
    const { processed, deadLettered } = await it.pull();
    assert.deepEqual([processed, deadLettered, await offsetsOf(it)], [0, 1, [0]]);
    assert.equal((await it.dead()).length, 1);
  });

  test('a constraint that holds at the end only, beside a reused key', async () => {
    const it = await setUp({
      variables: upsert,
      table: 'CREATE TABLE {table} (id text PRIMARY KEY, serial int UNIQUE DEFERRABLE INITIALLY DEFERRED)',
    });
    await it.publish([
      ofRequest({ value: '{"id":"a","serial":1}' }, { key: 'a' }),
      ofRequest({ value: '{"id":"b","serial":1}' }, { key: 'b' }),
      ofRequest({ value: '{"id":"c"}' }, { key: 'a' }),
    ]);
    const answer = await it.pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [1, 2]);
    assert.deepEqual((await it.dead()).length, 2);
  });

  test("a reused key whose dead letter can't be written: what is before it is committed", async () => {
    const it = await setUp({ config: { deadLetterTopic: 'no-such-topic' } });
    await it.publish([
      ...[ofRequest({ value: '1' }), ofRequest({ value: '1' }), ofRequest({ value: '2' })],
      ofRequest({ value: '3' }, { key: 'b' }),
    ]);
    await assert.rejects(it.pull(), failsWith('DEAD_LETTER_FAILED', /-0@2 failed .IDEMPOTENCY_KEY_REUSED/));
    assert.deepEqual([await offsetsOf(it), await it.stored(), await keysOf(it)], [[0], [2], ['-/once/0@0']]);
  });

  test('npm run sink -- look shows the keys', async () => {
    const it = await setUp();
    await it.publish([ofRequest({ value: '1' }), ofRequest({ value: '1' })]);
    await it.pull();
    const { rows } = await client.query('SELECT count(*) AS keys FROM kafka_functions_once');
    const lookWith = (variables: Record<string, string>) =>
      runScript('functions/consume-batch/sinks/postgres/command.ts', ['look'], {
        ...{ PATH: process.env.PATH, CONSUME_TOPICS: it.topic, ...sinkVariables(database) },
        ...variables,
      });
    const { code, stdout } = await lookWith(once);
    assert.equal(code, 0);
    assert.ok(stdout.includes(`"${it.topic}": 1 rows`), stdout);
    assert.ok(stdout.includes(`kafka_functions_once: ${rows[0]?.keys} rows`), stdout);
    assert.match(stdout, /"caller":"-","key":"once","index":0/);
    assert.doesNotMatch((await lookWith({})).stdout, /kafka_functions_once/);
  });

  test('keys are kept for their time, and then forgotten, not all at once', async () => {
    const it = await setUp({ variables: { CONSUME_SINK_DEDUPLICATE_RETENTION_H: '1' } });
    const records = upTo(10).map((n) => ofRequest({ value: `${n}` }, { key: `old ${n}` }));
    await it.publish(records);
    await it.pull();
    const age = (hours: string) =>
      client.query('UPDATE kafka_functions_once SET written_at = now() - $2::interval WHERE topic = $1', [
        it.topic,
        hours,
      ]);
    const next = async (key: string) => {
      await it.publish([ofRequest({ value: '1' }, { key })]);
      await it.pull();
      return (await keysOf(it)).length;
    };
    await age('50 minutes');
    assert.equal(await next('a'), 11);
    await age('61 minutes');
    assert.deepEqual([await next('b'), await next('c'), await next('d')], [10, 9, 8]);
    for (const key of ['e', 'f', 'g']) await next(key);
    assert.deepEqual(
      (await keysOf(it)).filter((key) => key.includes('old')),
      [],
    );
    const before = (await offsetsOf(it)).length;
    await it.publish(records);
    await it.pull();
    assert.equal((await offsetsOf(it)).length, before + 10);
  });

  test('old keys are looked up by their places, also where the database knows of none', async () => {
    const it = await setUp();
    await client.query(
      `INSERT INTO kafka_functions_once SELECT 'g', $1, '-', n::text, 0, 'd', 0, n FROM generate_series(1, 20000) n`,
      [it.topic],
    );
    await client.query('ANALYZE kafka_functions_once');
    const { rows } = await client.query(`EXPLAIN ${CLEAN}`, [168, 4_000]);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    assert.match(plan, /-> +Tid Scan on kafka_functions_once/, plan);
    assert.match(plan, /Index Scan using kafka_functions_once_written_at/, plan);
    await client.query('DELETE FROM kafka_functions_once WHERE topic = $1', [it.topic]);
  });

  test('without the variable, and for records without keys, nothing of it is needed', async () => {
    const plain = await setUp({ variables: { CONSUME_SINK_DEDUPLICATE: 'false' } });
    await plain.publish([ofRequest({ value: '1' }), ofRequest({ value: '1' })]);
    await plain.pull();
    assert.deepEqual([await offsetsOf(plain), await keysOf(plain)], [[0, 1], []]);
  });

  test('a table in a schema of the role, that is partitioned', async () => {
    await client.query(
      `CREATE USER shop PASSWORD '${database.password}'; CREATE SCHEMA shop AUTHORIZATION shop`,
    );
    const it = await setUp({
      variables: { CONSUME_SINK_CONNECTION_USER: 'shop' },
      table: '',
    });
    const own = await database.client({ user: 'shop' });
    const statements = ddl(
      readConfig((name) => once[name], tableConfig),
      [it.topic],
    );
    for (const statement of statements) {
      const isOnce = statement.startsWith('CREATE TABLE IF NOT EXISTS kafka_functions_once');
      await own.query(
        isOnce ? statement.replace(/;$/, ' PARTITION BY HASH (topic, caller, key);') : statement,
      );
    }
    for (const n of upTo(4)) {
      await own.query(
        `CREATE TABLE once_${n} PARTITION OF kafka_functions_once FOR VALUES WITH (MODULUS 4, REMAINDER ${n})`,
      );
    }
    const keys = (from: number) => upTo(20).map((n) => ofRequest({ value: '1' }, { key: `${from + n}` }));
    await it.publish([...keys(0), ...keys(0)]);
    await it.pull();
    await own.query(
      "UPDATE kafka_functions_once SET written_at = now() - CASE WHEN key::int < 10 THEN interval '169 h' ELSE interval '167 h' END",
    );
    await it.publish(keys(100));
    await it.pull();
    const { rows } = await own.query('SELECT key::int FROM kafka_functions_once ORDER BY 1');
    assert.deepEqual(
      rows.map(({ key }) => key),
      [...upTo(10).map((n) => 10 + n), ...upTo(20).map((n) => 100 + n)],
    );
    const written = await own.query(`SELECT count(*)::int AS rows FROM "${it.topic}"`);
    assert.deepEqual(written.rows, [{ rows: 40 }]);
  });

  test('the table is missing: each pull says so, with what to run, and nothing is lost', async () => {
    const own = await postgresForTests();
    const it = await topicWithTable(
      { cluster, database: own, client: await own.client() },
      { variables: once },
    );
    await it.query('DROP TABLE kafka_functions_once');
    const says = failsWith(
      'SINK_FAILED',
      /kafka_functions_once.*CREATE TABLE IF NOT EXISTS kafka_functions_once.*CREATE INDEX/,
    );
    await assert.rejects(it.pull(), says);
    await it.publish([ofRequest({ value: '1' })]);
    await assert.rejects(it.pull(), says);
    const sql = ddl(
      readConfig((name) => once[name], tableConfig),
      [it.topic],
    );
    await it.query(sql.join(' '));
    assert.deepEqual([(await it.pull()).processed, await it.dead()], [1, []]);
  });
});

describe('the variables of once only', () => {
  const read = (variables: Record<string, string>) => readConfig((name) => variables[name], sinkConfig);
  const postgres = {
    CONSUME_SINK: 'postgres',
    CONSUME_SINK_URL: 'postgres://db/shop',
    CONSUME_SINK_CONNECTION_USER: 'u',
    CONSUME_SINK_CONNECTION_PASSWORD: 'pw-of-nobody',
  };

  for (const sink of ['handler', 'log', 'http', 'topic', 's3']) {
    test(`are refused with CONSUME_SINK=${sink}`, () => {
      const refused = failsWith(
        'CONFIG_INVALID',
        new RegExp(`CONSUME_SINK_DEDUPLICATE is not for CONSUME_SINK=${sink}`),
      );
      assert.throws(() => read({ CONSUME_SINK: sink, ...once }), refused);
    });
  }

  test('a retention of no time or of ages is refused', () => {
    for (const hours of ['0', '87601', 'week']) {
      const variables = { ...postgres, ...once, CONSUME_SINK_DEDUPLICATE_RETENTION_H: hours };
      assert.throws(
        () => read(variables),
        failsWith('CONFIG_INVALID', /RETENTION_H must be a whole number from 1 to 87600/),
      );
    }
  });

  test('a topic whose table would be that of the keys is refused', () => {
    const variables = { ...postgres, CONSUME_TOPICS: 'kafka_functions_once' };
    assert.throws(
      () => read(variables),
      failsWith('CONFIG_INVALID', /table of the sink's own, kafka_functions_once/),
    );
  });

  test('decide whether the DDL has the table of the keys', () => {
    const of = (variables: Record<string, string>) =>
      ddl(
        readConfig((name) => variables[name], tableConfig),
        ['orders'],
      ).join('\n');
    assert.match(of(once), /kafka_functions_once .*\n.*kafka_functions_once_written_at/);
    assert.doesNotMatch(of({}), /kafka_functions_once/);
  });
});
