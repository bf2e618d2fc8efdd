/**
 * Found 2026-11-27 (B2): a live member of the new group protocol (KIP-848) was not seen, and the topic sink
 * published beside it; the check called such a group dead. A share group was "BROKER_UNREACHABLE".
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ConsumeConfig } from '../../functions/consume-batch/config.ts';
import { existingArchive } from '../../local/kafka/class-archive.ts';
import { kafkaDistribution } from '../../local/kafka/distribution.ts';
import { Failure } from '../../src/errors.ts';
import { checkWith, variablesFor } from '../support/check.ts';
import { pythonCommand, pythonMissing } from '../support/clients/clients.ts';
import { newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { committedOffsets } from '../support/group.ts';
import { startReceiver } from '../support/http.ts';
import { numbered, publish, readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const RECORDS = 10;
const BEGIN_MS = 60_000;
const cluster = await sharedCluster();
const receiver = await startReceiver();

const sinks: ConsumeConfig['sink'][] = [
  { name: 'handler' },
  { name: 'log' },
  receiver.sink,
  { name: 'topic', topic: '{topic}.out' },
];

interface Member {
  leave(): Promise<void>;
}

/** Resolves once the program has written something: then it is a member, and has partitions. */
async function startMember(
  t: TestContext,
  command: string,
  args: string[],
  end: (child: ChildProcess) => void,
): Promise<Member> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  await Promise.race([
    once(child.stdout, 'data'),
    exited.then(() => assert.fail(`${command} has ended`)),
    wait(BEGIN_MS, undefined, { ref: false }).then(() => assert.fail(`${command} does not begin`)),
  ]);
  child.stdout.resume();
  return {
    async leave() {
      end(child);
      await exited;
    },
  };
}

const javaOptions = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xlog:disable'];

async function javaConsole(
  t: TestContext,
  tool: 'ConsoleConsumer' | 'ConsoleShareConsumer',
  groupId: string,
  topic: string,
  properties: string[],
): Promise<Member> {
  const distribution = await kafkaDistribution();
  const args = [
    ...javaOptions,
    ...existingArchive(distribution),
    ...['-cp', distribution.classpath, `org.apache.kafka.tools.consumer.${tool}`],
    ...['--bootstrap-server', cluster.bootstrapServers.PLAINTEXT, '--group', groupId, '--topic', topic],
    ...properties.flatMap((property) => ['--command-property', property]),
  ];
  return startMember(t, distribution.java, args, (child) => child.kill('SIGTERM'));
}

/** Java compiles the program as it starts it, where there is a compiler. */
async function streamsMember(t: TestContext, groupId: string, topic: string): Promise<Member | undefined> {
  const { java, classpath } = await kafkaDistribution();
  if (!spawnSync(java, ['--list-modules'], { encoding: 'utf8' }).stdout.includes('jdk.compiler')) {
    return void t.skip('this Java has no compiler');
  }
  const program = fileURLToPath(new URL('StreamsMember.java', import.meta.url));
  const args = ['-cp', classpath, program, cluster.bootstrapServers.PLAINTEXT, groupId, topic];
  return startMember(t, java, [...javaOptions, ...args], (child) => child.stdin?.end());
}

/** What each sink has got so far. */
async function outputs(topic: string, handled: readonly unknown[], lines: readonly { message: string }[]) {
  return {
    handled: handled.length,
    logged: lines.filter(({ message }) => message === 'record').length,
    posted: receiver.posts.length,
    published: (await readTopic(cluster, `${topic}.out`)).length,
  };
}

async function assertRefused(topic: string, code: Failure['code'], sentence: RegExp): Promise<void> {
  for (const sink of sinks) {
    const { pull, handled, log } = newConsumer(cluster, topic, { sink });
    const before = await outputs(topic, handled, log.lines);
    await assert.rejects(pull(), (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, sentence);
      return true;
    });
    assert.deepEqual(await outputs(topic, handled, log.lines), before, `${sink.name}: nothing is handled`);
  }
}

