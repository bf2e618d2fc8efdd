import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Runtime } from '../../local/functiongraph/runtime.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { buildOwn, bundledConsumer } from './bundle.ts';
import { startTcpProxy, type TcpProxy, type Watch } from './faults/tcp-proxy.ts';
import { newSeed, type Random, randomFrom } from './random.ts';
import { publish, readTopic } from './records.ts';

const POISON_EVERY = 97;
const DROPPED_EVERY = 13;
const COLD_MS = 1_000;
const WARM_MS = 200;
/** Until a point that may not come in this call is given up. */
const POINT_MS = 3_000;

const droppingPipeline = fileURLToPath(new URL('./pipeline-dropping', import.meta.url));

/** A place where a process is killed or frozen: when these bytes are on their way. */
export type Point = Pick<Watch, 'from' | 'text'>;

/** Where the records go. */
export interface Destination {
  /** The port of its server. */
  port: number;
  /** Of the sink, where its server is reached at `port`. */
  variables(port: number): Record<string, string>;
  points: readonly Point[];
  /** Kills its server, and starts it again. */
  restart?(): Promise<void>;
}

interface Scene {
  random: Random;
  proxy: TcpProxy;
  destination: Destination;
  /** Is killed and frozen. */
  victim: Runtime;
  /** Works beside it. */
  other: Runtime;
}

/** What has to be in the destination at the end, by partition and offset. */
export interface Expected {
  topic: string;
  /** The text of each record that has to be there. */
  values: ReadonlyMap<string, string>;
  /** Of all partitions. */
  end: number;
}

/**
 * Pulls of one group that are killed at random moments and at each point of their way to the destination, that are
 * frozen there while others go on, and whose server is killed. Some records are poison and some are dropped. Resolves
 * once nothing is left, with the dead letters checked: each once where they are in the offset's transaction.
 */
export async function pullUnderFire(
  t: TestContext,
  cluster: KafkaCluster,
  destination: Destination,
  {
    records,
    kills,
    buriesOnce,
    topic,
  }: { records: number; kills: number; buriesOnce: boolean; topic: string },
): Promise<Expected> {
  const random = randomFrom(newSeed());
  t.diagnostic(`SEED=${random.seed}`);
  const proxy = await startTcpProxy(destination.port);
  await publish(
    cluster,
    topic,
    Array.from({ length: records }, (_, n) => ({ key: `${n}`, value: textOf(n) })),
  );
  const start = await bundledConsumer(cluster, (options) =>
    buildOwn({ ...options, pipeline: droppingPipeline }),
  );
  const begin = (port: number) =>
    start({
      ...destination.variables(port),
      ...{ KAFKA_GROUP_ID: `${topic}-g`, CONSUME_TOPICS: topic, LOG_LEVEL: 'error' },
      CONSUME_MAX_RECORDS: `${Math.ceil(records / (2 * kills))}`,
    });
  const victim = begin(proxy.port);
  const scene = { random, proxy, destination, victim, other: begin(destination.port) };
  let killed = 0;
  for (let round = 0; killed < kills && round < kills * 5; round++) if (await disturb(scene, round)) killed++;
  t.diagnostic(`${killed} kills and freezes, ${records} records`);
  assert.ok(killed >= kills, `${killed} kills`);
  for (let more = true; more; ) {
    const result = await victim.invoke({});
    // The server may still hold the locks of who was killed.
    more = !result.ok || (result.result as { more: boolean }).more;
    if (!result.ok) await wait(100);
  }
  return expected(cluster, topic, buriesOnce);
}

/** One round: whether it hit a call at work. */
async function disturb(
  { random, proxy, destination, victim, other }: Scene,
  round: number,
): Promise<boolean> {
  const { points, restart } = destination;
  const call = victim.invoke({});
  const beside = random.chance(0.5) ? other.invoke({}) : undefined;
  const action = round % (points.length + 3);
  let isHit = false;
  if (action === points.length + 2 && restart) {
    await wait(random.below(WARM_MS));
    await restart();
    isHit = true;
  } else if (action > points.length) {
    await wait(random.below(victim.pid() === undefined ? COLD_MS : WARM_MS));
    isHit = kill(victim);
  } else {
    const point = points[action] ?? points[random.below(points.length)];
    const isAt = point && (await cameBy(proxy, point, call));
    isHit = Boolean(isAt);
    // Frozen on its way, until others had the time to go on.
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
async function cameBy(proxy: TcpProxy, point: Point, call: Promise<unknown>): Promise<boolean> {
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

export function kill(runtime: Runtime): boolean {
  const pid = runtime.pid();
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
  return pid !== undefined;
}

function textOf(n: number): string {
  if (n % POISON_EVERY === 0) return '{';
  return n % DROPPED_EVERY === 0 ? `{"n":${n},"drop":true}` : `{"n":${n}}`;
}

async function expected(cluster: KafkaCluster, topic: string, buriesOnce: boolean): Promise<Expected> {
  const source = await readTopic(cluster, topic);
  const letters = await readTopic(cluster, `${topic}.dead-letter`);
  const buried = letters.map(
    ({ headers }) => `${headers['__connect.errors.partition']}/${headers['__connect.errors.offset']}`,
  );
  const placesOf = (records: typeof source) =>
    records.map(({ partition, offset }) => `${partition}/${offset}`);
  const poison = source.filter(({ value }) => String(value) === '{');
  assert.deepEqual((buriesOnce ? buried : [...new Set(buried)]).sort(), placesOf(poison).sort());
  const kept = source.filter(({ value }) => !/drop|^\{$/.test(String(value)));
  const values = new Map(placesOf(kept).map((place, at) => [place, String(kept[at]?.value)]));
  return { topic, values, end: source.length };
}
