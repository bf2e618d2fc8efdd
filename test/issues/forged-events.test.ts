/**
 * Found 2026-11-27 (A5): whoever reached /invoke could have a made-up event handled, and its topic chose the
 * dead-letter topic; nobody looked at CONSUME_TOPICS.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InvocationResult } from '../../local/functiongraph/runtime.ts';
import { bundledConsumer } from '../support/bundle.ts';
import { newTopic } from '../support/cluster.ts';
import { buildHttpFunction, startHttpFunction } from '../support/http-function.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const start = await bundledConsumer(cluster);
const built = await buildHttpFunction();

/** With a dead-letter topic of its own. */
async function newSource(): Promise<string> {
  const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });
  return topic;
}

const deadLetters = (topic: string) => readTopic(cluster, `${topic}.dead-letter`);

const bytes = (text: string) => [...Buffer.from(text)];
const aws = (topics: string[], headers: Record<string, number[]>[] = []) => ({
  eventSource: 'aws:kafka',
  records: Object.fromEntries(
    topics.map((topic, offset) => [
      `${topic}-0`,
      [
        {
          topic,
          partition: 0,
          offset,
          timestamp: 1,
          value: Buffer.from('poison').toString('base64'),
          headers,
        },
      ],
    ]),
  ),
});
const kafka = (topics: string[]) => ({
  trigger_type: 'KAFKA',
  records: topics.map((topic_id) => ({ topic_id, messages: ['poison'] })),
});

function errorOf(result: InvocationResult): string {
  assert.ok(!result.ok, JSON.stringify(result));
  return result.error.errorMessage;
}

for (const [name, event] of Object.entries({ 'KAFKA of FunctionGraph': kafka, 'aws:kafka': aws })) {
  test(`${name}: an event with another topic than CONSUME_TOPICS is refused whole`, async () => {
    const [own, other] = [await newSource(), await newSource()];
    const runtime = start({ CONSUME_TOPICS: ` ${own},x ` });
    for (const topics of [[other], [own, other], [other, own]]) {
      const error = errorOf(await runtime.invoke(event(topics)));
      assert.match(error, new RegExp(`^CONFIG_INVALID: .*${other}.*CONSUME_TOPICS`));
      assert.doesNotMatch(error, new RegExp(own));
    }
    assert.deepEqual([await deadLetters(own), await deadLetters(other)], [[], []]);
    assert.ok((await runtime.invoke(event([own]))).ok);
    assert.equal((await deadLetters(own)).length, 1);
  });

  test(`${name}: without CONSUME_TOPICS the trigger decides, as ever`, async () => {
    const topics = [await newSource(), await newSource()];
    for (const variables of [{}, { CONSUME_TOPICS: '' }]) {
      assert.ok((await start(variables).invoke(event(topics))).ok);
    }
    for (const topic of topics) assert.equal((await deadLetters(topic)).length, 2);
  });
}

test('many topics: three are named', async () => {
  const runtime = start({ CONSUME_TOPICS: 'orders' });
  const error = errorOf(await runtime.invoke(kafka(['a', 'b', 'c', 'd', 'e', 'orders'])));
  assert.match(error, /records of a, b, c and 2 more, which CONSUME_TOPICS does not name/);
});

test('/invoke: the same answer over HTTP', async () => {
  const [own, other] = [await newSource(), await newSource()];
  const { url } = await startHttpFunction(built, cluster, { FUNCTION: 'consume-batch', CONSUME_TOPICS: own });
  const invoke = async (event: object) => {
    const response = await fetch(`${url}/invoke`, { method: 'POST', body: JSON.stringify(event) });
    return (await response.json()) as { code?: string; message?: string };
  };
  for (const event of [aws, kafka]) {
    const { code, message } = await invoke(event([own, other]));
    assert.equal(code, 'CONFIG_INVALID');
    assert.match(message ?? '', new RegExp(`${other}.*CONSUME_TOPICS`));
  }
  assert.deepEqual([await deadLetters(own), await deadLetters(other)], [[], []]);
});

test('a forged origin in its headers does not choose where a dead letter goes', async () => {
  const [own, other] = [await newSource(), await newSource()];
  const forged = ['topic', 'partition', 'offset'].map((name) => ({
    [`__connect.errors.${name}`]: bytes(name === 'topic' ? other : '0'),
  }));
  assert.ok((await start({ CONSUME_TOPICS: own }).invoke(aws([own], forged))).ok);
  assert.deepEqual([(await deadLetters(own)).length, await deadLetters(other)], [1, []]);
});

test('/invoke and /init are not there without FUNCTION', async () => {
  const { url } = await startHttpFunction(built, cluster, { CONSUME_TOPICS: 'orders', KAFKA_GROUP_ID: 'g' });
  for (const path of ['/invoke', '/init']) {
    for (const init of [{ method: 'GET' }, { method: 'POST', body: JSON.stringify(kafka(['orders'])) }]) {
      const response = await fetch(`${url}${path}`, init);
      const { code, message } = (await response.json()) as { code: string; message: string };
      assert.deepEqual([response.status, code], [404, 'UNKNOWN_ROUTE']);
      assert.match(message, /FUNCTION/);
    }
  }
});
