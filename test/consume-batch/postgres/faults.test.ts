import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { NOBODY, postgresTool } from '../../../local/postgres.ts';
import { failsWith } from '../../support/errors.ts';
import { startTcpProxy } from '../../support/faults/tcp-proxy.ts';
import { postgresForTests, USER } from '../../support/postgres.ts';
import { type TopicSetting, topicWithTable } from '../../support/postgres-topic.ts';
import { numbered } from '../../support/records.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';

const why = await postgresTool.missing();
const cluster = await sharedCluster();
const database = await postgresForTests();
const client = await database.client();
const upsert = { CONSUME_SINK_INSERT_MODE: 'upsert', CONSUME_SINK_PK_FIELDS: 'n' };

const setUp = (setting?: TopicSetting) => topicWithTable({ cluster, database, client }, setting);

/** As JSON, and of a kind that is not compressed to nothing. */
function randomText(bytes: number): string {
  return JSON.stringify(randomBytes(bytes / 2).toString('hex'));
}

interface Fault {
  setting?: TopicSetting;
  /** `{table}` is the table's name, `{topic}` the topic's. */
  breaks: string;
  mends: string;
  message: RegExp;
}

/** The configuration's fault, or the world's: the call stops, no record is blamed, and the next call goes on. */
const faults: Record<string, Fault> = {
  'no table': {
    breaks: 'DROP TABLE {table}',
    mends:
      'CREATE TABLE {table} (topic text, partition int, "offset" bigint, n int, key bytea, value jsonb, headers jsonb, "timestamp" timestamptz, PRIMARY KEY (topic, partition, "offset", n))',
    message: /does not exist.*CREATE TABLE IF NOT EXISTS "topic-/,
  },
  'no table, upsert': {
    setting: { variables: upsert, table: 'CREATE TABLE {table} (n int PRIMARY KEY)' },
    breaks: 'DROP TABLE {table}',
    mends: 'CREATE TABLE {table} (n int PRIMARY KEY)',
    message: /CREATE TABLE IF NOT EXISTS "topic-.*"n" text/,
  },
  'no offsets': {
    breaks: 'ALTER TABLE kafka_functions_offsets RENAME TO elsewhere',
    mends: 'ALTER TABLE elsewhere RENAME TO kafka_functions_offsets',
    message: /kafka_functions_offsets.*CREATE TABLE IF NOT EXISTS kafka_functions_offsets/,
  },
  'a column of ours is gone': {
    breaks: 'ALTER TABLE {table} RENAME COLUMN headers TO others',
    mends: 'ALTER TABLE {table} RENAME COLUMN others TO headers',
    message: /column "headers".*\(42703\)/,
  },
  'a full disk': {
    breaks: `CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN RAISE disk_full; END $$ LANGUAGE plpgsql;
      CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()`,
    mends: 'DROP TRIGGER full_disk ON {table}; DROP FUNCTION full_disk',
    message: /disk_full.*the disk is full/,
  },
  'a lock that nobody gives up': {
    breaks: 'BEGIN; LOCK TABLE {table}',
    mends: 'COMMIT',
    message: /lock timeout \(55P03\)/,
  },
};

