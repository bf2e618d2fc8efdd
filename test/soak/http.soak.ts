import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import autocannon from 'autocannon';
import { httpConfig } from '../../functions/http/config.ts';
import { createHttpServer } from '../../functions/http/server.ts';
import { produceConfig } from '../../functions/produce/config.ts';
import { createRoute } from '../../functions/produce/publish.ts';
import { readConfig } from '../../src/variables.ts';
import { attack, honest } from '../issues/inflating.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { listening } from '../support/http.ts';
import { buildHttpFunction, startHttpFunction } from '../support/http-function.ts';
import { recordingLog } from '../support/log.ts';
import { newProducer } from '../support/producer.ts';

const MIB = 1024 * 1024;
const SOAK_S = Number(process.env.SOAK_SECONDS ?? 300);
const IDLE_CONNECTIONS = 10_000;
const GZIP_BOMBS = 200;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const cluster = await kafkaForTests({ tunedFor: 'throughput' });
const { producer } = newProducer(connectionConfigFor(cluster));
const environment = () => undefined;
const log = { ...recordingLog(), debug: () => {}, info: () => {}, warn: () => {} };
const route = createRoute({ producer, config: readConfig(environment, produceConfig), log });
const server = createHttpServer(route, readConfig(environment, httpConfig));
const port = await listening(server);
const topic = await newTopic(cluster);
const url = `http://127.0.0.1:${port}/topics/${topic}`;
const headers = { 'content-type': 'application/json' };
const body = JSON.stringify({ records: [{ key: 'a', value: { text: 'x'.repeat(1_000) } }] });

function heapMib(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / MIB;
}

async function isServed(): Promise<boolean> {
  return (await fetch(url, { method: 'POST', headers, body })).status === 200;
}

it(`keeps its memory over ${SOAK_S} s of load`, async (t) => {
  const load = (duration: number) =>
    autocannon({ url, connections: 64, duration, method: 'POST', headers, body });
  await load(SOAK_S / 5);
  const before = heapMib();
  const { requests, non2xx, errors } = await load((SOAK_S * 4) / 5);
  const grown = heapMib() - before;
  t.diagnostic(
    `${requests.total} requests, heap ${before.toFixed(1)} MiB, ${grown.toFixed(1)} MiB more at the end`,
  );
  assert.equal(non2xx + errors, 0);
  assert.ok(grown < 8, `${grown} MiB`);
});

/** In a process of its own, because one process may have no more than about 20,000 files open. */
const CLIENT = `
const [port, count] = process.argv.slice(1).map(Number);
const { connect } = require('node:net');
let open = 0;
const next = () => connect(port, '127.0.0.1', () => (++open < count ? next() : process.send('open')));
next();
process.on('disconnect', () => process.exit());
`;

it(`serves others beside ${IDLE_CONNECTIONS} idle connections`, async () => {
  const before = process.memoryUsage().rss;
  const client = spawn(process.execPath, ['-e', CLIENT, `${port}`, `${IDLE_CONNECTIONS}`], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(client, 'message');
  assert.ok(await isServed());
  const each = (process.memoryUsage().rss - before) / IDLE_CONNECTIONS;
  assert.ok(each < 32 * 1024, `${each} bytes a connection`);
  client.disconnect();
  await once(client, 'exit');
});

it(`throws away ${GZIP_BOMBS} gzip bombs at once`, async () => {
  const bomb = gzipSync(Buffer.alloc(512 * MIB));
  const before = process.memoryUsage().rss;
  const answers = await Promise.all(
    Array.from({ length: GZIP_BOMBS }, () =>
      fetch(url, { method: 'POST', headers: { ...headers, 'content-encoding': 'gzip' }, body: bomb }),
    ),
  );
  const statuses = new Set(answers.map(({ status }) => status));
  assert.deepEqual(
    [...statuses].filter((status) => status !== 413 && status !== 429),
    [],
  );
  const grown = (process.memoryUsage().rss - before) / MIB;
  assert.ok(grown < 500, `${grown} MiB`);
  assert.ok(await isServed());
});

it('serves honest callers soon beside requests that inflate', async (t) => {
  const running = await startHttpFunction(await buildHttpFunction(), cluster);
  await honest(running, topic);
  const { honestMs } = await attack(running, topic);
  const longest = Math.max(...honestMs);
  t.diagnostic(`${honestMs.length} honest requests, the longest ${longest} ms`);
  assert.ok(longest < 2_000, `${longest} ms`);
});
