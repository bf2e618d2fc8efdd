/**
 * Found 2026-11-27 (A3): 20 requests of 6 KB of gzip kept the server busy for 20 s in 1.4 GB, 400 took 2.6 GB;
 * (A6): eleven stalled bodies refused everybody's, and answers that nobody read took 865 MiB.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { newTopic } from '../support/cluster.ts';
import { buildHttpFunction, type RunningFunction, startHttpFunction } from '../support/http-function.ts';
import { sharedCluster } from '../support/shared-cluster.ts';
import { attack, honest, type } from './inflating.ts';

const MIB = 1024 * 1024;
const cluster = await sharedCluster();
const built = await buildHttpFunction();
const topic = await newTopic(cluster, { partitions: 1 });

/** The most that a process has held since it began, in MiB. */
function peakMib({ child: { pid } }: RunningFunction): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

async function socketTo({ port }: RunningFunction): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

test('400 small requests that inflate to 6 MiB each, and honest callers beside them', async (t) => {
  const server = await startHttpFunction(built, cluster);
  assert.equal(await honest(server, topic), 200);
  const { statuses, honestMs } = await attack(server, topic);
  const told = `${JSON.stringify([...statuses])}; honest: ${honestMs.length}, at most ${Math.max(...honestMs)} ms`;
  t.diagnostic(`${told}; peak ${peakMib(server).toFixed(0)} MiB`);
  const unexpected = [...statuses.keys()].filter((status) => ![200, 400, 413, 422, 429].includes(status));
  assert.deepEqual(unexpected, [], told);
  assert.ok(honestMs.length > 0);
  assert.ok(peakMib(server) < 400, `${peakMib(server)} MiB`);
});

test('bodies that stall keep nobody out', async () => {
  const server = await startHttpFunction(built, cluster);
  const head = `POST /topics/${topic} HTTP/1.1\r\nhost: h\r\ncontent-length: ${6 * MIB}\r\n\r\n`;
  const part = Buffer.alloc(5.5 * MIB, ' ');
  const stalled = await Promise.all(Array.from({ length: 30 }, () => socketTo(server)));
  await Promise.all(
    stalled.map(
      (socket) => new Promise((resolve) => socket.write(Buffer.concat([Buffer.from(head), part]), resolve)),
    ),
  );
  assert.equal(await honest(server, topic), 200);
  const large = `{"records":[{"value":"${'x'.repeat(900_000)}"}]}`;
  const statuses: number[] = [];
  // As a caller does that is told to come again: what has just come does not count as stalled yet.
  do {
    const response = await fetch(`${server.url}/topics/${topic}`, {
      method: 'POST',
      headers: type,
      body: large,
    });
    await response.arrayBuffer();
    statuses.push(response.status);
    if (response.status !== 200) assert.equal(response.headers.get('retry-after'), '1');
  } while (statuses.at(-1) === 429 && statuses.length < 10_000);
  assert.equal(statuses.at(-1), 200, `${statuses.length} attempts`);
  assert.ok(peakMib(server) < 400, `${peakMib(server)} MiB`);
});

test('bodies without a key have a room of their own', async () => {
  const variables = { HTTP_API_KEYS: '0'.repeat(64), WEBHOOK_SECRET: 'secret' };
  const server = await startHttpFunction(built, cluster, variables);
  const head = `POST /webhooks/${topic} HTTP/1.1\r\nhost: h\r\ncontent-length: ${6 * MIB}\r\n\r\n`;
  const sockets = await Promise.all(Array.from({ length: 4 }, () => socketTo(server)));
  const refused = Promise.race(sockets.map((socket) => once(socket, 'data')));
  for (const socket of sockets) socket.write(Buffer.concat([Buffer.from(head), Buffer.alloc(5 * MIB)]));
  assert.match(String(await refused), /^HTTP\/1.1 429 /);
});

test('answers that nobody reads take bounded memory', async () => {
  const server = await startHttpFunction(built, cluster);
  assert.equal(await honest(server, topic), 200);
  const question = 'GET /openapi.json HTTP/1.1\r\nhost: h\r\n\r\n';
  const sockets = await Promise.all(Array.from({ length: 40 }, () => socketTo(server)));
  await Promise.all(
    sockets.map((socket) => new Promise((resolve) => socket.pause().write(question.repeat(100), resolve))),
  );
  assert.equal(await honest(server, topic), 200);
  assert.ok(peakMib(server) < 250, `${peakMib(server)} MiB`);
  // Whoever reads after all gets every answer, in order.
  const reader = sockets[0];
  assert.ok(reader);
  let read = '';
  reader.setEncoding('utf8').on('data', (chunk: string) => (read += chunk));
  reader.resume();
  while (read.split('HTTP/1.1 200 OK').length < 101) await once(reader, 'data');
});

test('a connection that sends far ahead is ended', async () => {
  const server = await startHttpFunction(built, cluster);
  const socket = await socketTo(server);
  const closed = once(socket, 'close');
  socket.pause().write('GET /openapi.json HTTP/1.1\r\nhost: h\r\n\r\n'.repeat(1_000));
  await closed;
  assert.equal(await honest(server, topic), 200);
});
