/** A request's trace goes into its records. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createPublish } from '../../functions/produce/publish.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { recordingLog } from '../support/log.ts';
import { acknowledged, assertFailure, post, produceDefaults } from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const { producer } = newProducer(connectionConfigFor(cluster));
const log = recordingLog();
const publish = createPublish({ producer, config: produceDefaults, log });

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
const own = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
const tracestate = 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7';
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('the headers of its records', () => {
  const event = { 'ce-id': '1', 'ce-source': '/', 'ce-specversion': '1.0', 'ce-type': 't' };
  for (const [what, path, headers, body] of [
    ['records', '/topics/{topic}', {}, '{"records":[{"value":1},{"value":2}]}'],
    ['a webhook', '/webhooks/{topic}', {}, 'x'],
    ['an event', '/topics/{topic}', { ...event, 'content-type': 'text/plain' }, 'x'],
  ] as const) {
    test(what, async () => {
      const topic = await newTopic(cluster, { partitions: 1 });
      const traced = { ...headers, traceparent, tracestate };
      const request = post(topic, body, { path: path.replace('{topic}', topic), headers: traced });
      acknowledged(await publish(request, Date.now() + 10_000));
      const records = await readTopic(cluster, topic);
      assert.ok(records.length > 0);
      for (const record of records) {
        assert.equal(`${record.headers.traceparent}`, traceparent);
        assert.equal(`${record.headers.tracestate}`, tracestate);
      }
      assert.equal(log.lines.at(-1)?.fields?.traceId, traceId);
    });
  }

  test("a record's own trace stays", async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const headers = [{ key: 'traceparent', value: base64(own) }];
    const records = [{ value: 1, headers }, { value: 2 }];
    acknowledged(
      await publish(post(topic, { records }, { headers: { traceparent, tracestate } }), Date.now() + 10_000),
    );
    const read = await readTopic(cluster, topic);
    assert.deepEqual(
      read.map((record) => [`${record.headers.traceparent}`, Object.keys(record.headers).length]),
      [
        [own, 1],
        [traceparent, 2],
      ],
    );
  });

  for (const [what, headers] of [
    ['none', {}],
    ['a state alone', { tracestate }],
    ['a malformed one', { traceparent: '00-x', tracestate }],
    ['ids of zeros', { traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` }],
  ] as const) {
    test(`${what}: nothing is added, and the request is served`, async () => {
      const topic = await newTopic(cluster, { partitions: 1 });
      acknowledged(await publish(post(topic, { records: [{ value: 1 }] }, { headers }), Date.now() + 10_000));
      assert.deepEqual(
        (await readTopic(cluster, topic)).map((record) => record.headers),
        [{}],
      );
      assert.equal(log.lines.at(-1)?.fields?.traceId, undefined);
    });
  }
});

test('the line of a refused request has its trace', async () => {
  const request = post('orders', 'no JSON', { headers: { traceparent } });
  assertFailure(await publish(request, Date.now() + 10_000), 'MALFORMED_REQUEST');
  assert.deepEqual(
    [log.lines.at(-1)?.message, log.lines.at(-1)?.fields?.traceId],
    ['request failed', traceId],
  );
});
