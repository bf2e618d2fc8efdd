import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { MAX_BATCH } from '../../functions/consume-batch/pull/partition-pull.ts';
import type { Runtime } from '../../local/functiongraph/runtime.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { consoleConsumer } from '../../local/kafka/tools.ts';
import { newTopic } from './cluster.ts';
import { committedOffsets, committedRecords } from './group.ts';
import { type Post, startReceiver } from './http.ts';
import { newSeed, randomFrom } from './random.ts';
import { kafkajs, numbersOf, publish, readTopic } from './records.ts';
import { type Bucket, numbersInBucket } from './s3.ts';

const PARTITIONS = 6;
/** How late after a call's begin it may be killed: with and without the start of an instance. */
const COLD_MS = 1_000;
const WARM_MS = 150;

type Start = (variables: Record<string, string>) => Runtime;

export interface KillOptions {
  records: number;
  kills: number;
  /** The broker may hide what a killed call has committed, so that its records come again. */
  mayRepeat?: boolean;
}

/** How often each record was posted, by partition and offset. */
function countsOf(posts: readonly Post[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { partition, offset } of posts.flatMap(({ records }) => records)) {
    const place = `${partition}/${offset}`;
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  return counts;
}

/** Pulls until nothing is left, killing the process at random moments of its first `kills` calls. */
async function pullUnderFire(runtime: Runtime, kills: number): Promise<number> {
  const seed = newSeed();
  const random = randomFrom(seed);
  console.log(`# kills at random moments, SEED=${seed}`);
  let killed = 0;
  for (let calls = 0; calls < kills * 20; calls++) {
    // A call that starts an instance takes longer until it is at work.
    const window = runtime.pid() === undefined ? COLD_MS : WARM_MS;
    const call = runtime.invoke({});
    const shot =
      killed < kills ? wait(random.below(window)).then(() => kill(runtime)) : Promise.resolve(false);
    const [result, hit] = await Promise.all([call, shot]);
    if (hit && !result.ok) killed++;
    const isDone = result.ok && !(result.result as { more: boolean }).more;
    if (isDone) return killed;
  }
  return assert.fail(`after ${kills * 20} calls there is still something left`);
}

function kill(runtime: Runtime): boolean {
  const pid = runtime.pid();
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
  return pid !== undefined;
}

async function topicOfNumbers(cluster: KafkaCluster, records: number): Promise<string> {
  const topic = await newTopic(cluster, { partitions: PARTITIONS });
  await publish(
    cluster,
    topic,
    Array.from({ length: records }, (_, n) => ({ key: `${n}`, value: `{"n":${n}}` })),
  );
  return topic;
}

/** A pull's budget is small, so that there are many calls to be killed in. */
function variables(topic: string, records: number, kills: number): Record<string, string> {
  return {
    KAFKA_GROUP_ID: `${topic}-g`,
    CONSUME_TOPICS: topic,
    CONSUME_MAX_RECORDS: String(Math.ceil(records / (2 * kills))),
    LOG_LEVEL: 'error',
  };
}

/** With a plain sink: nothing lost; at most one uncommitted batch a partition a kill comes twice. */
export async function killPlain(
  cluster: KafkaCluster,
  start: Start,
  { records, kills }: KillOptions,
): Promise<void> {
  const topic = await topicOfNumbers(cluster, records);
  const { url, posts } = await startReceiver();
  const runtime = start({ ...variables(topic, records, kills), CONSUME_SINK: 'http', CONSUME_SINK_URL: url });
  const killed = await pullUnderFire(runtime, kills);
  const seen = countsOf(posts);
  assert.equal(seen.size, records, 'records lost');
  const twice = [...seen.values()].reduce((sum, count) => sum + count - 1, 0);
  console.log(`# ${killed} kills, ${records} records, ${twice} handled again`);
  assert.ok(killed > 0);
  assert.ok(twice <= killed * PARTITIONS * MAX_BATCH, `${twice} records twice after ${killed} kills`);
  await assertAllCommitted(cluster, topic, records);
}

/** With the topic sink: every record exactly once. */
export async function killTransactional(
  cluster: KafkaCluster,
  start: Start,
  { records, kills, mayRepeat = false }: KillOptions,
): Promise<void> {
  const topic = await topicOfNumbers(cluster, records);
  await cluster.createTopic(`${topic}.out`, { partitions: PARTITIONS });
  const sink = { CONSUME_SINK: 'topic', CONSUME_SINK_TOPIC: '{topic}.out' };
  const killed = await pullUnderFire(start({ ...variables(topic, records, kills), ...sink }), kills);
  console.log(`# ${killed} kills, ${records} records`);
  assert.ok(killed > 0);
  await assertPublished(cluster, topic, records, { mayRepeat });
}

/** With the s3 sink: objects that are each partition's log without gap or overlap, every record once. */
export async function killIntoBucket(
  cluster: KafkaCluster,
  bucket: Bucket,
  start: Start,
  { records, kills }: KillOptions,
): Promise<void> {
  const topic = await topicOfNumbers(cluster, records);
  // A call after a kill finishes objects besides its budget, so that more calls are needed.
  const runtime = start({ ...variables(topic, records, 2 * kills), ...bucket.variables() });
  const killed = await pullUnderFire(runtime, kills);
  assert.ok(killed > 0);
  const { numbers, objects } = await numbersInBucket(bucket, topic, await committedOffsets(cluster, topic));
  console.log(`# ${killed} kills, ${records} records, ${objects} objects`);
  assert.equal(new Set(numbers).size, records, 'records lost');
  assert.equal(numbers.length, records, 'records twice');
  await assertAllCommitted(cluster, topic, records);
}

/** With the topic sink, `old` killed at random moments of its calls and `start` called right after each: exactly once. */
export async function killedBefore(
  cluster: KafkaCluster,
  startOld: Start,
  start: Start,
  { records, kills }: KillOptions,
): Promise<number> {
  const topic = await topicOfNumbers(cluster, records);
  await cluster.createTopic(`${topic}.out`, { partitions: PARTITIONS });
  const sink = { CONSUME_SINK: 'topic', CONSUME_SINK_TOPIC: '{topic}.out' };
  const [old, heir] = [startOld, start].map((begin) =>
    begin({ ...variables(topic, records, kills), ...sink }),
  );
  assert.ok(old && heir);
  const random = randomFrom(newSeed());
  let killed = 0;
  for (let round = 0; round < kills; round++) {
    const call = old.invoke({});
    await wait(random.below(old.pid() === undefined ? COLD_MS : WARM_MS));
    const hit = kill(old);
    if (hit && !(await call).ok) killed++;
    await pullOnce(heir);
  }
  while (await pullOnce(heir));
  await assertPublished(cluster, topic, records);
  console.log(`# ${killed} kills of the old build, ${records} records`);
  return killed;
}

/** Whether something is left. */
async function pullOnce(runtime: Runtime): Promise<boolean> {
  const result = await runtime.invoke({});
  assert.ok(result.ok, JSON.stringify(result));
  return (result.result as { more: boolean }).more;
}

/** Every record once. */
async function assertPublished(
  cluster: KafkaCluster,
  topic: string,
  records: number,
  { mayRepeat = false } = {},
): Promise<void> {
  const isolationLevel = 'read_committed';
  const out = numbersOf(await consoleConsumer(cluster, { topic: `${topic}.out`, isolationLevel }));
  assert.equal(new Set(out).size, records, 'records lost');
  if (!mayRepeat) assert.equal(out.length, records, 'records twice');
  await assertAllCommitted(cluster, topic, records);
}

async function assertAllCommitted(cluster: KafkaCluster, topic: string, records: number): Promise<void> {
  assert.equal(await committedRecords(cluster, topic), records);
}

/**
 * A member of the group that comes and goes while pulls run: its committed offsets never move back, and
 * with the topic sink no record that it handled comes out, nor any record twice.
 */
export async function besideLiveMember(
  cluster: KafkaCluster,
  start: Start,
  {
    records,
    rounds,
    sink,
    membersWait = false,
  }: { records: number; rounds: number; sink: 'http' | 'topic'; membersWait?: boolean },
): Promise<void> {
  const topic = await topicOfNumbers(cluster, records);
  await cluster.createTopic(`${topic}.out`, { partitions: PARTITIONS });
  const { url, posts } = await startReceiver();
  const runtime = start({
    ...{ ...variables(topic, records, rounds * 2), CONSUME_SINK: sink },
    ...{ CONSUME_SINK_URL: url, CONSUME_SINK_TOPIC: '{topic}.out' },
  });
  const byMember = new Set<string>();
  const committed = new Map<number, number>();
  const watch = async () => {
    const before = [...committed];
    const now = await committedOffsets(cluster, topic);
    for (const [partition, offset] of before) {
      const current = now.get(partition) ?? -1;
      assert.ok(current >= offset, `partition ${partition}: ${current}, the member had committed ${offset}`);
    }
  };
  const random = randomFrom(newSeed());
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const member = kafkajs(cluster).consumer({ groupId: `${topic}-g`, maxWaitTimeInMs: 50 });
    const pulls = Promise.all([1, 2, 3].map(() => runtime.invoke({})));
    // Sometimes the member comes first, sometimes in the middle of one of the pulls.
    await wait(random.below(400));
    await member.connect();
    await member.subscribe({ topic, fromBeginning: true });
    const joined = new Promise((resolve) => member.on(member.events.GROUP_JOIN, resolve));
    member.on(member.events.COMMIT_OFFSETS, ({ payload }) => {
      for (const { partition, offset } of payload.topics.flatMap(({ partitions }) => partitions)) {
        committed.set(Number(partition), Math.max(Number(offset), committed.get(Number(partition)) ?? 0));
      }
    });
    let handled = 0;
    await member.run({
      eachMessage: async ({ partition, message: { offset } }) => {
        handled++;
        byMember.add(`${partition}/${offset}`);
        await wait(1);
      },
    });
    await joined;
    await watch();
    const results = await pulls;
    refused += results.filter(
      (result) => !result.ok && result.error.errorMessage.startsWith('GROUP_ACTIVE'),
    ).length;
    for (let waited = 0; handled < 50 && waited < 5_000; waited += 20) await wait(20);
    await member.disconnect();
    await watch();
  }
  for (let more = true; more; ) {
    more = await pullOnce(runtime);
    await watch();
  }
  const out = sink === 'http' ? [] : await readTopic(cluster, `${topic}.out`);
  console.log(
    `# ${refused} of ${rounds * 3} pulls refused, ${byMember.size} records by the member, ${records} in all`,
  );
  if (sink === 'http') {
    assert.equal(new Set([...countsOf(posts).keys(), ...byMember]).size, records, 'records lost');
    return;
  }
  const placeOf = new Map(
    (await readTopic(cluster, topic)).map(({ partition, offset, value }) => [
      String(value),
      `${partition}/${offset}`,
    ]),
  );
  const published = new Map<string, number>();
  for (const { value } of out) {
    const place = placeOf.get(String(value)) ?? assert.fail(`${value} is not in ${topic}`);
    published.set(place, (published.get(place) ?? 0) + 1);
  }
  const both = [...published.keys()].filter((place) => byMember.has(place));
  assert.equal(published.size + byMember.size - both.length, records, 'records lost');
  const twice = [...published].filter(([, count]) => count > 1).map(([place]) => place);
  // A member that joins in the moment between DescribeGroups and the end of the transaction begins before
  // it, and sets the group back to where it leaves. Where members wait before they begin (Kafka's default is
  // 3 s), there is no such moment.
  if (membersWait) {
    assert.deepEqual(both, [], 'records handled by both');
    assert.deepEqual(twice, [], 'records twice');
  }
  for (const place of twice) {
    const [partition, offset] = place.split('/');
    const before = `${partition}/${Number(offset) - 1}`;
    assert.ok(twice.includes(before) || both.includes(before), `${place} came twice, and by no member`);
  }
}
