import assert from 'node:assert/strict';
import { after, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { type KafkaCluster, type KafkaOptions, startKafka } from '../../local/kafka/cluster.ts';
import { Failure } from '../../src/errors.ts';
import type { ProducerRecord, RecordMetadata } from '../../src/record.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { withErrorCode } from '../support/faults/produce-answers.ts';
import { type FaultProxy, startFaultProxy } from '../support/faults/proxy.ts';
import { newProducer } from '../support/producer.ts';
import { newSeed, type Random, randomFrom } from '../support/random.ts';
import { readTopic } from '../support/records.ts';

const PRODUCE = 0;
const BROKERS = 3;
const PARTITIONS = 6;
const CALLERS = 64;
const KEYS_A_CALLER = 3;
const MAX_RECORDS = 5;
const LARGEST = 64 * 1024;
/** A broker that says one of these may have appended: REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND, KAFKA_STORAGE_ERROR. */
const DOUBTS: [number, ...number[]] = [7, 20, 56];
/** Between two changes to the cluster or the way to it. */
const CALM_MS = 300;

interface Sent {
  key: string | null;
  value: string;
  /** What the caller was told: where the record stands, or whether it may be in the log. */
  told: RecordMetadata | 'none' | 'unknown';
}

/**
 * Calls a producer from many sides over connections that lose, delay and cut requests and answers, while partitions
 * move between brokers, and holds what each caller was told against the log: an acknowledged record is at its offset, once; one
 * that is said not to be there is not; none is there twice; each key's records are in the order of the calls.
 */
export async function fuzzProducer(
  t: TestContext,
  { release, calls }: Pick<KafkaOptions, 'release'> & { calls: number },
): Promise<void> {
  const random = randomFrom(newSeed());
  t.diagnostic(`SEED=${random.seed}`);
  const { cluster, proxies } = await clusterBehindProxies(release);
  const topic = await newTopic(cluster, {
    partitions: PARTITIONS,
    replicationFactor: 1,
    // Of one replica each, whatever the cluster asks for: a leader change then has nobody to ask.
    config: { 'max.message.bytes': `${LARGEST}`, 'min.insync.replicas': '1' },
  });
  const bootstrapServers = proxies.map(({ port }) => `127.0.0.1:${port}`).join(',');
  const config = connectionConfigFor(cluster, { listener: 'PLAINTEXT', bootstrapServers });
  const { producer } = newProducer(config, { idempotence: 'required' });
  await producer.open(Date.now() + 10_000);
  for (const proxy of proxies) misbehave(proxy, topic, random);

  const sent: Sent[] = [];
  let left = calls;
  const call = async (caller: number, turn: number) => {
    const records = recordsOf(topic, `${caller}`, turn, random);
    const timeMs = random.chance(0.05) ? 50 + random.below(300) : 1_000 + random.below(1_500);
    const told = await outcomesOf(records, () => producer.send(records, Date.now() + timeMs));
    records.forEach(({ key, value }, at) => {
      sent.push({ key: key && `${key}`, value: idOf(value), told: told[at] ?? 'unknown' });
    });
  };
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let turn = 0; left-- > 0; turn++) await call(caller, turn);
  });
  const over = new AbortController();
  const changes = disturb({ cluster, topic, proxies, random, signal: over.signal });
  await Promise.all(callers);
  over.abort();
  const moves = await changes;
  for (const proxy of proxies) proxy.pass();

  const log = await readTopic(cluster, topic);
  const tally = (told: Sent['told']) => sent.filter((one) => one.told === told).length;
  t.diagnostic(
    `${calls} calls, ${sent.length} records, ${log.length} in the log, none ${tally('none')}, unknown ${tally('unknown')}, ${moves} moves`,
  );
  assert.deepEqual(problemsOf(sent, log).slice(0, 20), []);
  // Otherwise nothing of this was tried.
  assert.ok(log.length > calls && moves > 0 && tally('unknown') > 0 && tally('none') > 0);
}

async function clusterBehindProxies(release: KafkaOptions['release']) {
  const proxies = await Promise.all(
    Array.from({ length: BROKERS }, () => startFaultProxy({ target: undefined })),
  );
  const cluster = await startKafka({
    ...(release && { release }),
    brokers: BROKERS,
    extraListeners: [
      {
        name: 'PROXIED',
        protocol: 'PLAINTEXT',
        advertised: (nodeId) => ({ host: '127.0.0.1', port: proxies[nodeId - 1]?.port ?? 0 }),
      },
    ],
  });
  after(async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await cluster.stop();
  });
  for (const { nodeId, ports } of cluster.brokers)
    proxies[nodeId - 1]?.setTarget('127.0.0.1', ports.PROXIED ?? 0);
  return { cluster, proxies };
}

