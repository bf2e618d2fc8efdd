import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from 'pg';
import { ddl } from '../../functions/consume-batch/sinks/postgres/ddl.ts';
import type { Runtime } from '../../local/functiongraph/runtime.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { freePorts } from '../../local/kafka/ports.ts';
import { tableConfig } from '../../src/postgres/config.ts';
import { readConfig } from '../../src/variables.ts';
import { bundledConsumer } from './bundle.ts';
import { newTopic } from './cluster.ts';
import { startTcpProxy, type TcpProxy } from './faults/tcp-proxy.ts';
import { buildHttpFunction, type RunningFunction, startHttpFunction } from './http-function.ts';
import { postgresForTests, sinkVariables, type TestPostgres } from './postgres.ts';
import { newSeed, type Random, randomFrom } from './random.ts';
import { readTopic, stableEnds } from './records.ts';
import { kill, type Point } from './under-fire.ts';

const PARTITIONS = 6;
const CLIENTS = 8;
const MAX_PER_REQUEST = 20;
const ANSWER_MS = 8_000;
const PAUSE_MS = 50;
/** Rounds. */
const BROKER_EVERY = 12;
/** How late in its round something is killed. */
const WITHIN_MS = 300;
/** Where a pull is killed on its way to the database, besides random moments. */
const POINTS: readonly [Point, ...Point[]] = [
  { from: 'client', text: 'INSERT INTO kafka_functions_once' },
  { from: 'client', text: 'FROM STDIN' },
  { from: 'client', text: 'COMMIT' },
  // It is committed, and nobody is told.
  { from: 'server', text: 'COMMIT\0' },
];
const CALLERS = { shop: 'pw-key-of-the-shop', till: 'pw-key-of-the-till' } as const;

type Caller = keyof typeof CALLERS;

/** A server of produce, and the way to it, on which answers are lost. */
interface Door {
  proxy: TcpProxy;
  server: RunningFunction;
  /** Kills the server and starts it again. */
  restart(): Promise<void>;
}

interface Request {
  topic: string;
  caller: Caller;
  /** Its Idempotency-Key. */
  key: string;
  values: readonly unknown[];
}

interface Scene {
  cluster: KafkaCluster;
  database: TestPostgres;
  random: Random;
  doors: readonly [Door, Door];
  /** The way of the first pull to the database. */
  way: TcpProxy;
  pulls: readonly [Runtime, Runtime];
  /** How often requests were sent, repetitions and all. */
  sent: number;
  /** What was killed, and how often. */
  killed: Record<'server' | 'pull' | 'broker' | 'database', number>;
}

/**
 * Orders over HTTP, by clients that repeat each request with its Idempotency-Key until it is acknowledged, while
 * answers are lost, and servers, pulls, brokers and the database are killed. In the table each order is there once.
 */
export async function orderUnderFire(
  t: TestContext,
  cluster: KafkaCluster,
  { orders, kills }: { orders: number; kills: number },
): Promise<void> {
  const random = randomFrom(newSeed());
  t.diagnostic(`SEED=${random.seed}`);
  const database = await postgresForTests();
  const built = await buildHttpFunction();
  const doors = [await openDoor(built, cluster), await openDoor(built, cluster)] as const;
  const way = await startTcpProxy(database.port);
  const [topic, other] = [await topicWithLetters(cluster), await topicWithLetters(cluster)];
  const start = await bundledConsumer(cluster);
  const pullOf = (group: string, format: string, port = database.port) =>
    start({
      ...sinkVariables(database),
      CONSUME_SINK_URL: `postgres://127.0.0.1:${port}/postgres?sslmode=disable`,
      ...{ CONSUME_SINK_DEDUPLICATE: 'true', CONSUME_SINK_TABLE_NAME_FORMAT: format },
      ...{ KAFKA_GROUP_ID: group, CONSUME_TOPICS: `${topic},${other}`, LOG_LEVEL: 'error' },
      CONSUME_MAX_RECORDS: `${Math.ceil(orders / kills)}`,
    });
  await createTables(await database.client(), [topic, other]);

  const pulls = [pullOf('one', '{topic}', way.port), pullOf('one', '{topic}')] as const;
  const killed = { server: 0, pull: 0, broker: 0, database: 0 };
  const scene: Scene = { cluster, database, random, doors, way, pulls, sent: 0, killed };
  let over = false;
  const pulling = pulls.map((runtime) => pullUntil(runtime, () => over));
  const requests = requestsFor(random, topic, orders);
  const share = Math.ceil(requests.length / kills);
  for (let round = 0; round < kills; round++) {
    const some = requests.slice(round * share, (round + 1) * share);
    await Promise.all([sendAll(scene, some), disturb(scene, { round, kills })]);
  }
  over = true;
  await Promise.all(pulling);
  way.forget();
  const inKafka = await recordsIn(cluster, topic);
  const lost = doors.reduce((sum, { proxy }) => sum + proxy.lost(), 0);
  t.diagnostic(
    JSON.stringify({ requests: requests.length, sent: scene.sent, lost, orders, inKafka, ...killed }),
  );
  assert.ok(scene.sent > requests.length && inKafka > orders, 'nothing was repeated');
  const client = await database.client();
  await assertOrders(client, topic, orders);
  assert.deepEqual(await readTopic(cluster, `${topic}.dead-letter`), []);

  await tellApart(scene, { topic, other, pull: pulls[0], another: pullOf('two', 'two-{topic}') });
  for (const table of [topic, `two-${topic}`]) await assertOrders(client, table, orders);
}

