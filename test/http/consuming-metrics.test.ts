import assert from 'node:assert/strict';
import { type AddressInfo, createServer as createSilentServer, type Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import parsePrometheus from 'parse-prometheus-text-format';
import { postgresTool } from '../../local/postgres.ts';
import { newTopic } from '../support/cluster.ts';
import { startReceiver } from '../support/http.ts';
import { buildHttpFunction, startHttpFunction } from '../support/http-function.ts';
import { postgresForTests, sinkVariables } from '../support/postgres.ts';
import { topicWithTable } from '../support/postgres-topic.ts';
import { publish } from '../support/records.ts';
import { runReplay } from '../support/replay.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const why = await postgresTool.missing();
const cluster = await sharedCluster();
const built = await buildHttpFunction();

/** A sink that refuses the first record of each batch for good. */
const { url: sinkUrl } = await startReceiver(() => ({ status: 422, body: { failures: [0] } }));

interface Sample {
  labels?: Record<string, string>;
  value: string;
}

/** The samples of a family, empty where it has none. */
async function scraped(url: string): Promise<(family: string) => Sample[]> {
  const response = await fetch(`${url}/metrics`);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const families = new Map(parsePrometheus(text).map(({ name, metrics }) => [name, metrics]));
  return (family) => families.get(family) ?? [];
}

/** Scrapes until the cluster was asked again: at most once a second it is. */
async function scrapedUntil(url: string, family: string, expected: Sample[]): Promise<void> {
  let found: Sample[] = [];
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    found = (await scraped(url))(family);
    if (JSON.stringify(sorted(found)) === JSON.stringify(sorted(expected))) return;
  }
  assert.deepEqual(sorted(found), sorted(expected), family);
}

function sorted(samples: readonly Sample[]): string[] {
  return samples.map(({ labels, value }) => JSON.stringify([labels, value])).sort();
}

describe('the metrics of consuming', () => {
  it('tell what a database took, and how long each step of it was', { skip: why ?? false }, async () => {
    const database = await postgresForTests();
    const client = await database.client();
    const { topic, publish: fill } = await topicWithTable({ cluster, database, client });
    const { url } = await startHttpFunction(built, cluster, {
      ...{ KAFKA_GROUP_ID: `${topic}-g`, CONSUME_TOPICS: topic },
      ...sinkVariables(database),
    });
    await fill([{ key: 'k', value: '{"n":1}' }]);
    assert.equal((await fetch(`${url}/consume-batch`, { method: 'POST' })).status, 200);
    const text = await (await fetch(`${url}/metrics`)).text();
    assert.match(text, /^consume_sink_bytes_total 8$/m);
    for (const step of ['transform', 'sink', 'commit']) {
      assert.match(text, new RegExp(`^consume_sink_seconds_count{step="${step}"} 1$`, 'm'));
    }
  });

  it('tell what waits, what became of the records, how long batches took, and what lies dead', async () => {
    const topic = await newTopic(cluster, { partitions: 2 });
    const dead = `${topic}.dead-letter`;
    await cluster.createTopic(dead, { partitions: 1 });
    const { url } = await startHttpFunction(built, cluster, {
      KAFKA_GROUP_ID: `${topic}-g`,
      CONSUME_TOPICS: topic,
      CONSUME_SINK: 'http',
      CONSUME_SINK_URL: sinkUrl,
    });
    await publish(cluster, topic, [
      ...[1, 2, 3].map((n) => ({ partition: 0, value: `{"n":${n}}` })),
      { partition: 1, value: '{"n":4}' },
    ]);
    const lag = (first: number, second: number) => [
      { labels: { topic, partition: '0' }, value: `${first}` },
      { labels: { topic, partition: '1' }, value: `${second}` },
    ];
    await scrapedUntil(url, 'consume_lag', lag(3, 1));
    await scrapedUntil(url, 'dead_letters_waiting', [{ labels: { topic: dead }, value: '0' }]);

    const pulled = await fetch(`${url}/consume-batch`, { method: 'POST' });
    assert.equal(pulled.status, 200, await pulled.text());
    const of = await scraped(url);
    assert.deepEqual(
      sorted(of('consume_records_total')),
      sorted([
        { labels: { outcome: 'handled' }, value: '2' },
        { labels: { outcome: 'dead-lettered' }, value: '2' },
        { labels: { outcome: 'failed' }, value: '0' },
      ]),
    );
    const [histogram] = of('consume_batch_seconds') as unknown as [{ count: string; sum: string }];
    assert.equal(histogram.count, '2');
    assert.ok(Number(histogram.sum) > 0);
    await scrapedUntil(url, 'consume_lag', lag(0, 0));
    await scrapedUntil(url, 'dead_letters_waiting', [{ labels: { topic: dead }, value: '2' }]);

    const replay = await runReplay(cluster, ['--topic', dead], { CONSUME_TOPICS: topic });
    assert.equal(replay.code, 0, replay.stderr);
    await scrapedUntil(url, 'dead_letters_waiting', [{ labels: { topic: dead }, value: '0' }]);
  });

  it('have nothing to tell of topics where nobody pulls', async () => {
    const of = await scraped((await startHttpFunction(built, cluster)).url);
    assert.deepEqual([of('consume_lag'), of('dead_letters_waiting')], [[], []]);
    assert.equal(of('consume_records_total').length, 3, 'a rate has to begin at 0');
  });

  it('come in time, and without what waits, where no broker answers', async () => {
    // A cluster that takes connections and says nothing.
    const sockets: Socket[] = [];
    const silent = createSilentServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    after(() => {
      silent.close();
      for (const socket of sockets) socket.destroy();
    });
    const { url } = await startHttpFunction(built, cluster, {
      KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${(silent.address() as AddressInfo).port}`,
      KAFKA_GROUP_ID: 'g',
      CONSUME_TOPICS: 'orders',
      CONSUME_SINK: 'log',
    });
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) });
    const text = await response.text();
    assert.equal(response.status, 200);
    assert.match(text, /^consume_records_total/m);
    assert.doesNotMatch(text, /^(consume_lag|dead_letters_waiting)/m);
  });
});
