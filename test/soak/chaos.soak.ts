import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { httpConfig } from '../../functions/http/config.ts';
import { createHttpServer } from '../../functions/http/server.ts';
import { produceConfig } from '../../functions/produce/config.ts';
import { createRoute } from '../../functions/produce/publish.ts';
import { metadata, type TopicMetadata } from '../../local/kafka/admin.ts';
import { readConfig } from '../../src/variables.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { recordingLog } from '../support/log.ts';
import { newProducer } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';

const CONNECTIONS = 64;
const KILLS = 6;
const CALM_MS = 10_000;
const ANSWER_WITHIN_MS = 5_000;
/** What the client's own clock may add to the answer's on two busy cores. */
const CLIENT_SLACK_MS = 250;
const BACK_WITHIN_MS = 3_000;
const PARTITIONS = 6;

interface Answer {
  key: string;
  sequence: number;
  status: number;
  delivery: string | undefined;
  partition: number | undefined;
  offset: number | undefined;
  ms: number;
  at: number;
}

const cluster = await kafkaForTests({ brokers: 3 });

it(`keeps its word while ${KILLS} brokers are killed in turn under ${CONNECTIONS} connections`, async (t) => {
  const topic = await newTopic(cluster, { partitions: PARTITIONS, config: { 'min.insync.replicas': '2' } });
  const { port, close } = await serve();
  const answers: Answer[] = [];
  let over = false;
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const callers = Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, i) => {
      for (let sequence = 0; !over; sequence++)
        answers.push(await publish(agent, port, topic, `key-${i}`, sequence));
    }),
  );

  const elections: { at: number; until: number }[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    await wait(CALM_MS);
    const victim = (kill % 3) + 1;
    const previous = elections.at(-1);
    if (previous) previous.until = Date.now();
    await cluster.stopBroker(victim, 'SIGKILL');
    await seen(topic, victim, ({ partitions }) =>
      partitions.every(({ leader }) => leader > 0 && leader !== victim),
    );
    elections.push({ at: Date.now(), until: Number.POSITIVE_INFINITY });
    t.diagnostic(`broker ${victim} killed, leaders elected, ${answers.length} answers so far`);
    await cluster.startBroker(victim);
    await seen(topic, victim, ({ partitions }) => partitions.every(({ isr }) => isr.length === 3));
  }
  await wait(CALM_MS);
  over = true;
  await callers;
  await close();

  const log = await readTopic(cluster, topic);
  const stored = new Map(log.map((r) => [`${r.partition}/${r.offset}`, `${r.key} ${r.value}`]));
  const count = new Map<string, number>();
  for (const { key, value } of log) count.set(`${key} ${value}`, (count.get(`${key} ${value}`) ?? 0) + 1);
  const problems: string[] = [];
  for (const answer of answers) {
    const record = `"${answer.key}" ${answer.sequence}`;
    const copies = count.get(record) ?? 0;
    if (answer.status === 200) {
      if (stored.get(`${answer.partition}/${answer.offset}`) !== record)
        problems.push(`${record} is not at its offset`);
      if (copies !== 1) problems.push(`${record} stands there ${copies} times`);
    } else {
      if (answer.delivery === 'none' && copies > 0) problems.push(`${record} was none and is there`);
      if (copies > 1) problems.push(`${record} is there ${copies} times`);
      if (answer.delivery === undefined) problems.push(`${record}: ${answer.status} without delivery`);
    }
    if (answer.ms > ANSWER_WITHIN_MS + CLIENT_SLACK_MS) problems.push(`${record} took ${answer.ms} ms`);
    const election = elections.find(({ at, until }) => answer.at > at + BACK_WITHIN_MS && answer.at < until);
    if (election && answer.status !== 200)
      problems.push(`${record}: ${answer.status} ${answer.at - election.at} ms after`);
  }
  for (let i = 0; i < CONNECTIONS; i++) {
    const order = log.filter(({ key }) => key?.toString() === `"key-${i}"`).map(({ value }) => Number(value));
    if (order.some((sequence, n) => n > 0 && sequence <= (order[n - 1] ?? -1)))
      problems.push(`key-${i} out of order`);
  }
  const failed = answers.filter(({ status }) => status !== 200);
  t.diagnostic(
    `${answers.length} answers, ${failed.length} other than 200, slowest ${answers.reduce((slowest, { ms }) => Math.max(slowest, ms), 0)} ms`,
  );
  assert.deepEqual(problems.slice(0, 20), []);
});

async function serve(): Promise<{ port: number; close: () => Promise<void> }> {
  const { producer, connection } = newProducer(connectionConfigFor(cluster));
  const environment = () => undefined;
  const config = readConfig(environment, produceConfig);
  const route = createRoute({ producer, config, log: recordingLog() });
  const server = createHttpServer(route, readConfig(environment, httpConfig));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.close();
    server.closeAllConnections();
    connection.close();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

/** Until a broker other than `victim` sees the topic so. */
async function seen(topic: string, victim: number, isSo: (topic: TopicMetadata) => boolean): Promise<void> {
  const witness = cluster.brokers.find(({ nodeId }) => nodeId !== victim);
  for (let i = 0; i < 600; i++) {
    const { topics } = await metadata(witness?.ports.PLAINTEXT ?? 0, [topic]);
    if (topics[0] && isSo(topics[0])) return;
    await wait(50);
  }
  throw new Error(`${topic} did not come to be as expected`);
}

function publish(agent: Agent, port: number, topic: string, key: string, sequence: number): Promise<Answer> {
  const started = Date.now();
  const options = { agent, port, host: '127.0.0.1', path: `/topics/${topic}`, method: 'POST' };
  return new Promise((resolve, reject) => {
    const call = request({ ...options, headers: { 'content-type': 'application/json' } }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk;
      });
      response.on('end', () => {
        const body = JSON.parse(text) as {
          delivery?: string;
          offsets?: { partition: number; offset: number }[];
        };
        resolve({
          key,
          sequence,
          status: response.statusCode ?? 0,
          delivery: body.delivery,
          partition: body.offsets?.[0]?.partition,
          offset: body.offsets?.[0]?.offset,
          ms: Date.now() - started,
          at: Date.now(),
        });
      });
    });
    call.on('error', reject);
    call.end(JSON.stringify({ records: [{ key, value: sequence }] }));
  });
}