/** Orders in requests of one to some, each with its key. */
function requestsFor(random: Random, topic: string, orders: number): Request[] {
  const requests: Request[] = [];
  for (let n = 0; n < orders; ) {
    const count = Math.min(1 + random.below(MAX_PER_REQUEST), orders - n);
    const values = Array.from({ length: count }, (_, at) => orderOf(n + at));
    requests.push({ topic, caller: 'shop', key: `order-${n}`, values });
    n += count;
  }
  return requests;
}

function orderOf(n: number) {
  return { order: n, total: n * 7, note: `for customer ${n % 977}` };
}

/** The same keys of other callers, topics and groups are others; with another body they are named. */
async function tellApart(
  scene: Scene,
  { topic, other, pull, another }: { topic: string; other: string; pull: Runtime; another: Runtime },
): Promise<void> {
  const { cluster, database } = scene;
  const first = orderOf(0);
  const request = { topic: other, caller: 'shop', key: 'order-0', values: [first, first] } as const;
  for (const caller of ['shop', 'till'] as const) {
    await send(scene, { ...request, caller });
    await send(scene, { ...request, caller });
  }
  // In another partition another body could be found first.
  for (const runtime of [pull, another]) await pullUntil(runtime, () => true);
  await send(scene, { ...request, values: [{ another: 'body' }] });
  await send(scene, { ...request, topic, values: [{ another: 'body' }] });
  await pullUntil(pull, () => true);
  const client = await database.client();
  for (const table of [other, `two-${other}`])
    assert.deepEqual(await countsOf(client, table), [{ value: first, rows: 4 }]);
  for (const name of [topic, other]) {
    const letters = await readTopic(cluster, `${name}.dead-letter`);
    assert.deepEqual(
      letters.map(({ value, headers }) => [
        String(value),
        String(headers['__connect.errors.exception.class.name']),
      ]),
      [['{"another":"body"}', 'IDEMPOTENCY_KEY_REUSED']],
    );
  }
}

async function openDoor(
  built: Awaited<ReturnType<typeof buildHttpFunction>>,
  cluster: KafkaCluster,
): Promise<Door> {
  const [port = 0] = await freePorts(1);
  const keys = Object.entries(CALLERS).map(
    ([name, key]) => `${createHash('sha256').update(key).digest('hex')}=${name}`,
  );
  const begin = () =>
    startHttpFunction(built, cluster, {
      ...{ PORT: `${port}`, HTTP_API_KEYS: keys.join(',') },
      LOG_LEVEL: 'info',
    });
  const door: Door = {
    proxy: await startTcpProxy(port),
    server: await begin(),
    async restart() {
      door.server.child.kill('SIGKILL');
      await door.server.ended;
      door.server = await begin();
    },
  };
  return door;
}

async function topicWithLetters(cluster: KafkaCluster): Promise<string> {
  const replicas = cluster.brokers.length;
  const config = { 'min.insync.replicas': `${Math.min(2, replicas)}` };
  return newTopic(cluster, { partitions: PARTITIONS, config, beside: ['dead-letter'] });
}

