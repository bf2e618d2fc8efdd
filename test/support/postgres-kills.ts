import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ddl } from '../../functions/consume-batch/sinks/postgres/ddl.ts';
import type { Runtime } from '../../local/functiongraph/runtime.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { tableConfig } from '../../src/postgres/config.ts';
import { readConfig } from '../../src/variables.ts';
import { buildOwn, bundledConsumer } from './bundle.ts';
import { newTopic } from './cluster.ts';
import { startTcpProxy, type TcpProxy } from './faults/tcp-proxy.ts';
import { postgresForTests, sinkVariables, type TestPostgres } from './postgres.ts';
import { newSeed, type Random, randomFrom } from './random.ts';
import { publish, readTopic } from './records.ts';

const PARTITIONS = 6;
const POISON_EVERY = 97;
const DROPPED_EVERY = 13;
const COLD_MS = 1_000;
const WARM_MS = 200;
/** Until a point that may not come in this call is given up. */
const POINT_MS = 3_000;

/** Where a process is killed, by what is on its way. */
const points = [
  { from: 'client', text: 'INSERT INTO kafka_functions_offsets' },
  { from: 'client', text: 'json_to_recordset' },
  { from: 'client', text: 'COMMIT' },
  // It is committed, and nobody is told.
  { from: 'server', text: 'COMMIT\0' },
] as const;

const droppingPipeline = fileURLToPath(new URL('./pipeline-dropping', import.meta.url));

interface Scene {
  random: Random;
  proxy: TcpProxy;
  database: TestPostgres;
  /** Is killed and frozen. */
  victim: Runtime;
  /** Works beside it. */
  other: Runtime;
}

/**
 * Pulls of one group that are killed at random moments and at each point of their transactions, that are frozen inside
 * one while others go on, and whose database is killed: each offset is in the table once, or among the dead letters,
 * or was dropped.
 */
export async function killPostgres(
  t: TestContext,
  cluster: KafkaCluster,
  { records, kills }: { records: number; kills: number },
): Promise<void> {
  const random = randomFrom(newSeed());
  t.diagnostic(`SEED=${random.seed}`);
  const database = await postgresForTests();
  const proxy = await startTcpProxy(database.port);
  const client = await database.client();
  const topic = await newTopic(cluster, { partitions: PARTITIONS });
  await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1 });
  for (const statement of ddl(
    readConfig(() => undefined, tableConfig),
    [topic],
  ))
    await client.query(statement);
  await publish(
    cluster,
    topic,
    Array.from({ length: records }, (_, n) => ({ key: `${n}`, value: textOf(n) })),
  );
  const start = await bundledConsumer(cluster, (options) =>
    buildOwn({ ...options, pipeline: droppingPipeline }),
  );
  const begin = (url: string) =>
    start({
      ...{ ...sinkVariables(database), CONSUME_SINK_URL: `${url}?sslmode=disable` },
      ...{ KAFKA_GROUP_ID: `${topic}-g`, CONSUME_TOPICS: topic, LOG_LEVEL: 'error' },
      CONSUME_MAX_RECORDS: `${Math.ceil(records / (2 * kills))}`,
    });
  const victim = begin(`postgres://127.0.0.1:${proxy.port}/postgres`);
  const scene = { random, proxy, database, victim, other: begin(database.url) };
  let killed = 0;
  for (let round = 0; killed < kills && round < kills * 5; round++) if (await disturb(scene, round)) killed++;
  t.diagnostic(`${killed} kills and freezes, ${records} records`);
  assert.ok(killed >= kills, `${killed} kills`);
  for (let more = true; more; ) {
    const result = await victim.invoke({});
    // The database may still hold the locks of who was killed.
    more = !result.ok || (result.result as { more: boolean }).more;
    if (!result.ok) await wait(100);
  }
  await assertOnce(cluster, topic, records, await database.client());
}

/** One round: whether it hit a call at work. */
async function disturb({ random, proxy, database, victim, other }: Scene, round: number): Promise<boolean> {
  const call = victim.invoke({});
  const beside = random.chance(0.5) ? other.invoke({}) : undefined;
  const action = round % (points.length + 3);
  let isHit = false;
  if (action === points.length + 2) {
    await wait(random.below(WARM_MS));
    await database.stop();
    await database.start();
    isHit = true;
  } else if (action === points.length + 1) {
    await wait(random.below(victim.pid() === undefined ? COLD_MS : WARM_MS));
    isHit = kill(victim);
  } else {
    const point = points[action] ?? points[random.below(points.length)];
    const isAt = point && (await cameBy(proxy, point, call));
    isHit = Boolean(isAt);
    // Frozen inside the transaction, until others had the time to go on.
    if (action === points.length) {
      victim.freeze();
      await other.invoke({});
      victim.thaw();
    } else if (isAt) kill(victim);
  }
  await Promise.all([call, beside]);
  return isHit;
}

/** Whether the bytes came by while the call was at work. */
async function cameBy(
  proxy: TcpProxy,
  point: (typeof points)[number],
  call: Promise<unknown>,
): Promise<boolean> {
  let isAt = false;
  const passing = new Promise<void>((resolve) =>
    proxy.once({
      ...point,
      act() {
        isAt = true;
        resolve();
        return point.from === 'client' ? 'pass' : 'lose';
      },
    }),
  );
  await Promise.race([passing, call, wait(POINT_MS)]);
  proxy.forget();
  return isAt;
}

function kill(runtime: Runtime): boolean {
  const pid = runtime.pid();
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
  return pid !== undefined;
}

function textOf(n: number): string {
  if (n % POISON_EVERY === 0) return '{';
  return n % DROPPED_EVERY === 0 ? `{"n":${n},"drop":true}` : `{"n":${n}}`;
}

async function assertOnce(
  cluster: KafkaCluster,
  topic: string,
  records: number,
  client: Awaited<ReturnType<TestPostgres['client']>>,
): Promise<void> {
  const source = await readTopic(cluster, topic);
  const expected = source.filter(({ value }) => !String(value).includes('drop') && String(value) !== '{');
  const { rows } = await client.query<{ place: string; value: { n: number } }>(
    `SELECT partition || '/' || "offset" AS place, value FROM "${topic}"`,
  );
  // The table's key would not let a place in twice.
  assert.deepEqual(
    new Map(rows.map(({ place, value }) => [place, `{"n":${value.n}}`])),
    new Map(expected.map(({ partition, offset, value }) => [`${partition}/${offset}`, `${value}`])),
  );
  const letters = await readTopic(cluster, `${topic}.dead-letter`);
  const buried = letters.map(
    ({ headers }) => `${headers['__connect.errors.partition']}/${headers['__connect.errors.offset']}`,
  );
  const poison = source.filter(({ value }) => String(value) === '{');
  assert.deepEqual(
    [...new Set(buried)].sort(),
    poison.map(({ partition, offset }) => `${partition}/${offset}`).sort(),
  );
  const offsets = await client.query(
    'SELECT sum(next_offset)::int AS handled FROM kafka_functions_offsets WHERE topic = $1',
    [topic],
  );
  assert.equal(offsets.rows[0]?.handled, records);
}
