import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { postgresTool } from '../../../local/postgres.ts';
import { newConsumer } from '../../support/consumer.ts';
import { failsWith } from '../../support/errors.ts';
import { postgresForTests, sinkOf } from '../../support/postgres.ts';
import { type TopicSetting, topicWithTable } from '../../support/postgres-topic.ts';
import { numbered, publish } from '../../support/records.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';

const why = await postgresTool.missing();
const cluster = await sharedCluster();
const database = await postgresForTests();
const client = await database.client();

const setUp = (setting?: TopicSetting) => topicWithTable({ cluster, database, client }, setting);

const upsert = { CONSUME_SINK_INSERT_MODE: 'upsert', CONSUME_SINK_PK_FIELDS: 'id' };

describe('the postgres sink', { skip: why ?? false }, () => {
  test('insert: a row a record, with every byte and digit', async () => {
    const it = await setUp();
    const deep = `{"a":9007199254740993,"b":12345678901234567890.123456789,"c":[{"d":"ü"}]}`;
    await it.publish([
      {
        key: Buffer.from([0, 255]),
        value: deep,
        headers: { h: Buffer.from([0, 255]) },
        timestamp: '1700000000123',
      },
      { key: null, value: null, timestamp: '1700000000124' },
      { key: 'k', value: 'null', timestamp: '0' },
      { key: 'k', value: `"${'x'.repeat(1_000_000)}"` },
    ]);
    const answer = await it.pull();
    assert.deepEqual([answer.processed, answer.failed, answer.deadLettered], [4, 0, 0]);
    const rows = await it.query(
      `SELECT topic, partition, "offset"::int, n, encode(key, 'hex') AS key, left(value::text, 80) AS value, length(value::text), headers, to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS') AS at FROM {table} ORDER BY "offset"`,
    );
    const place = { topic: it.topic, partition: 0, n: 0 };
    assert.deepEqual(rows.slice(0, 3), [
      {
        ...{ ...place, offset: 0, key: '00ff', length: 79, at: '2023-11-14T22:13:20.123' },
        value: '{"a": 9007199254740993, "b": 12345678901234567890.123456789, "c": [{"d": "ü"}]}',
        headers: [{ key: 'h', value: 'AP8=' }],
      },
      {
        ...place,
        offset: 1,
        key: null,
        value: null,
        length: null,
        headers: [],
        at: '2023-11-14T22:13:20.124',
      },
      {
        ...place,
        offset: 2,
        key: '6b',
        value: 'null',
        length: 4,
        headers: [],
        at: '1970-01-01T00:00:00.000',
      },
    ]);
    assert.equal(rows[3]?.length, 1_000_002);
    assert.deepEqual([await it.stored(), await it.committed()], [[4], 4]);
  });

  test('several partitions, batches and pulls: each record once, and Kafka shows no lag', async () => {
    const it = await setUp({ partitions: 3 });
    await it.publish(numbered(5_000));
    assert.equal((await it.pull({ maxRecords: 1_234 })).processed, 1_234);
    await it.pull();
    const [row] = await it.query(
      `SELECT count(*)::int AS rows, count(DISTINCT (partition, "offset"))::int AS places FROM {table}`,
    );
    assert.deepEqual(row, { rows: 5_000, places: 5_000 });
    assert.equal(await it.committed(), 5_000);
  });

  test('the outputs of a transformed record are numbered, none moves the offset', async () => {
    const it = await setUp({
      pipeline: {
        transformRecord: (record) =>
          Array.from({ length: Number(record.value) }, (_, n) => ({
            ...record,
            value: Buffer.from(`{"n":${n}}`),
          })),
      },
    });
    await it.publish(['2', '0', '1', '0'].map((value) => ({ value })));
    await it.pull();
    assert.deepEqual(await it.query(`SELECT "offset"::int, n, value FROM {table} ORDER BY 1, 2`), [
      { offset: 0, n: 0, value: { n: 0 } },
      { offset: 0, n: 1, value: { n: 1 } },
      { offset: 2, n: 0, value: { n: 0 } },
    ]);
    assert.deepEqual(await it.stored(), [4]);
  });

  test("upsert: the table is each key's last value, and what a value lacks is the default", async () => {
    const it = await setUp({
      variables: upsert,
      table: `CREATE TABLE {table} (id bigint PRIMARY KEY, a numeric, b text DEFAULT 'none', made timestamptz, no serial)`,
    });
    await it.publish([
      { key: 'x', value: '{"id":1,"a":1,"b":"old"}' },
      { key: 'x', value: '{"id":"1","a":12345678901234567890.123456789}' },
      { key: 'x', value: '{"id":9007199254740993,"b":null,"made":"2026-11-28T10:00:00Z"}' },
      { key: 'x', value: '{"id":2,"a":2}' },
      { key: '{"id":2}', value: null },
      { key: '3', value: '{"id":3,"a":1}' },
      { key: '3', value: null },
      { key: '3', value: '{"id":3,"a":2}' },
      { key: '4', value: null },
    ]);
    const answer = await it.pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [9, 0]);
    const select = 'SELECT id::text, a::text, b FROM {table} ORDER BY id';
    const rows = [
      { id: '1', a: '12345678901234567890.123456789', b: 'none' },
      { id: '3', a: '2', b: 'none' },
      { id: '9007199254740993', a: null, b: null },
    ];
    assert.deepEqual(await it.query(select), rows);
    const [before] = await it.query('SELECT no FROM {table} WHERE id = 1');
    await it.publish([{ value: '{"id":1,"b":"new"}' }, { key: '3', value: null }]);
    await it.pull();
    assert.deepEqual(await it.query(select), [{ id: '1', a: null, b: 'new' }, rows[2]]);
    assert.deepEqual(await it.query('SELECT no FROM {table} WHERE id = 1'), [before]);
  });

  test('what the table can never take becomes a dead letter, all else goes in', async () => {
    const it = await setUp({
      variables: upsert,
      table: `CREATE TABLE {table} (id text PRIMARY KEY, total int CHECK (total >= 0), name text, serial int UNIQUE DEFERRABLE INITIALLY DEFERRED)`,
    });
    const bad = [
      'not JSON',
      '[1]',
      '{"total":1}',
      '{"id":null}',
      '{"id":"m","colour":"red"}',
      '{"id":"t","total":"many"}',
      '{"id":"c","total":-1}',
      '{"id":"z","name":"\\u0000"}',
      '{"id":"s","name":"\\ud800"}',
      '{"id":"u","serial":7}',
    ];
    const good = Array.from({ length: 500 }, (_, n) => `{"id":"${n}","total":${n}}`);
    const values = ['{"id":"first","serial":7}', ...good];
    for (const [at, value] of bad.entries()) values.splice(1 + at * 40, 0, value);
    await it.publish([...values.map((value) => ({ value })), { key: null, value: null }]);
    const answer = await it.pull();
    assert.deepEqual([answer.processed, answer.failed, answer.deadLettered], [501, 0, 11]);
    const dead = await it.dead();
    assert.deepEqual(new Set(dead.map(({ value }) => value)), new Set([...bad, undefined]));
    const whyOf = (value: string) => dead.find((letter) => letter.value === value)?.why ?? '';
    assert.match(whyOf('{"id":"m","colour":"red"}'), /no column for the member colour/);
    assert.match(whyOf('{"id":"c","total":-1}'), /check constraint/);
    assert.match(whyOf('{"id":"u","serial":7}'), /unique constraint/);
    assert.match(whyOf('{"total":1}'), /no id/);
    assert.equal((await it.query('SELECT 1 FROM {table}')).length, 501);
    assert.deepEqual(await it.stored(), [512]);
  });

  test('a timestamp that no calendar has is a dead letter, and its neighbours go in', async () => {
    const it = await setUp();
    await cluster.createTopic(`${it.topic}.odd`, {
      partitions: 1,
      config: { 'message.timestamp.after.max.ms': '9223372036854775807' },
    });
    await publish(
      cluster,
      `${it.topic}.odd`,
      ['1700000000000', '1700000000000000000'].map((timestamp, n) => ({ value: `${n}`, timestamp })),
    );
    const { pull } = newConsumer(
      cluster,
      { groupId: `${it.topic}-odd`, topics: [`${it.topic}.odd`] },
      {
        pipeline: {},
        sink: sinkOf(database, { CONSUME_SINK_TABLE_NAME_FORMAT: it.topic }),
        deadLetterTopic: `${it.topic}.dead-letter`,
      },
    );
    const answer = await pull();
    assert.deepEqual([answer.processed, answer.deadLettered], [1, 1]);
    assert.match((await it.dead())[0]?.why ?? '', /beyond the year/);
  });

  test('upsert into odd columns: domains, names of our own, a key that a trigger changes', async () => {
    const it = await setUp({
      variables: upsert,
      table: `CREATE DOMAIN state AS text NOT NULL; CREATE TABLE {table} (id text PRIMARY KEY, state state DEFAULT 'new', ordinality int, ord int, g int, tags int[], at date, raw bytea, more jsonb);
        CREATE FUNCTION lower_id() RETURNS trigger AS $$ BEGIN NEW.id := lower(NEW.id); RETURN NEW; END $$ LANGUAGE plpgsql;
        CREATE TRIGGER lower_id BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION lower_id()`,
    });
    await it.publish([
      { value: '{"id":"A","ordinality":1,"ord":2,"g":3}' },
      { value: '{"id":"a","tags":[1,2],"at":"2026-11-28","raw":"\\\\x00ff","more":{"n":9007199254740993}}' },
      { key: 'gone', value: null },
    ]);
    const answer = await it.pull();
    assert.deepEqual([answer.processed, await it.dead()], [3, []]);
    assert.deepEqual(
      await it.query(
        `SELECT id, state, ordinality, g, tags, at::text, encode(raw, 'hex') AS raw, more::text FROM {table}`,
      ),
      [
        {
          id: 'a',
          state: 'new',
          ordinality: null,
          g: null,
          tags: [1, 2],
          at: '2026-11-28',
          raw: '00ff',
          more: '{"n": 9007199254740993}',
        },
      ],
    );
  });

  test('a key field that is no column of the table: the configuration is to blame', async () => {
    const it = await setUp({
      variables: { CONSUME_SINK_INSERT_MODE: 'upsert', CONSUME_SINK_PK_FIELDS: 'orderId' },
      table: 'CREATE TABLE {table} (orderId text PRIMARY KEY)',
    });
    await it.publish([{ value: '{"orderId":"1"}' }]);
    await assert.rejects(it.pull(), failsWith('SINK_FAILED', /no column "orderId".*lower case/));
    assert.deepEqual(await it.dead(), []);
  });

  test("a dead letter that can't be written: what is before it is committed, and the pull stops there", async () => {
    const it = await setUp({ config: { deadLetterTopic: 'no-such-topic' } });
    await it.publish(['1', '2', '{', '3'].map((value) => ({ value })));
    await assert.rejects(it.pull(), failsWith('DEAD_LETTER_FAILED'));
    assert.deepEqual(await it.stored(), [2]);
    assert.equal((await it.query('SELECT 1 FROM {table}')).length, 2);
  });

  test("the database's offset wins over Kafka's, in both directions", async () => {
    const it = await setUp();
    await it.publish(numbered(10));
    await it.pull();
    await it.query(`DELETE FROM {table} WHERE "offset" >= 4`);
    await it.rewind(4);
    const again = await it.pull();
    assert.deepEqual([again.processed, again.partitions[0]?.from], [6, 4]);
    await it.rewind(7);
    // Rows that are there count as handled.
    assert.equal((await it.another().pull()).processed, 3);
    assert.equal((await it.query('SELECT 1 FROM {table}')).length, 10);
  });

  test("a group that has no row goes on at Kafka's offset", async () => {
    const it = await setUp();
    await it.publish(numbered(10));
    const plain = newConsumer(cluster, it.topic, { sink: { name: 'log' }, pipeline: {} });
    await plain.pull({ maxRecords: 4 });
    assert.deepEqual([(await it.pull()).processed, await it.stored()], [6, [10]]);
  });

  test("the rules for offsets out of range hold for the database's", async () => {
    const it = await setUp();
    await it.publish(numbered(5));
    await it.pull();
    await it.rewind(50);
    await assert.rejects(it.pull({}, { autoOffsetReset: 'none' }), failsWith('OFFSET_OUT_OF_RANGE'));
    assert.deepEqual(
      [(await it.pull({}, { autoOffsetReset: 'latest' })).processed, await it.stored()],
      [0, [5]],
    );
  });

  test('another record at the offset of a row: the topic was made anew, and the partition stops', async () => {
    const it = await setUp();
    await it.publish([{ value: '1', timestamp: '1700000000000' }]);
    await it.pull();
    await it.query(`UPDATE {table} SET "timestamp" = now()`);
    await it.rewind(0);
    await assert.rejects(it.pull(), failsWith('SINK_FAILED', /holds another record at .*-0@0.*made anew/));
    assert.deepEqual(await it.dead(), []);
  });

  test('a push, which has no offsets, is refused', async () => {
    const { consumer, topic } = await setUp();
    const record = { topic, key: null, value: null, headers: [] };
    await assert.rejects(
      consumer.push([record], { isRedelivered: false, deadline: Date.now() + 5_000 }),
      failsWith('CONFIG_INVALID', /CONSUME_SINK=postgres .* pull/),
    );
  });
});