async function createTables(client: Client, topics: readonly string[]): Promise<void> {
  for (const format of ['{topic}', 'two-{topic}']) {
    const variables: Record<string, string> = {
      CONSUME_SINK_DEDUPLICATE: 'true',
      CONSUME_SINK_TABLE_NAME_FORMAT: format,
    };
    const config = readConfig((name) => variables[name], tableConfig);
    for (const statement of ddl(config, topics)) await client.query(statement);
  }
}

/** Some clients side by side, each of which repeats its request until all of it is acknowledged. */
async function sendAll(scene: Scene, requests: readonly Request[]): Promise<void> {
  const waiting = [...requests];
  const client = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await send(scene, next);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

async function send(scene: Scene, { topic, caller, key, values }: Request): Promise<void> {
  const { doors, random } = scene;
  const body = JSON.stringify({ records: values.map((value) => ({ value })) });
  for (;;) {
    const { proxy } = random.pick(doors);
    scene.sent++;
    try {
      const response = await fetch(`http://127.0.0.1:${proxy.port}/topics/${topic}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-api-key': CALLERS[caller],
          'idempotency-key': key,
        },
        body,
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const answer = await response.text();
      if (response.status === 200) return;
      // A request that is wrong would be repeated for ever.
      assert.ok(response.status === 207 || response.status >= 429, `${response.status}: ${answer}`);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
    await wait(random.below(PAUSE_MS));
  }
}

/** One kill, beside lost answers and connections that are cut. */
async function disturb(scene: Scene, { round, kills }: { round: number; kills: number }): Promise<void> {
  const { cluster, database, random, doors, way, pulls, killed } = scene;
  const { proxy, restart } = random.pick(doors);
  if (round === 0 || random.chance(0.5)) proxy.loseAnswerTo('POST /topics', 1 + random.below(3));
  else proxy.once({ from: 'client', text: 'POST /topics', act: () => 'lose' });
  const killPull = (pull: Runtime) => {
    if (kill(pull)) killed.pull++;
  };
  await wait(random.below(WITHIN_MS));
  const choice = random.below(4);
  if (round === Math.floor(kills / 2)) {
    await database.stop();
    await database.start();
    killed.database++;
  } else if (cluster.brokers.length > 1 && round % BROKER_EVERY === BROKER_EVERY - 1) {
    const nodeId = 1 + random.below(cluster.brokers.length);
    await cluster.stopBroker(nodeId, 'SIGKILL');
    await wait(random.below(WITHIN_MS));
    await cluster.startBroker(nodeId);
    killed.broker++;
  } else if (choice < 2) {
    await restart();
    killed.server++;
  } else if (choice === 2) {
    killPull(random.pick(pulls));
  } else {
    const point = random.pick(POINTS);
    way.once({
      ...point,
      act() {
        killPull(pulls[0]);
        return point.from === 'client' ? 'pass' : 'lose';
      },
    });
  }
}

/** Pulls until this is so and nothing is left. */
async function pullUntil(runtime: Runtime, isOver: () => boolean): Promise<void> {
  for (let more = true; more || !isOver(); ) {
    const wasOver = isOver();
    const result = await runtime.invoke({});
    more = !wasOver || !result.ok || (result.result as { more: boolean }).more;
    if (!result.ok) await wait(PAUSE_MS);
  }
}

async function recordsIn(cluster: KafkaCluster, topic: string): Promise<number> {
  return [...(await stableEnds(cluster, topic)).values()].reduce((sum, end) => sum + end, 0);
}

async function assertOrders(client: Client, table: string, orders: number): Promise<void> {
  const { rows } = await client.query<{ value: ReturnType<typeof orderOf> }>(
    `SELECT value FROM "${table}" ORDER BY (value ->> 'order')::int`,
  );
  assert.equal(rows.length, orders);
  for (const [n, { value }] of rows.entries()) assert.deepEqual(value, orderOf(n));
}

async function countsOf(client: Client, table: string): Promise<unknown[]> {
  const { rows } = await client.query(
    `SELECT value, count(*)::int AS rows FROM "${table}" GROUP BY value ORDER BY value::text`,
  );
  return rows;
}
