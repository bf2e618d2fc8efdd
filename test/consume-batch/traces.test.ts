/** A record is followed by its `traceparent` and `tracestate` (W3C's Trace Context), wherever it goes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pipeline, RecordContext } from '../../functions/consume-batch/records/pipeline.ts';
import { PermanentError } from '../../functions/consume-batch/records/record-failure.ts';
import { createPublish } from '../../functions/produce/publish.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { newConsumer, pullDefaults } from '../support/consumer.ts';
import { startReceiver } from '../support/http.ts';
import { buildHttpFunction, startHttpFunction } from '../support/http-function.ts';
import { recordingLog } from '../support/log.ts';
import { acknowledged, post, produceDefaults } from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { publish, readTopic } from '../support/records.ts';
import { replayWith } from '../support/replay.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

const idOf = (n: number) => `4bf92f3577b34da6a3ce929d0e0e47${n.toString(16).padStart(2, '0')}`;
const parentOf = (n: number) => `00-${idOf(n)}-00f067aa0ba902b7-01`;
const tracestate = 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE';
/** Of a call. */
const ofCall = { requestId: 'pull-1', traceparent: parentOf(255), tracestate: 'call=1' };

const malformed = [
  '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
  `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
  `00-${idOf(1)}-00f067aa0ba902b7-01-more`,
  `ff-${idOf(1)}-00f067aa0ba902b7-01`,
  `01-${idOf(1)}-00f067aa0ba902b7-01-\r\nx-forged: 1`,
  `${parentOf(1)}\n`,
  '\u001b[2J',
  '',
  'x'.repeat(10_000),
];

type Seen = Pick<RecordContext, 'traceparent' | 'tracestate' | 'traceId'>;
const seenIn = ({ traceparent, tracestate, traceId }: Seen) => [traceparent, tracestate, traceId];
const callSeen = [ofCall.traceparent, ofCall.tracestate, idOf(255)];

type Messages = Parameters<typeof publish>[2];

async function topicWith(messages: Messages): Promise<string> {
  const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });
  await publish(cluster, topic, messages);
  return topic;
}

const traced = (headers: Record<string, string | Buffer>) => ({ key: null, value: '1', headers });

function pullOf({ consumer }: ReturnType<typeof newConsumer>, topic: string, call = {}) {
  const config = { ...pullDefaults, groupId: `${topic}-g`, topics: [topic] };
  return consumer.pull({}, config, Date.now() + 30_000, call);
}

const traceIdsOf = ({ lines }: ReturnType<typeof recordingLog>, message: string) =>
  lines.filter((line) => line.message === message).map(({ fields }) => fields?.traceId);

test("one request's trace: its record, the http sink's request, the dead letter, the replay, the handler, every line", async () => {
  const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });
  const records = [{ value: 1, headers: [{ key: 'own', value: Buffer.from('x').toString('base64') }] }];
  const request = post(topic, { records }, { headers: { traceparent: parentOf(1), tracestate } });
  const { producer } = newProducer(connectionConfigFor(cluster));
  const serve = createPublish({ producer, config: produceDefaults, log: recordingLog() });
  acknowledged(await serve(request, Date.now() + 10_000));

  const receiver = await startReceiver(() => ({ status: 400 }));
  const failing = newConsumer(cluster, topic, { sink: receiver.sink, pipeline: {} });
  assert.equal((await pullOf(failing, topic, ofCall)).deadLettered, 1);

  const [posted] = receiver.posts;
  assert.deepEqual([posted?.headers.traceparent, posted?.headers.tracestate], [parentOf(1), tracestate]);
  assert.deepEqual(traceIdsOf(failing.log, 'a record was dead-lettered'), [idOf(1)]);
  assert.deepEqual(traceIdsOf(failing.log, 'pulled'), [idOf(255)]);

  const [letter] = await readTopic(cluster, `${topic}.dead-letter`);
  const ofRecord = { traceparent: parentOf(1), tracestate, own: 'x' };
  for (const [name, value] of Object.entries(ofRecord)) assert.equal(`${letter?.headers[name]}`, value);

  const replayed = await replayWith(
    cluster,
    'SASL_SSL',
    ...['--topic', `${topic}.dead-letter`, '--origins', topic],
  );
  assert.equal(replayed.code, 0, replayed.stderr);
  const contexts: RecordContext[] = [];
  const handling = newConsumer(cluster, topic, {
    handle: (record, context) => {
      contexts.push(context);
      context.log.info('handling', { offset: record.offset });
    },
  });
  assert.equal((await pullOf(handling, topic, ofCall)).processed, 1);
  assert.deepEqual(contexts.map(seenIn), [[parentOf(1), tracestate, idOf(1)]]);
  assert.deepEqual(traceIdsOf(handling.log, 'handling'), [idOf(1)]);
  const [line] = handling.log.lines.filter(({ message }) => message === 'handling');
  assert.equal(line?.fields?.requestId, 'pull-1');
  assert.deepEqual(traceIdsOf(handling.log, 'pulled'), [idOf(255)]);
});

describe('the http sink', () => {
  test('several records in one request: each has its own in the body, and the request none', async () => {
    const topic = await topicWith([
      traced({ traceparent: parentOf(1), tracestate }),
      traced({}),
      traced({ traceparent: parentOf(2) }),
      traced({ traceparent: 'nonsense' }),
    ]);
    const { sink, posts } = await startReceiver();
    await pullOf(newConsumer(cluster, topic, { sink, pipeline: {} }), topic, ofCall);
    assert.equal(posts.length, 1);
    const { records } = JSON.parse(posts[0]?.text ?? '') as { records: { traceparents?: string[] }[] };
    assert.deepEqual(
      records.map(({ traceparents }) => traceparents),
      [[parentOf(1)], undefined, [parentOf(2)], undefined],
    );
    assert.equal(posts[0]?.headers.traceparent, undefined);
    assert.equal(posts[0]?.headers.tracestate, undefined);
  });

  test('a record that is posted alone after a refusal of the whole is in its trace', async () => {
    const topic = await topicWith([1, 2].map((n) => traced({ traceparent: parentOf(n) })));
    const { sink, posts } = await startReceiver(({ records }) => ({
      status: records.length > 1 ? 413 : 200,
    }));
    await pullOf(newConsumer(cluster, topic, { sink, pipeline: {} }), topic);
    assert.deepEqual(
      posts.map(({ headers }) => headers.traceparent),
      [undefined, parentOf(1), parentOf(2)],
    );
  });

  test('malformed: no header of the request, no line, no failure; the record is as it was', async () => {
    for (const traceparent of malformed) {
      const topic = await topicWith([traced({ traceparent, tracestate })]);
      const { sink, posts } = await startReceiver(() => ({ status: 400 }));
      const consumer = newConsumer(cluster, topic, { sink, pipeline: {} });
      const { deadLettered } = await pullOf(consumer, topic, { traceparent, tracestate, requestId: 'r' });
      assert.equal(deadLettered, 1, JSON.stringify(traceparent));
      const [post] = posts;
      assert.deepEqual([post?.headers.traceparent, post?.headers.tracestate], [undefined, undefined]);
      assert.equal(post?.headers['x-forged'], undefined);
      assert.doesNotMatch(post?.text ?? '', /traceparents/);
      for (const { fields } of consumer.log.lines) assert.ok(!('traceId' in (fields ?? {})));
      const [letter] = await readTopic(cluster, `${topic}.dead-letter`);
      assert.equal(`${letter?.headers.traceparent}`, traceparent);
    }
  });

  test('a tracestate of 512 characters is sent whole, one of 513 not at all', async () => {
    for (const length of [512, 513]) {
      const value = 'v'.repeat(200);
      const state = `a=${value},b=${value},c=${'v'.repeat(length - 408)}`;
      const topic = await topicWith([traced({ traceparent: parentOf(1), tracestate: state })]);
      const { sink, posts } = await startReceiver();
      await pullOf(newConsumer(cluster, topic, { sink, pipeline: {} }), topic);
      const { traceparent, tracestate: sent } = posts[0]?.headers ?? {};
      assert.deepEqual(
        [state.length, traceparent, sent],
        [length, parentOf(1), length === 512 ? state : undefined],
      );
    }
  });
});

describe('the context', () => {
  /** What the pipeline's functions saw, in order. */
  async function seenBy(
    messages: Messages,
    pipelineOf: (see: (context: Seen) => void) => Pipeline,
    sink = {},
  ) {
    const topic = await topicWith(messages);
    const seen: unknown[] = [];
    const pipeline = pipelineOf((context) => void seen.push(seenIn(context)));
    await pullOf(newConsumer(cluster, topic, { pipeline, ...sink }), topic, ofCall);
    return seen;
  }

  test("handleRecord, transformRecord: each record's own; the call's for a record without, or with a malformed one", async () => {
    const messages = [
      traced({ traceparent: parentOf(1), tracestate }),
      traced({ traceparent: parentOf(2) }),
      traced({}),
      ...malformed.map((traceparent) => traced({ traceparent, tracestate })),
      traced({ tracestate }),
      traced({ traceparent: Buffer.from([0xff, 0xfe]) }),
    ];
    const expected = [
      [parentOf(1), tracestate, idOf(1)],
      [parentOf(2), undefined, idOf(2)],
      ...messages.slice(2).map(() => callSeen),
    ];
    const handled = await seenBy(messages, (see) => ({ handleRecord: (_record, context) => see(context) }));
    assert.deepEqual(handled, expected);
    const transformed = await seenBy(
      messages,
      (see) => ({
        transformRecord(record, context) {
          see(context);
          return record;
        },
      }),
      { sink: { name: 'log' } },
    );
    assert.deepEqual(transformed, expected);
  });

  test('handleBatch: that of all records where it is the same, else of the call', async () => {
    const one = traced({ traceparent: parentOf(1), tracestate });
    const batches: [Messages, unknown][] = [
      [[one], [parentOf(1), tracestate, idOf(1)]],
      [
        [one, one],
        [parentOf(1), tracestate, idOf(1)],
      ],
      [[one, traced({ traceparent: parentOf(2) })], callSeen],
      [[one, traced({ traceparent: parentOf(1) })], callSeen],
      [[one, traced({})], callSeen],
      [[traced({}), one], callSeen],
    ];
    for (const [messages, expected] of batches) {
      const seen = await seenBy(messages, (see) => ({ handleBatch: (_records, context) => see(context) }));
      assert.deepEqual(seen, [expected]);
    }
  });

  test('of several headers the last counts', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    await publish(cluster, topic, [
      { key: null, value: '1', headers: { traceparent: [parentOf(1), parentOf(2)] } },
    ]);
    const seen: unknown[] = [];
    await pullOf(
      newConsumer(cluster, topic, { handle: (_record, context) => void seen.push(seenIn(context)) }),
      topic,
    );
    assert.deepEqual(seen, [[parentOf(2), undefined, idOf(2)]]);
  });

  test('without any trace there is none', async () => {
    const topic = await topicWith([traced({})]);
    const seen: unknown[] = [];
    const consumer = newConsumer(cluster, topic, {
      handle: (_record, context) => void seen.push(seenIn(context)),
    });
    await pullOf(consumer, topic, { requestId: 'r' });
    assert.deepEqual(seen, [[undefined, undefined, undefined]]);
    for (const { fields } of consumer.log.lines) assert.ok(!('traceId' in (fields ?? {})));
  });
});

test('a push: the handler and the line of a dead letter', async () => {
  const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });
  const seen: unknown[] = [];
  const { consumer, log } = newConsumer(cluster, topic, {
    handle: (_record, context) => {
      seen.push(seenIn(context));
      throw new PermanentError('no');
    },
  });
  const headers = [{ key: 'traceparent', value: Buffer.from(parentOf(1)) }];
  await consumer.push([{ topic, key: null, value: null, headers }], {
    isRedelivered: false,
    deadline: Date.now() + 10_000,
  });
  assert.deepEqual(seen, [[parentOf(1), undefined, idOf(1)]]);
  assert.deepEqual(traceIdsOf(log, 'a record was dead-lettered'), [idOf(1)]);
});

test('a pull over HTTP: the lines of the call have its trace id, those of a record its own', async () => {
  const topic = await topicWith([traced({ traceparent: parentOf(1) }), traced({})]);
  const built = await buildHttpFunction();
  const variables = { KAFKA_GROUP_ID: `${topic}-g`, CONSUME_TOPICS: topic, CONSUME_SINK: 'log' };
  const { url, until, output } = await startHttpFunction(built, cluster, variables);
  const { traceparent } = ofCall;
  const response = await fetch(`${url}/consume-batch`, { method: 'POST', headers: { traceparent } });
  assert.equal(response.status, 200);
  await until('"pulled"');
  const lines = output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
  const of = (message: string) => lines.filter((line) => line.message === message);
  assert.deepEqual(
    of('record').map(({ traceId }) => traceId),
    [idOf(1), idOf(255)],
  );
  assert.deepEqual(
    of('pulled').map(({ traceId }) => traceId),
    [idOf(255)],
  );
});