async function groupReport(groupId: string) {
  const report = await checkWith({ ...variablesFor(cluster, 'SASL_SSL'), CHECK_GROUP_ID: groupId }, 10_000);
  const { type, state, members } = report.group ?? {};
  return { type, state, members };
}

async function filledTopic(): Promise<string> {
  const topic = await newTopic(cluster, { partitions: 1, beside: ['out'] });
  await publish(cluster, topic, numbered(RECORDS));
  return topic;
}

const members: Record<
  string,
  (t: TestContext, groupId: string, topic: string) => Promise<Member | undefined>
> = {
  "Java's console consumer": (t, groupId, topic) =>
    javaConsole(t, 'ConsoleConsumer', groupId, topic, [
      'group.protocol=consumer',
      'enable.auto.commit=false',
      'auto.offset.reset=earliest',
    ]),
  'confluent-kafka': async (t, groupId, topic) => {
    const reason = await pythonMissing();
    if (reason) return void t.skip(reason);
    const program = fileURLToPath(new URL('member.py', import.meta.url));
    const args = [program, cluster.bootstrapServers.PLAINTEXT, groupId, topic];
    return startMember(t, pythonCommand, args, (child) => child.stdin?.end());
  },
};

describe('beside a live member of the new protocol', () => {
  for (const [name, start] of Object.entries(members)) {
    test(`${name}: a pull of each sink is refused, and works once it has left`, {
      timeout: 300_000,
    }, async (t) => {
      const topic = await filledTopic();
      const groupId = `${topic}-g`;
      const member = await start(t, groupId, topic);
      if (!member) return;
      await assertRefused(topic, 'GROUP_ACTIVE', /a consumer group, Stable, members: 1/);
      assert.deepEqual(await groupReport(groupId), { type: 'consumer', state: 'Stable', members: 1 });
      assert.equal((await committedOffsets(cluster, topic)).get(0), -1, 'no offset is committed');

      await member.leave();
      for (const [round, sink] of sinks.entries()) {
        if (round > 0) await publish(cluster, topic, numbered(RECORDS));
        const { pull } = newConsumer(cluster, topic, { sink });
        const { processed, partitions } = await pull();
        assert.deepEqual([processed, partitions[0]?.lag], [RECORDS, 0], sink.name);
      }
      assert.deepEqual(await groupReport(groupId), { type: 'consumer', state: 'Empty', members: 0 });
      assert.equal((await readTopic(cluster, `${topic}.out`)).length, RECORDS);
    });
  }
});

test('a share group is named as such, with members and without', { timeout: 300_000 }, async (t) => {
  const topic = await filledTopic();
  const groupId = `${topic}-g`;
  // Share groups begin at the end: something has to come for the console to write it.
  const feeding = setInterval(() => void publish(cluster, topic, numbered(1)).catch(() => {}), 500);
  t.after(() => clearInterval(feeding));
  const member = await javaConsole(t, 'ConsoleShareConsumer', groupId, topic, []);
  clearInterval(feeding);
  await assertRefused(topic, 'GROUP_ACTIVE', /a share group, Stable, members: 1/);
  assert.deepEqual(await groupReport(groupId), { type: 'share', state: 'Stable', members: 1 });
  await member.leave();
  await assertRefused(topic, 'CONFIG_INVALID', /belongs to a share group/);
  assert.deepEqual(await groupReport(groupId), { type: 'share', state: 'Empty', members: 0 });
});

test('a streams group is refused while it has a member', { timeout: 300_000 }, async (t) => {
  const topic = await filledTopic();
  const groupId = `${topic}-g`;
  const member = await streamsMember(t, groupId, topic);
  if (!member) return;
  await assertRefused(topic, 'GROUP_ACTIVE', /a streams group, (Stable|Assigning|Reconciling|NotReady)/);
  assert.equal((await groupReport(groupId)).type, 'streams');
  await member.leave();
  const { pull } = newConsumer(cluster, topic, { sink: { name: 'topic', topic: '{topic}.out' } });
  assert.equal((await pull()).processed, RECORDS);
});
