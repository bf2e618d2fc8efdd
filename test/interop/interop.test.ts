/** What the clients of others publish, with every codec and level that they have, is pulled byte for byte. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { clients, publishWith } from '../support/clients/clients.ts';
import { fingerprint, records } from '../support/clients/records.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';

const SET_UP_MS = 300_000;
const LARGE = { 'message.max.bytes': `${8 << 20}`, 'replica.fetch.max.bytes': `${8 << 20}` };
const cluster = await kafkaForTests({ properties: LARGE });
const expected = records.map(fingerprint);

for (const client of clients) {
  describe(client.name, () => {
    let reason: string | undefined;
    before(
      async () => {
        reason = await client.missing();
      },
      { timeout: SET_UP_MS },
    );

    for (const codec of client.codecs) {
      for (const level of [undefined, ...[client.levels[codec]].filter((it) => it !== undefined)]) {
        test(`${codec}${level === undefined ? '' : `, level ${level}`}`, async (t) => {
          if (reason) return t.skip(reason);
          const topic = await newTopic(cluster, { partitions: 1 });
          await publishWith(client, cluster, topic, { codec, level, records });
          const { pull, handled } = newConsumer(cluster, topic);
          await pull();
          assert.deepEqual(handled.map(fingerprint), expected);
        });
      }
    }
  });
}
