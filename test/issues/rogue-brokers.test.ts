/**
 * Found 2026-11-27 (A2, A7, A10), by their kind: whatever a broker answers to any request of a publish, a pull or a
 * check, the call ends by its deadline with a code of ours, takes little memory, and the next one, to an honest
 * broker, succeeds. Logins have `scram-wedge`, batches that grow have `bombs`.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import type { Listener } from '../../local/kafka/cluster.ts';
import { int32, string } from '../../local/kafka/wire.ts';
import { Failure } from '../../src/errors.ts';
import { checkWith, variablesFor } from '../support/check.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import type { ResponseRewriter } from '../support/faults/proxy.ts';
import { startFaultProxy } from '../support/faults/proxy.ts';
import { newProducer } from '../support/producer.ts';
import { newSeed, randomFrom } from '../support/random.ts';
import { numbered, publish } from '../support/records.ts';

/** What a call that is tricked has. */
const WITHIN_MS = 800;
/** Nothing is measured by this: a call that is still under way after it never ends. */
const NEVER_MS = 20_000;
const HONEST_MS = 30_000;
const MAX_GROWTH = 150 * 1024 * 1024;
const METADATA = 3;
const CORRELATION_ID = 4;
/** Metadata v8: the correlation id and the throttle time stand before the brokers. */
const BROKERS_AT = CORRELATION_ID + 4;

const calls = ['publish', 'pull', 'check'] as const;
type CallName = (typeof calls)[number];
type Call = (withinMs: number) => Promise<unknown>;

const listenerOf = (name: CallName) => name.toUpperCase();
const proxies = new Map(
  await Promise.all(calls.map(async (name) => [name, await startFaultProxy({ target: undefined })] as const)),
);
const proxyOf = (name: CallName) => proxies.get(name) ?? assert.fail(name);
after(() => Promise.all(calls.map((name) => proxyOf(name).close())));
const cluster = await kafkaForTests({
  extraListeners: calls.map((name) => ({
    ...{ name: listenerOf(name), protocol: 'PLAINTEXT' as Listener, advertised: () => proxyOf(name) },
  })),
});
for (const name of calls) {
  proxyOf(name).setTarget('127.0.0.1', cluster.brokers[0]?.ports[listenerOf(name)] ?? 0);
}

/** Makes calls of instances that know nothing of the cluster yet. */
const instances: Record<CallName, (servers: string) => Promise<() => Call>> = {
  async publish(bootstrapServers) {
    const topic = await newTopic(cluster, { partitions: 2 });
    const record = { topic, key: null, value: Buffer.from('x'), headers: [] };
    const config = connectionConfigFor(cluster, { listener: 'PLAINTEXT', bootstrapServers });
    return () => {
      const { producer } = newProducer(config);
      return async (withinMs) => {
        const [outcome] = await producer.send([record], Date.now() + withinMs);
        if (outcome instanceof Failure) throw outcome;
      };
    };
  },
  async pull(bootstrapServers) {
    const topic = await newTopic(cluster, { partitions: 2 });
    const connection = connectionConfigFor(cluster, { listener: 'PLAINTEXT', bootstrapServers });
    return () => {
      const { pull } = newConsumer(cluster, topic, { connection });
      return async (withinMs) => {
        await publish(cluster, topic, numbered(1));
        await pull({}, {}, withinMs);
      };
    };
  },
  async check(servers) {
    const topic = await newTopic(cluster, { partitions: 2 });
    const of = { CHECK_TOPIC: topic, CHECK_GROUP_ID: `${topic}-g`, CHECK_ROUND_TRIP: 'true' };
    const variables = { ...variablesFor(cluster, 'PLAINTEXT', { servers }), ...of };
    return () => async (withinMs) => {
      const { ok, verdict } = await checkWith(variables, withinMs);
      if (!ok) throw new Failure('BROKER_UNREACHABLE', `${verdict?.fault}`);
    };
  },
};

/** What a rogue broker makes of an honest answer. */
type Trick = (frame: Buffer) => ReturnType<ResponseRewriter>;

const random = randomFrom(newSeed());

/** Writes a number somewhere into an answer: a count, a size, an offset, half of each. */
function overwrites(value: number): Trick {
  return (frame) => {
    const forged = Buffer.from(frame);
    const at = CORRELATION_ID + random.below(Math.max(1, frame.length - CORRELATION_ID - 3));
    if (at + 4 <= forged.length) forged.writeInt32BE(value, at);
    return forged;
  };
}

