/** Small requests beside large ones: neither their turn to be read nor their room may be taken by those. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { withBody } from '../../functions/produce/body.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { buildHttpFunction, startHttpFunction } from '../support/http-function.ts';
import { post } from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { message, rawClient } from '../support/raw-client.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const MIB = 1024 * 1024;
const cluster = await sharedCluster();

describe('reading large bodies', () => {
  const limits = { maxBytes: 6 * MIB, deadline: Date.now() + 60_000 };
  const large = Buffer.alloc(MIB, ' ');
  for (const [what, body, headers] of [
    ['large bodies', large, {}],
    ['large compressed bodies', gzipSync(large), { 'content-encoding': 'gzip' }],
  ] as const) {
    it(`${what} are read one at a time, and others' events come in between`, async () => {
      let read = 0;
      const all = Array.from({ length: 8 }, () =>
        withBody(post('t', body, { headers }), limits, () => {
          read++;
        }),
      );
      for (let before = 0; before < all.length; await setImmediate()) {
        assert.ok(read <= before + 1, `${read - before} at once`);
        before = read;
      }
      await Promise.all(all);
    });
  }

  it('a small body does not wait for large ones', async () => {
    let isRead = false;
    const all = Array.from({ length: 8 }, () => withBody(post('t', large), limits, () => isRead));
    await withBody(post('t', 'small'), limits, () => {
      isRead = true;
    });
    assert.deepEqual(await Promise.all(all), Array(8).fill(true));
  });
});

describe('the queue for large bodies', () => {
  it('large requests leave a part of the queue to small ones', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const { producer } = newProducer(connectionConfigFor(cluster), { maxQueueBytes: MIB });
    const send = (bytes: number) =>
      producer.send([{ topic, key: null, value: Buffer.alloc(bytes), headers: [] }], Date.now() + 10_000);
    await send(1);
    // At once: each is admitted, or not, before any of them is sent.
    const sizes = [800_000, 200_000, 60_000, 60_000, 60_000, 60_000, 60_000];
    const outcomes = await Promise.allSettled(sizes.map(send));
    assert.deepEqual(
      outcomes.map((outcome) => ('reason' in outcome ? outcome.reason.code : 'taken')),
      ['taken', 'QUEUE_FULL', 'taken', 'taken', 'taken', 'taken', 'QUEUE_FULL'],
    );
  });

  it('large uploads without a key leave a part of their room to small ones', async () => {
    const built = await buildHttpFunction();
    const server = await startHttpFunction(built, cluster, {
      HTTP_API_KEYS: createHash('sha256').update('key').digest('hex'),
      WEBHOOK_SECRET: 'secret',
    });
    // More than the 16 MiB for bodies without a key, in pieces just too large to be small.
    const uploads = await Promise.all(Array.from({ length: 240 }, () => rawClient(server)));
    const refused = Promise.any(uploads.map((upload) => upload.answer()));
    const head = message('POST /webhooks/t', { 'content-length': `${MIB}` });
    for (const upload of uploads) void upload.send(head, Buffer.alloc(70_000));
    assert.equal((await refused).status, 429);
    const small = message('POST /webhooks/t', { 'content-length': '60000' });
    const clients = await Promise.all(Array.from({ length: 20 }, () => rawClient(server)));
    await Promise.all(clients.map((client) => client.send(small, 'x'.repeat(59_999))));
    const answers = await Promise.all(clients.map((client) => client.ask('x')));
    // Not signed: so they have been read.
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [401]);
  });
});
