import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PermanentError, TransientError } from '../../functions/consume-batch/records/record-failure.ts';
import { createPublish } from '../../functions/produce/publish.ts';
import type { ConsumerRecord } from '../../src/record.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { newConsumer, pullDefaults } from '../support/consumer.ts';
import { recordingLog } from '../support/log.ts';
import { post, produceDefaults } from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

/** The fields of a log's lines with this message. */
function linesOf({ lines }: ReturnType<typeof recordingLog>, message: string) {
  return lines.filter((line) => line.message === message).map(({ fields }) => fields ?? {});
}

const topicWithDeadLetters = () => newTopic(cluster, { partitions: 2, beside: ['dead-letter'] });

describe('following a record', () => {
  for (const sink of [{ name: 'handler' }, { name: 'topic', topic: '{topic}.out' }] as const) {
    test(`from its dead letter to the line that tells of its publishing: ${sink.name}`, async () => {
      const topic = await topicWithDeadLetters();
      await cluster.createTopic(`${topic}.out`, { partitions: 1 });
      const log = recordingLog();
      const { producer } = newProducer(connectionConfigFor(cluster));
      const publish = createPublish({ producer, config: produceDefaults, log });
      for (const [n, requestId] of ['first', 'second', 'third'].entries()) {
        const records = [0, 1].flatMap((partition) => [
          { partition, value: requestId },
          { partition, value: 'fine' },
        ]);
        const headers = { traceparent: `00-${`${n}`.repeat(31)}f-00f067aa0ba902b7-01` };
        await publish(post(topic, { records }, { requestId, headers }), Date.now() + 10_000);
      }

      const fail = (record: ConsumerRecord) => {
        if (String(record.value) === '"second"') throw new PermanentError('no such customer');
        return record;
      };
      const { consumer } = newConsumer(cluster, topic, {
        sink,
        pipeline: { handleRecord: (record) => void fail(record), transformRecord: fail },
      });
      const config = { ...pullDefaults, groupId: `${topic}-g`, topics: [topic] };
      await consumer.pull({}, config, Date.now() + 30_000, { requestId: 'pull-1' });

      const letters = await readTopic(cluster, `${topic}.dead-letter`);
      assert.equal(letters.length, 2);
      for (const { headers } of letters) {
        const of = (name: string) => String(headers[`__connect.errors.${name}`]);
        const [source, partition, offset] = [of('topic'), Number(of('partition')), Number(of('offset'))];
        const lines = linesOf(log, 'published').filter(
          ({ topic: name, offsets }) =>
            name === source &&
            (offsets as { partition: number; first: number; last: number }[]).some(
              (range) => range.partition === partition && range.first <= offset && offset <= range.last,
            ),
        );
        assert.deepEqual(
          lines.map(({ requestId, traceId }) => [requestId, traceId]),
          [['second', `${'1'.repeat(31)}f`]],
        );
        assert.equal(of('request.id'), 'pull-1');
      }
    });
  }

  test('every line of a call has its request id: a pull, a push, what the pipeline writes', async () => {
    const topic = await topicWithDeadLetters();
    const { producer } = newProducer(connectionConfigFor(cluster));
    await producer.send(
      ['dead', 'fine'].map((value) => ({ topic, key: null, value: Buffer.from(value), headers: [] })),
      Date.now() + 10_000,
    );
    const { consumer, log } = newConsumer(cluster, topic, {
      handle: ({ value }, context) => {
        context.log.info('handling', { own: 1 });
        if (String(value) === 'dead') throw new PermanentError('no such customer');
        if (String(value) === 'late') throw new TransientError('busy');
      },
    });
    const config = { ...pullDefaults, groupId: `${topic}-g`, topics: [topic, `${topic}-not-there`] };
    const pull = consumer.pull({}, config, Date.now() + 30_000, { requestId: 'pull-2' });
    await assert.rejects(pull, /not-there/);
    const told = () => log.lines.splice(0).filter(({ level }) => level !== 'debug');
    const pulled = told();
    assert.deepEqual([...new Set(pulled.map(({ fields }) => fields?.requestId))], ['pull-2']);
    for (const message of ['handling', 'a record was dead-lettered', 'pulled']) {
      assert.ok(
        pulled.some((line) => line.message === message),
        message,
      );
    }

    const record = (value: string) => ({ topic, key: null, value: Buffer.from(value), headers: [] });
    await consumer.push(['dead', 'late'].map(record), {
      isRedelivered: true,
      deadline: Date.now() + 3_000,
      requestId: 'push-1',
    });
    const pushed = told();
    assert.deepEqual([...new Set(pushed.map(({ fields }) => fields?.requestId))], ['push-1']);
    assert.ok(pushed.some(({ message }) => message === 'consumed'));
  });
});
