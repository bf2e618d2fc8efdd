/** `docs/tutorial.md`, step by step: a pipeline of one's own before a real PostgreSQL. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { postgresTool } from '../local/postgres.ts';
import { bundledConsumer } from './support/bundle.ts';
import { scratchCheckout } from './support/checkout.ts';
import { newTopic } from './support/cluster.ts';
import { postgresForTests } from './support/postgres.ts';
import { publish } from './support/records.ts';
import { runReplay } from './support/replay.ts';
import { sharedCluster } from './support/shared-cluster.ts';

interface Pool {
  query(sql: string): Promise<{ rows: { id: string; total: string }[] }>;
  end(): Promise<void>;
  on(event: 'error', listener: () => void): void;
}

const page = readFileSync(new URL('../docs/tutorial.md', import.meta.url), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]+?)\`\`\``, 'g'))].map(([, text = '']) => text);
const [table = ''] = blocks('sql');
const files = [...page.matchAll(/`(functions\/\S+\.ts)`:\n\n```ts\n([\s\S]+?)```/g)].map(
  ([, path = '', text = '']) => [path, text] as const,
);
const why = await postgresTool.missing();

test('the tutorial', { skip: why ?? false }, async (t) => {
  const { folder, builder } = scratchCheckout();
  assert.equal(files.length, 3);
  for (const [path, text] of files) writeFileSync(join(folder, path), text);

  await t.test("the pipeline's own test", () => {
    const args = ['--import', 'tsx', '--test', 'functions/consume-batch/pipeline/pipeline.test.ts'];
    // Node.js runs no tests in a test's own child, unless that doesn't know.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: folder, env, encoding: 'utf8' });
    assert.equal(status, 0, stdout);
    assert.match(stdout, /pass 2/);
  });

  const database = await postgresForTests();
  const pg = createRequire(join(folder, 'package.json'))('pg') as {
    Pool: new (options: object) => Pool;
  };
  const pool = new pg.Pool({ connectionString: database.loginUrl });
  pool.on('error', () => {});
  t.after(() => pool.end());
  await pool.query(table);
  const ids = async () =>
    (await pool.query('select id from orders order by id')).rows.map(({ id }) => id).join();

  const cluster = await sharedCluster();
  const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });
  const start = await bundledConsumer(cluster, await builder());
  const variables = { KAFKA_GROUP_ID: `${topic}-g`, CONSUME_TOPICS: topic, CONSUME_RETRY_BACKOFF_MS: '10' };
  const runtime = start({ ...variables, DATABASE_URL: database.loginUrl });
  const order = (id: string, total: number) => ({ value: JSON.stringify({ id, total }) });
  const pull = async () => {
    const answer = await runtime.invoke({});
    if (!answer.ok) return JSON.stringify(answer);
    const { processed, deadLettered } = answer.result as { processed: number; deadLettered: number };
    return { processed, deadLettered };
  };

  await t.test('orders become rows, and one that breaks a rule a dead letter', async () => {
    await publish(cluster, topic, [order('o-1', 12.5), order('o-2', 7), order('o-3', -1)]);
    assert.deepEqual(await pull(), { processed: 2, deadLettered: 1 });
    assert.equal(await ids(), 'o-1,o-2');
  });

  await t.test('the database goes away and comes back: nothing is lost, nothing dead-lettered', async () => {
    await database.stop();
    await publish(cluster, topic, [order('o-4', 1)]);
    assert.match(String(await pull()), /SINK_FAILED/);
    await database.start();
    assert.deepEqual(await pull(), { processed: 1, deadLettered: 0 });
    assert.equal(await ids(), 'o-1,o-2,o-4');
  });

  await t.test('the dead letter goes back, and is an order now', async () => {
    await pool.query('alter table orders drop constraint orders_total_check');
    const { code, stderr } = await runReplay(cluster, [
      '--topic',
      `${topic}.dead-letter`,
      '--origins',
      topic,
    ]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await pull(), { processed: 1, deadLettered: 0 });
    assert.equal(await ids(), 'o-1,o-2,o-3,o-4');
  });
});