const tricks: [string, Trick][] = [
  ['nothing', () => 'swallow'],
  ['the end of the connection', () => 'cut'],
  ['half of it', (frame) => frame.subarray(0, Math.max(CORRELATION_ID, frame.length >> 1))],
  ['its beginning alone', (frame) => frame.subarray(0, CORRELATION_ID)],
  ['noise', (frame) => Buffer.concat([frame.subarray(0, CORRELATION_ID), Buffer.alloc(frame.length, 0xff)])],
  ['2^31-1 somewhere', overwrites(2 ** 31 - 1)],
  ['-2 somewhere', overwrites(-2)],
];

/** 300,000 brokers, as Metadata v8 lists them. */
function manyBrokers(): Buffer {
  const broker = Buffer.concat([int32(1), string('nowhere.example'), int32(9092), string(null)]);
  return Buffer.concat([int32(300_000), ...Array(300_000).fill(broker)]);
}

/** Metadata v8 with another number for the first partition of the first topic: after its name stand a byte, a count and an error. */
const strangePartition: Trick = (frame) => {
  const forged = Buffer.from(frame);
  const at = forged.indexOf('topic-');
  if (at < 0) return undefined;
  forged.writeInt32BE(-256, at + forged.readInt16BE(at - 2) + 1 + 4 + 2);
  return forged;
};

// One after the other: the memory is that of the process.
describe('whatever is answered to whichever request', () => {
  for (const name of calls) {
    test(`a ${name} ends in time, and succeeds after it`, async () => {
      const proxy = proxyOf(name);
      const instance = await instances[name](`${proxy.host}:${proxy.port}`);
      const asked = new Set<number>();
      proxy.rewriteResponses((_frame, { apiKey }) => void asked.add(apiKey));
      await instance()(HONEST_MS);
      const brokers = manyBrokers();
      const before = process.resourceUsage().maxRSS * 1024;
      const attacks = [...asked].flatMap((apiKey) =>
        tricks.map(([what, trick]) => ({ apiKey, what, trick })),
      );
      const crowd: Trick = (frame) =>
        Buffer.concat([frame.subarray(0, BROKERS_AT), brokers, frame.subarray(BROKERS_AT + 4)]);
      attacks.push({ apiKey: METADATA, what: '300,000 brokers', trick: crowd });
      attacks.push({ apiKey: METADATA, what: 'partition -256', trick: strangePartition });
      const played = new Set<number>();
      for (const { apiKey, what, trick } of attacks) {
        const where = `${what} for API ${apiKey}`;
        proxy.rewriteResponses((frame, request) => {
          if (request.apiKey !== apiKey) return undefined;
          played.add(apiKey);
          return trick(frame);
        });
        const call = instance();
        await settled(call(WITHIN_MS), where);
        proxy.pass();
        if (await settled(call(HONEST_MS), `the honest call after ${where}`, { succeeds: true })) continue;
        // A broker may ask for silence, for as long as the connection lasts; its end is noticed a moment later.
        proxy.resetAll();
        const until = Date.now() + HONEST_MS;
        while (!(await settled(call(HONEST_MS), `the call after ${where}`, { succeeds: true }))) {
          assert.ok(Date.now() < until, `throttled over a new connection: ${where}`);
          await nextTurn();
        }
      }
      assert.deepEqual(played, asked);
      const growth = process.resourceUsage().maxRSS * 1024 - before;
      assert.ok(growth < MAX_GROWTH, `${Math.round(growth / 2 ** 20)} MiB`);
    });
  }
});

/** Whether it ended well; one that has to succeed may be told to wait, by a throttle time that was tampered with. */
async function settled(call: Promise<unknown>, where: string, { succeeds = false } = {}): Promise<boolean> {
  const waiting = new AbortController();
  const never = wait(succeeds ? HONEST_MS + NEVER_MS : NEVER_MS, undefined, { signal: waiting.signal });
  try {
    await Promise.race([call, never.then(() => assert.fail(`${where}: the call does not end`))]);
    return true;
  } catch (error) {
    const reason = `${where}: ${error instanceof Error ? error.stack : error}`;
    assert.ok(error instanceof Failure, reason);
    assert.ok(!succeeds || error.code === 'THROTTLED', reason);
    // -1 is the broker's own word for a defect of its own.
    assert.ok(error.code !== 'INTERNAL' || /UNKNOWN_SERVER_ERROR/.test(error.message), reason);
    return false;
  } finally {
    waiting.abort();
    never.catch(() => {});
  }
}
