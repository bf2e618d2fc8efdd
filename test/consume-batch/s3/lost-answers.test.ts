import assert from 'node:assert/strict';
import { after, afterEach, describe, test } from 'node:test';
import { PermanentError } from '../../../functions/consume-batch/records/record-failure.ts';
import { connectionConfigFor, kafkaForTests } from '../../support/cluster.ts';
import { startFaultProxy } from '../../support/faults/proxy.ts';
import { numbered, publish } from '../../support/records.ts';
import { assertContiguous, bucketForTests } from '../../support/s3.ts';
import { numbersIn, topicAndBucket, transforming } from './setup.ts';

const END_TXN = 26;

const proxy = await startFaultProxy({ target: undefined });
after(() => proxy.close());
afterEach(() => proxy.pass());
const cluster = await kafkaForTests({
  extraListeners: [
    { name: 'PROXIED', protocol: 'PLAINTEXT', advertised: () => ({ host: proxy.host, port: proxy.port }) },
  ],
});
proxy.setTarget('127.0.0.1', cluster.brokers[0]?.ports.PROXIED ?? 0);
const bucket = await bucketForTests();

describe('the connection to the coordinator ends', () => {
  const pipeline = transforming((record, n) => {
    if (n === 3) throw new PermanentError('three');
    return record;
  });
  for (const [nth, what] of ['the intent', 'the offset behind the object'].entries()) {
    for (const when of ['before', 'after'] as const) {
      test(`${when} the transaction with ${what} is committed: each record once`, async () => {
        const { topic, consumer, objects, dead, committed } = await topicAndBucket(cluster, bucket);
        await publish(cluster, topic, numbered(10));
        const bootstrapServers = `${proxy.host}:${proxy.port}`;
        const connection = connectionConfigFor(cluster, { listener: 'PLAINTEXT', bootstrapServers });
        const { pull } = consumer({ connection, pipeline });
        let ended = 0;
        const isWanted = (apiKey: number) => apiKey === END_TXN && ended++ === nth;
        if (when === 'before') proxy.onRequest(({ apiKey }) => (isWanted(apiKey) ? 'cut' : 'forward'));
        else proxy.rewriteResponses((_frame, { apiKey }) => (isWanted(apiKey) ? 'cut' : undefined));
        const answer = await pull();
        assert.ok(ended > nth, `${ended} transactions`);
        assert.deepEqual([answer.processed, answer.deadLettered, answer.more], [9, 1, false]);
        const found = await objects();
        assertContiguous(found, 0, 10);
        assert.deepEqual(
          found.flatMap(({ lines }) => numbersIn(lines)),
          [0, 1, 2, 4, 5, 6, 7, 8, 9],
        );
        assert.equal((await dead()).length, 1);
        assert.equal((await committed()).offset, 10);
      });
    }
  }
});