/** Requests and answers are lost, or end their connection; answers say that nobody knows. */
function misbehave(proxy: FaultProxy, topic: string, random: Random): void {
  proxy.onRequest(({ apiKey }) => {
    if (apiKey !== PRODUCE) return 'forward';
    return random.chance(0.003) ? 'swallow' : random.chance(0.01) ? 'cut' : 'forward';
  });
  proxy.rewriteResponses((frame, { apiKey }) => {
    if (apiKey !== PRODUCE) return undefined;
    if (random.chance(0.003)) return 'swallow';
    if (random.chance(0.01)) return 'cut';
    return random.chance(0.02) ? withErrorCode(frame, topic, random.pick(DOUBTS)) : undefined;
  });
}

interface Surroundings {
  cluster: KafkaCluster;
  topic: string;
  proxies: readonly FaultProxy[];
  random: Random;
  signal: AbortSignal;
}

/** Until the signal; says how many partitions it moved to another broker. */
async function disturb({ cluster, topic, proxies, random, signal }: Surroundings): Promise<number> {
  const kafka = new Kafka({
    brokers: cluster.bootstrapServers.PLAINTEXT.split(','),
    logLevel: logLevel.NOTHING,
  });
  const admin = kafka.admin();
  await admin.connect();
  let moves = 0;
  const move = async () => {
    const partition = random.below(PARTITIONS);
    const replicas = [1 + random.below(BROKERS)];
    await admin.alterPartitionReassignments({
      topics: [{ topic, partitionAssignment: [{ partition, replicas }] }],
    });
    moves++;
  };
  while (!signal.aborted) {
    await wait(CALM_MS);
    const proxy = proxies[random.below(BROKERS)];
    const change = random.below(6);
    if (change <= 1) await move();
    else if (change === 2) proxy?.delay(random.pick([0, 0, 20, 300]));
    else if (change === 3) proxy?.resetAll();
    else if (change === 4) proxy?.forget();
    else {
      await proxy?.refuse();
      await wait(CALM_MS);
      await proxy?.accept();
    }
  }
  await admin.disconnect();
  return moves;
}

/** Each value begins with what tells it from all others; some are more than the topic takes. */
function recordsOf(topic: string, caller: string, turn: number, random: Random): ProducerRecord[] {
  return Array.from({ length: 1 + random.below(MAX_RECORDS) }, (_, at) => {
    const size = random.chance(0.01) ? LARGEST : random.below(1_000);
    return {
      topic,
      key: random.chance(0.1) ? null : Buffer.from(`${caller}-${random.below(KEYS_A_CALLER)}`),
      value: Buffer.from(`${caller}/${turn}/${at} ${'x'.repeat(size)}`),
      headers: [],
    };
  });
}

function idOf(value: Buffer | null): string {
  return `${value}`.split(' ', 1)[0] ?? '';
}

async function outcomesOf(
  records: readonly ProducerRecord[],
  send: () => Promise<readonly (RecordMetadata | Failure)[]>,
): Promise<Sent['told'][]> {
  try {
    return (await send()).map((outcome) => (outcome instanceof Failure ? outcome.delivery : outcome));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return records.map(() => error.delivery);
  }
}

function problemsOf(sent: readonly Sent[], log: Awaited<ReturnType<typeof readTopic>>): string[] {
  const places = new Map<string, string[]>();
  for (const { partition, offset, value } of log) {
    const id = idOf(value);
    places.set(id, [...(places.get(id) ?? []), `${partition}/${offset}`]);
  }
  const problems: string[] = [];
  for (const { value, told } of sent) {
    const found = places.get(value) ?? [];
    if (found.length > 1) problems.push(`${value} is there ${found.length} times: ${found.join(', ')}`);
    if (told === 'none' && found.length > 0)
      problems.push(`${value} was none, and is at ${found.join(', ')}`);
    if (typeof told === 'object' && !found.includes(`${told.partition}/${told.offset}`))
      problems.push(`${value} was at ${told.partition}/${told.offset}, and is at ${found.join(', ')}`);
  }
  const wasSent = new Set(sent.map(({ value }) => value));
  for (const id of places.keys()) if (!wasSent.has(id)) problems.push(`nobody sent ${id}`);
  return [...problems, ...disorder(log)];
}

function disorder(log: Awaited<ReturnType<typeof readTopic>>): string[] {
  const last = new Map<string, { id: string; at: number[] }>();
  return log.flatMap(({ key, value }) => {
    if (!key) return [];
    const id = idOf(value);
    const at = id.split('/').map(Number);
    const before = last.get(`${key}`);
    last.set(`${key}`, { id, at });
    const isLater =
      !before ||
      (at[1] ?? 0) > (before.at[1] ?? 0) ||
      (at[1] === before.at[1] && (at[2] ?? 0) > (before.at[2] ?? 0));
    return isLater ? [] : [`${id} stands behind ${before.id}`];
  });
}
