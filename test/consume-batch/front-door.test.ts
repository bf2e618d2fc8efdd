import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { startKafkaTrigger } from '../../local/functiongraph/kafka-trigger.ts';
import type { InvocationResult } from '../../local/functiongraph/runtime.ts';
import { startTimerTrigger } from '../../local/functiongraph/timer.ts';
import { bundledConsumer } from '../support/bundle.ts';
import { newTopic } from '../support/cluster.ts';
import { committedRecords } from '../support/group.ts';
import { numbered, publish, readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

const start = await bundledConsumer(cluster);

function sample(name: string): Record<string, unknown> {
  return JSON.parse(
    readFileSync(new URL(`../../events/consume-batch-${name}.json`, import.meta.url), 'utf8'),
  );
}

/** What the call answered; fails where it failed. */
function answerOf(result: InvocationResult): Record<string, unknown> {
  assert.ok(result.ok, JSON.stringify(result));
  return result.result as Record<string, unknown>;
}

function errorOf(result: InvocationResult): string {
  assert.ok(!result.ok, JSON.stringify(result));
  return result.error.errorMessage;
}

const topicWithDeadLetters = () => newTopic(cluster, { partitions: 2, beside: ['dead-letter'] });

describe('the bundle on the platform', () => {
  test('a pull works by timer, by hand and over HTTP', async () => {
    const topic = await topicWithDeadLetters();
    const runtime = start({ KAFKA_GROUP_ID: `${topic}-g`, CONSUME_TOPICS: topic });
    await publish(cluster, topic, numbered(30));
    const timer = startTimerTrigger({
      ...{ runtime, everyMs: 3_600_000, name: 'pull' },
      userEvent: `{"topics":["${topic}"],"maxRecords":10}`,
    });
    const byTimer = answerOf(await timer.fire());
    timer.stop();
    assert.deepEqual([byTimer.mode, byTimer.processed, byTimer.more], ['pull', 10, true]);
    assert.equal(answerOf(await runtime.invoke({ maxRecords: 5 })).processed, 5);

    const http = answerOf(await runtime.invoke(sample('apig')));
    assert.deepEqual([http.statusCode, http.isBase64Encoded], [200, false]);
    const body = JSON.parse(String(http.body));
    assert.deepEqual([body.mode, body.processed, body.more], ['pull', 15, false]);
    const headers = http.headers as Record<string, string>;
    assert.deepEqual(
      [headers['content-type'], typeof headers['x-request-id']],
      ['application/json', 'string'],
    );
    assert.equal(await committedRecords(cluster, topic), 30);
  });

  test('over HTTP a mistake is answered, and the call succeeds', async () => {
    const topic = await topicWithDeadLetters();
    const runtime = start({ KAFKA_GROUP_ID: 'g', CONSUME_TOPICS: topic });
    const call = async (change: object) => {
      const answer = answerOf(await runtime.invoke({ ...sample('apig'), ...change }));
      return [answer.statusCode, JSON.parse(String(answer.body)).code];
    };
    const body = (text: string) => ({ body: Buffer.from(text).toString('base64') });
    assert.deepEqual(await call({ httpMethod: 'GET' }), [405, 'METHOD_NOT_ALLOWED']);
    assert.deepEqual(await call(body('{')), [400, 'MALFORMED_REQUEST']);
    assert.deepEqual(await call(body('[]')), [400, 'MALFORMED_REQUEST']);
    assert.deepEqual(await call(body('{"maxRecords":"1"}')), [400, 'MALFORMED_REQUEST']);
    assert.deepEqual(await call(body('{"maxRecord":1}')), [400, 'MALFORMED_REQUEST']);
    const misspelled = await runtime.invoke({ trigger_type: 'TIMER', user_event: '{"maxRecord":1}' });
    assert.match(
      JSON.stringify(misspelled),
      /MALFORMED_REQUEST: .*maxRecord is not known: there are topics, /,
    );
    assert.deepEqual(await call(body('{"topics":["other"]}')), [400, 'MALFORMED_REQUEST']);
    const missing = start({});
    const answer = answerOf(await missing.invoke(sample('apig')));
    const { code, message } = JSON.parse(String(answer.body));
    assert.deepEqual([answer.statusCode, code], [500, 'CONFIG_INVALID']);
    assert.match(message, /CONSUME_TOPICS.*KAFKA_GROUP_ID|KAFKA_GROUP_ID.*CONSUME_TOPICS/);
  });

  test('an event of no known kind, and a pull that cannot go on, are `CODE: sentence`', async () => {
    const topic = await topicWithDeadLetters();
    const runtime = start({ KAFKA_GROUP_ID: 'g', CONSUME_TOPICS: topic, KAFKA_AUTO_OFFSET_RESET: 'none' });
    for (const event of [null, 1, 'x', [], { foo: 1 }]) {
      assert.match(errorOf(await runtime.invoke(event)), /^MALFORMED_REQUEST: the event is of no known kind/);
    }
    assert.match(
      errorOf(await runtime.invoke({})),
      /^OFFSET_OUT_OF_RANGE: partition \d of topic .+ has no committed offset/,
    );
  });

  for (const name of [
    'kafka',
    'kafka-instance-in-record',
    'kafka-flat',
    'kafka-message-objects',
    'kafka-several-topics',
  ]) {
    test(`${name}: its records are handled`, async () => {
      const runtime = start({ LOG_LEVEL: 'debug' });
      const answer = answerOf(await runtime.invoke(sample(name)));
      const count =
        JSON.stringify(sample(name)).split('total').length - 1 + (name.includes('several') ? 1 : 0);
      assert.deepEqual(answer, { mode: 'push', processed: count, failed: 0, deadLettered: 0 });
    });
  }

  test('a record that fails for good goes to the dead-letter topic; where that fails, the call does', async () => {
    const topic = await topicWithDeadLetters();
    const event = (topicName: string, messages: string[]) => ({
      ...sample('kafka'),
      records: [{ topic_id: topicName, messages }],
    });
    const runtime = start({});
    const answer = answerOf(await runtime.invoke(event(topic, ['{"n":1}', 'poison'])));
    assert.deepEqual([answer.processed, answer.deadLettered], [1, 1]);
    const [letter] = await readTopic(cluster, `${topic}.dead-letter`);
    assert.equal(String(letter?.value), 'poison');
    assert.equal(letter?.headers['__connect.errors.partition'], undefined);
    const missing = await runtime.invoke(event('no-such-topic', ['poison']), { timeoutMs: 10_000 });
    assert.match(errorOf(missing), /^DEAD_LETTER_FAILED: .+no-such-topic/);
  });

  test('AWS with ReportBatchItemFailures is answered with batchItemFailures and nothing else', async () => {
    const topic = await topicWithDeadLetters();
    const record = (offset: number, value: string) => ({
      ...{ topic, partition: 0, offset, timestamp: 1, timestampType: 'CREATE_TIME', headers: [] },
      value: Buffer.from(value).toString('base64'),
    });
    const event = (records: object[]) => ({ eventSource: 'aws:kafka', records: { [`${topic}-0`]: records } });
    const fine = start({ CONSUME_PARTIAL_RESPONSE: 'true' });
    const poison = event([record(0, '{"n":1}'), record(1, 'poison'), record(2, '{"n":2}')]);
    assert.deepEqual(answerOf(await fine.invoke(poison)), { batchItemFailures: [] });
    assert.equal((await readTopic(cluster, `${topic}.dead-letter`)).length, 1);
    const down = start({
      CONSUME_SINK: 'http',
      CONSUME_SINK_URL: 'http://127.0.0.1:9/',
      CONSUME_RETRIES: '0',
      CONSUME_PARTIAL_RESPONSE: 'true',
    });
    assert.deepEqual(answerOf(await down.invoke(event([record(7, '1'), record(8, '2')]))), {
      batchItemFailures: [
        { itemIdentifier: { partition: `${topic}-0`, offset: 7 } },
        { itemIdentifier: { partition: `${topic}-0`, offset: 8 } },
      ],
    });
  });

  test('a warning about a missing dead-letter topic comes with the first call', async () => {
    const topic = await newTopic(cluster);
    const runtime = start({ KAFKA_GROUP_ID: 'g', CONSUME_TOPICS: topic });
    const { logs } = await runtime.invoke({});
    const warnings = logs.filter((line) =>
      line.includes(`the dead-letter topic ${topic}.dead-letter does not exist`),
    );
    // The initializer's, and the call's own.
    assert.equal(warnings.length, 2);
  });

  for (const [name, value] of [
    ['CONSUME_DEAD_LETTER_TOPIC', 'orders'],
    ['CONSUME_SINK_TOPIC', '{topic}'],
    ['CONSUME_SINK_HEADERS', '{"a":1}'],
    ['CONSUME_SINK_URL', 'ftp://x'],
    ['CONSUME_SINK_URL', 'http://user:pw@x/'],
    ['CONSUME_ORDER', 'all'],
  ] as const) {
    test(`${name}=${value} is CONFIG_INVALID, without the value`, async () => {
      const sink = name.startsWith('CONSUME_SINK_T') ? 'topic' : 'http';
      const variables = { CONSUME_SINK: sink, CONSUME_SINK_URL: 'http://x/', CONSUME_SINK_TOPIC: 'x' };
      const runtime = start({ ...variables, KAFKA_GROUP_ID: 'g', CONSUME_TOPICS: 'orders', [name]: value });
      const message = errorOf(await runtime.invoke({}));
      assert.match(message, new RegExp(`^CONFIG_INVALID: .*${name} `));
      if (value.length > 6)
        assert.doesNotMatch(message, new RegExp(`${name}.{0,3}${value.replace(/[{}"]/g, '.')}`));
    });
  }
});

test('a Kafka trigger delivers real records, and the function handles them', async () => {
  const topic = await topicWithDeadLetters();
  await publish(cluster, topic, [...numbered(20), { key: 'x', value: 'poison' }]);
  const runtime = start({});
  let processed = 0;
  let deadLettered = 0;
  await new Promise<void>((resolve, reject) => {
    const trigger = startKafkaTrigger({
      ...{ runtime, topics: [topic], groupId: `${topic}-trigger`, batchSize: 5 },
      kafka: { brokers: cluster.bootstrapServers.PLAINTEXT.split(',') },
      onResult: (result) => {
        const answer = answerOf(result);
        processed += Number(answer.processed);
        deadLettered += Number(answer.deadLettered);
        assert.ok(processed + deadLettered <= 21);
        if (processed + deadLettered === 21) resolve(trigger.then(({ stop }) => stop()));
      },
    });
    trigger.catch(reject);
  });
  assert.deepEqual([processed, deadLettered], [20, 1]);
});