describe('a database that can not take records now', { skip: why ?? false }, () => {
  for (const [name, { setting = {}, breaks, mends, message }] of Object.entries(faults)) {
    test(name, async () => {
      const it = await setUp({ ...setting, config: { retries: 1 } });
      const run = (sql: string) => it.query(sql.replaceAll('{topic}', it.topic));
      await it.publish(numbered(3));
      await run(breaks);
      await assert.rejects(it.pull(), failsWith('SINK_FAILED', message));
      await assert.rejects(it.pull(), failsWith('SINK_FAILED', message));
      await run(mends);
      const answer = await it.pull();
      assert.deepEqual([answer.processed, answer.deadLettered, await it.dead()], [3, 0, []]);
    });
  }

  test('a column that was there is gone: the records stay', async () => {
    const setting = { variables: upsert, table: 'CREATE TABLE {table} (n int PRIMARY KEY, a int)' };
    const it = await setUp(setting);
    await it.publish([{ value: '{"n":1,"a":1}' }]);
    await it.pull();
    await it.query('ALTER TABLE {table} DROP COLUMN a');
    await it.publish([{ value: '{"n":2,"a":2}' }]);
    await assert.rejects(it.pull(), failsWith('SINK_FAILED', /column a/));
    await assert.rejects(it.pull(), failsWith('SINK_FAILED', /column a of .* is gone/));
    await it.query('ALTER TABLE {table} ADD COLUMN a int');
    assert.deepEqual([(await it.pull()).processed, await it.dead()], [1, []]);
  });

  test('a column that was added is found', async () => {
    const it = await setUp({ variables: upsert, table: 'CREATE TABLE {table} (n int PRIMARY KEY)' });
    await it.publish([{ value: '{"n":1}' }]);
    await it.pull();
    await it.query('ALTER TABLE {table} ADD COLUMN a int');
    await it.publish([{ value: '{"n":2,"a":2}' }]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.deepEqual([(await it.pull()).processed, await it.dead()], [1, []]);
  });

  test('a wrong password, an unknown database, a permission that is missing', async () => {
    const other = async (variables: Record<string, string>) => {
      const it = await setUp({ variables });
      await it.publish([{ value: '1' }]);
      return it;
    };
    const wrong = await other({ CONSUME_SINK_CONNECTION_PASSWORD: 'wrong-password' });
    await assert.rejects(
      wrong.pull(),
      failsWith('SINK_FAILED', /password authentication failed.*CONSUME_SINK_CONNECTION_PASSWORD/),
    );
    const url = database.url.replace(/postgres$/, 'nowhere?sslmode=disable');
    const nowhere = await other({ CONSUME_SINK_URL: url });
    await assert.rejects(nowhere.pull(), failsWith('SINK_FAILED', /"nowhere".*CONSUME_SINK_URL/));
    await client.query(
      `CREATE USER poor PASSWORD '${database.password}'; GRANT ALL ON kafka_functions_offsets TO poor`,
    );
    const poor = await other({ CONSUME_SINK_CONNECTION_USER: 'poor' });
    await assert.rejects(poor.pull(), failsWith('SINK_FAILED', /permission denied.*grant/i));
    await poor.query('GRANT SELECT, INSERT ON {table} TO poor');
    assert.deepEqual([(await poor.pull()).processed, await poor.dead()], [1, []]);
  });

  test('a database that is away, comes back, and is killed between two pulls', async () => {
    const it = await setUp({ config: { retries: 1 } });
    await it.publish(numbered(10));
    await database.stop();
    await assert.rejects(it.pull(), failsWith('SINK_FAILED', /ECONNREFUSED/));
    await database.start();
    assert.equal((await it.pull({ maxRecords: 4 })).processed, 4);
    await database.stop();
    await database.start();
    assert.equal((await it.pull()).processed, 6);
  });
});

describe('a COMMIT without an answer', { skip: why ?? false }, () => {
  test('is found to be done, and nothing is written or dead-lettered twice', async () => {
    const proxy = await startTcpProxy(database.port);
    const url = `postgres://127.0.0.1:${proxy.port}/postgres?sslmode=disable`;
    const own = await database.client();
    const it = await topicWithTable(
      { cluster, database, client: own },
      { variables: { CONSUME_SINK_URL: url } },
    );
    await it.publish([...numbered(10), { key: null, value: '{' }, ...numbered(5)]);
    proxy.loseAnswerTo('COMMIT', 2);
    const answer = await it.pull();
    assert.deepEqual([answer.processed, answer.deadLettered, proxy.lost() > 0], [15, 1, true]);
    assert.equal((await it.query('SELECT 1 FROM {table}')).length, 15);
    assert.equal((await it.dead()).length, 1);
  });
});

describe('two pulls at once', { skip: why ?? false }, () => {
  test('each record once', async () => {
    const own = await database.client();
    const it = await topicWithTable(
      { cluster, database, client: own },
      { partitions: 6, config: { retries: 10 } },
    );
    await it.publish(numbered(4_000));
    const callers = [it, it.another(), it.another(), it.another()];
    for (let round = 0; round < 4; round++) {
      await Promise.all(callers.map(({ pull }) => pull({ maxRecords: 700 })));
    }
    await it.pull();
    const [row] = await it.query(
      'SELECT count(*)::int AS rows, count(DISTINCT (partition, "offset"))::int AS places FROM {table}',
    );
    assert.deepEqual(row, { rows: 4_000, places: 4_000 });
    assert.equal(await it.committed(), 4_000);
    assert.ok(USER);
  });
});

describe('a disk', { skip: why ?? false }, () => {
  test('that is really full: nothing is dead-lettered, and all goes in once there is room', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'disk-'));
    const options = `size=4m,mode=700,uid=${NOBODY},gid=${NOBODY}`;
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
    after(() => {
      spawnSync('umount', ['--lazy', folder]);
      rmSync(folder, { recursive: true, force: true });
    });
    if (mounted.status !== 0) return t.skip('only root may mount');
    // A server of its own: it doesn't start again without the disk.
    const own = await postgresForTests();
    const admin = await own.client();
    const space = `disk_${process.pid}`;
    await admin.query(`CREATE TABLESPACE ${space} LOCATION '${folder}'`);
    const it = await topicWithTable({ cluster, database: own, client: admin }, { config: { retries: 1 } });
    await it.query(`ALTER TABLE {table} SET TABLESPACE ${space}`);
    for (let n = 0; n < 40; n++) await it.publish([{ value: randomText(200_000) }]);
    await assert.rejects(it.pull(), failsWith('SINK_FAILED', /No space left on device.*disk is full/));
    await it.query('ALTER TABLE {table} SET TABLESPACE pg_default');
    while ((await it.pull()).more);
    assert.deepEqual([(await it.query('SELECT 1 FROM {table}')).length, await it.dead()], [40, []]);
  });
});
