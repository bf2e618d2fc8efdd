/** What requests and answers mean by RFC 9110, from the HTTP function as the platform starts it, over plain sockets. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, describe, it } from 'node:test';
import { httpConfig } from '../../functions/http/config.ts';
import { createHttpServer } from '../../functions/http/server.ts';
import { jsonResponse, type Serve } from '../../src/http/message.ts';
import { readConfig } from '../../src/variables.ts';
import { newTopic } from '../support/cluster.ts';
import { listening } from '../support/http.ts';
import { buildHttpFunction, startHttpFunction } from '../support/http-function.ts';
import { assertRefused, message, rawClient } from '../support/raw-client.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const KIB = 1024;
const key = randomBytes(16).toString('hex');
const cluster = await sharedCluster();
const built = await buildHttpFunction();
const server = await startHttpFunction(built, cluster);
const locked = await startHttpFunction(built, cluster, {
  HTTP_API_KEYS: createHash('sha256').update(key).digest('hex'),
  WEBHOOK_SECRET: 'secret',
});
const topic = await newTopic(cluster, { partitions: 1 });

const JSON_TYPE = { 'content-type': 'application/json' };
const RECORDS = JSON.stringify({ records: [{ value: 1 }] });
const EXPECTING = { expect: '100-continue', 'content-length': `${RECORDS.length}`, ...JSON_TYPE };

const ROUTES = {
  '/': 'POST',
  '/topics': 'GET, HEAD',
  [`/topics/${topic}`]: 'GET, HEAD, POST',
  [`/topics/${topic}/partitions`]: 'GET, HEAD',
  [`/topics/${topic}/partitions/0`]: 'GET, HEAD, POST',
  [`/webhooks/${topic}`]: 'POST',
  '/brokers': 'GET, HEAD',
  '/openapi.json': 'GET, HEAD',
  '/healthy': 'GET, HEAD',
  '/ready': 'GET, HEAD',
  '/metrics': 'GET, HEAD',
  '/connectivity-check': 'GET, HEAD',
  '/consume-batch': 'POST',
};

describe('Expect', () => {
  it('RFC 9110 §10.1.1: a body that is wanted is asked for, once', async () => {
    const connection = await rawClient(server);
    for (const expect of ['100-continue', '100-Continue']) {
      await connection.send(message(`POST /topics/${topic}`, { ...EXPECTING, expect }));
      assert.equal((await connection.answer()).status, 100);
      assert.equal((await connection.ask(RECORDS)).status, 200);
    }
    // Who does not wait is served as well.
    await connection.send(message(`POST /topics/${topic}`, EXPECTING), RECORDS);
    assert.equal((await connection.answer()).status, 100);
    assert.equal((await connection.answer()).status, 200);
  });

  const known = `/topics/${topic}`;
  for (const [status, what, path, headers, to = server, method = 'POST'] of [
    [401, 'no key', known, {}, locked],
    [401, 'a wrong key', known, { authorization: 'Bearer x' }, locked],
    [404, 'an unknown route', '/nothing', {}],
    [404, 'a route that is closed', '/invoke', {}],
    [404, 'behind a key, an unknown route', '/nothing', { 'x-api-key': key }, locked],
    [405, 'another method', '/topics', {}],
    [405, "another method of the server's own route", '/metrics', {}],
    [405, 'another method', known, {}, server, 'PUT'],
    [406, 'no type to answer in', known, { accept: 'text/html' }],
    [413, 'more than is taken', known, { 'content-length': `${7 * KIB * KIB}` }],
    [415, 'an unknown type', known, { 'content-type': 'text/csv' }],
    [415, 'an unknown format of CloudEvents', known, { 'content-type': 'application/cloudevents+xml' }],
    [415, 'an unknown encoding', known, { 'content-encoding': 'br' }],
    [415, 'an unknown encoding of a webhook', `/webhooks/${topic}`, { 'content-encoding': 'zstd' }],
    [417, 'another expectation', known, { expect: '200-ok' }],
    [417, 'one expectation too many', known, { expect: '100-continue, more' }],
  ] as const) {
    it(`RFC 9110 §10.1.1: ${what} is ${status} at once, and no body asked for`, async () => {
      const connection = await rawClient(to);
      const answer = await connection.ask(message(`${method} ${path}`, { ...EXPECTING, ...headers }));
      assertRefused(answer, status, String(JSON.parse(answer.body).code));
      // What the client does next, send the body or not, it can't say.
      assert.deepEqual(answer.headers.connection, ['close']);
      await connection.ended();
    });
  }

  it('RFC 9110 §10.1.1: HTTP/1.0 has no 100', async () => {
    const connection = await rawClient(server);
    const head = `POST /topics/${topic} HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: ${RECORDS.length}\r\n\r\n`;
    assert.equal((await connection.ask(head, RECORDS)).status, 200);
  });

  it('RFC 9110 §10.1.1: among pipelined requests the 100 stands before its own answer', async () => {
    const connection = await rawClient(server);
    const expecting = message(`POST /topics/${topic}`, EXPECTING);
    await connection.send(message('GET /connectivity-check'), expecting, RECORDS, message('GET /healthy'));
    for (const status of [200, 100, 200, 200]) assert.equal((await connection.answer()).status, status);
  });

  it('RFC 9110 §10.1.1: a body without content is asked for nothing', async () => {
    const connection = await rawClient(server);
    const answer = await connection.ask(message('GET /healthy', { expect: '100-continue' }));
    assert.equal(answer.status, 200);
  });
});

describe('methods', () => {
  for (const [path, allow] of Object.entries(ROUTES)) {
    it(`RFC 9110 §15.5.6: ${path.replace(topic, '{topic}')} tells of ${allow}`, async () => {
      const connection = await rawClient(server);
      for (const method of [
        'PUT',
        'DELETE',
        'PATCH',
        'OPTIONS',
        'TRACE',
        allow === 'POST' ? 'GET' : 'PURGE',
      ]) {
        const answer = await connection.ask(message(`${method} ${path}`));
        assertRefused(answer, 405, 'METHOD_NOT_ALLOWED');
        assert.deepEqual(answer.headers.allow, [allow], method);
      }
    });
    if (allow.startsWith('GET')) {
      it(`RFC 9110 §9.3.2: HEAD ${path.replace(topic, '{topic}')} is GET without its content`, async () => {
        const connection = await rawClient(server);
        const got = await connection.ask(message(`GET ${path}`));
        const head = await connection.ask(message(`HEAD ${path}`));
        assert.equal(got.status, 200, got.body);
        assert.equal(head.status, got.status);
        assert.deepEqual(head.headers['content-type'], got.headers['content-type']);
        // The figures of /metrics and /connectivity-check are others each time.
        const isSame = !['/metrics', '/connectivity-check'].includes(path);
        assert.ok(Number(head.headers['content-length']) > 0);
        if (isSame) assert.deepEqual(head.headers['content-length'], got.headers['content-length']);
      });
    }
  }

  it('RFC 9110 §9.3.1: content of a GET is read past, and means nothing', async () => {
    const connection = await rawClient(server);
    assert.equal((await connection.ask(message('GET /topics', {}, 'GET /nothing HTTP/1.1'))).status, 200);
    assert.equal((await connection.ask(message('GET /healthy', {}, 'GET /nothing HTTP/1.1'))).status, 200);
    assert.equal((await connection.ask(message('GET /healthy'))).status, 200);
  });
});

describe('answers', () => {
  it('RFC 9110 §6.6.1, §8.6: each has a Date and a Content-Length', async () => {
    const connection = await rawClient(server);
    for (const [start, headers, body] of [
      ['GET /healthy'],
      ['HEAD /topics'],
      ['GET /nothing'],
      [`POST /topics/${topic}`, JSON_TYPE, RECORDS],
      [`POST /topics/${topic}`, JSON_TYPE, '{}'],
    ] as const) {
      const answer = await connection.ask(message(start, headers, body));
      assert.ok(Math.abs(Date.parse(answer.headers.date?.[0] ?? '') - Date.now()) < 60_000, start);
      assert.match(answer.headers['content-length']?.[0] ?? '', /^[1-9]\d*$/, start);
      assert.equal(answer.headers['transfer-encoding'], undefined);
    }
  });

  it('RFC 9110 §8.6: a 204 has no Content-Length', async () => {
    const answer = await (await rawClient(server)).ask(message('OPTIONS *'));
    assert.equal(answer.status, 204);
    assert.equal(answer.headers['content-length'], undefined);
  });

  it('RFC 9110 §11.6.1: a 401 names a scheme', async () => {
    const connection = await rawClient(locked);
    const noKey = await connection.ask(message('GET /topics'));
    assert.deepEqual(noKey.headers['www-authenticate'], ['Bearer']);
    const unsigned = await connection.ask(message(`POST /webhooks/${topic}`, {}, 'x'));
    assertRefused(unsigned, 401, 'SIGNATURE_INVALID');
    assert.deepEqual(unsigned.headers['www-authenticate'], ['X-Hub-Signature-256']);
  });

  it('RFC 9110 §12.5.1, §12.5.3: a 415 names what is taken', async () => {
    const connection = await rawClient(server);
    const ask = (headers: Record<string, string>) =>
      connection.ask(message(`POST /topics/${topic}`, headers, 'x'));
    assert.match((await ask({ 'content-type': 'text/csv' })).headers.accept?.[0] ?? '', /application\/json/);
    const encoded = await ask({ 'content-encoding': 'br' });
    assert.deepEqual(encoded.headers['accept-encoding'], ['gzip, identity']);
  });

  it("RFC 9110 §12.5.1: a refusal has the vendor's type where the caller speaks it", async () => {
    const vendor = 'application/vnd.kafka.v2+json';
    const connection = await rawClient(locked);
    for (const headers of [{ accept: vendor }, { 'content-type': 'application/vnd.kafka.json.v2+json' }]) {
      const answer = await connection.ask(message(`POST /topics/${topic}`, headers, RECORDS));
      assert.equal(answer.status, 401);
      assert.deepEqual(answer.headers['content-type'], [vendor]);
    }
  });

  it('RFC 9110 §7.8: an Upgrade is not taken up', async () => {
    const connection = await rawClient(server);
    for (const upgrade of ['h2c', 'websocket']) {
      const answer = await connection.ask(message('GET /healthy', { connection: 'upgrade', upgrade }));
      assert.equal(answer.status, 200);
    }
    const posted = message(
      `POST /topics/${topic}`,
      { ...JSON_TYPE, connection: 'upgrade', upgrade: 'h2c' },
      RECORDS,
    );
    assert.equal((await connection.ask(posted)).status, 200);
  });

  it('RFC 9110 §7.8: nor one to another version of HTTP', async () => {
    const answer = await (await rawClient(server)).ask('GET /healthy HTTP/2.0\r\nhost: h\r\n\r\n');
    assertRefused(answer, 400, 'MALFORMED_REQUEST');
  });
});

describe('time', () => {
  /** Answers with the length of the body; a body has to gain 64 KiB in every `bodyProgressMs`. */
  async function patient(bodyProgressMs: number) {
    const config = readConfig(() => undefined, httpConfig);
    const serve: Serve = async ({ body }) => jsonResponse(200, body.length);
    const httpServer = createHttpServer(() => serve, config, { bodyProgressMs });
    return { httpServer, port: await listening(httpServer) };
  }

  it('RFC 9110 §15.5.9: a body that stalls is 408, and the connection over', async () => {
    const { port } = await patient(300);
    for (const start of ['', 'x'.repeat(100 * KIB)]) {
      const connection = await rawClient({ port });
      await connection.send(message('POST /', { 'content-length': `${200 * KIB}` }), start);
      const answer = await connection.answer();
      assertRefused(answer, 408, 'REQUEST_TIMEOUT');
      assert.deepEqual(answer.headers.connection, ['close']);
      assert.match(answer.headers['retry-after']?.[0] ?? '', /^\d+$/);
      await connection.ended();
    }
  });

  it('RFC 9110 §15.5.9: single bytes, and chunks that do not end, are no progress', async () => {
    const { port } = await patient(300);
    const connection = await rawClient({ port });
    await connection.send(message('POST /', { 'transfer-encoding': 'chunked' }), 'fffff\r\n');
    let isOver = false;
    const answer = connection.answer().finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await connection.send('x');
      await new Promise(setImmediate);
    }
    assertRefused(await answer, 408, 'REQUEST_TIMEOUT');
  });

  it('RFC 9110 §15.5.9: a slow body that goes on is read to its end, however long it takes', async () => {
    const progressMs = 1_000;
    const { port } = await patient(progressMs);
    const connection = await rawClient({ port });
    const steps = 12;
    const started = Date.now();
    await connection.send(message('POST /', { 'content-length': `${steps * 64 * KIB}` }));
    for (let step = 1; step <= steps; step++) {
      await connection.send(Buffer.alloc(64 * KIB));
      while (Date.now() < started + (step * 3 * progressMs) / steps) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    assert.equal((await connection.answer()).body, `${steps * 64 * KIB}`);
    assert.ok(Date.now() - started > 2 * progressMs);
  });

  it('RFC 9112 §9.5: an idle connection ends in good order, after it has told for how long it stays', async () => {
    const { httpServer, port } = await patient(1_000);
    const connection = await rawClient({ port });
    const first = await connection.ask(message('POST /', {}, 'x'));
    assert.deepEqual(first.headers['keep-alive'], ['timeout=75']);
    httpServer.keepAliveTimeout = 100;
    assert.equal((await connection.ask(message('POST /', {}, 'x'))).status, 200);
    await connection.ended();
  });

  it('RFC 9112 §9.5: a request that has come when the time of an idle connection is up is served', async () => {
    const { httpServer, port } = await patient(1_000);
    httpServer.keepAliveTimeout = 50;
    const connection = await rawClient({ port });
    assert.equal((await connection.ask(message('POST /', {}, 'x'))).status, 200);
    const second = connection.ask(message('POST /', {}, 'y'));
    // The request is on its way, and the server busy until the time is up.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
    assert.equal((await second).status, 200);
    await connection.ended();
  });

  it('RFC 9112 §9.5: a client that goes away before its answer disturbs nobody', async () => {
    for (let i = 0; i < 20; i++) {
      const socket = connect(server.port, '127.0.0.1');
      after(() => socket.destroy());
      await once(socket, 'connect');
      const sent = new Promise((resolve) =>
        socket.write(message(`POST /topics/${topic}`, JSON_TYPE, RECORDS), resolve),
      );
      await sent;
      socket.resetAndDestroy();
    }
    const before = (await readTopic(cluster, topic)).length;
    const answer = await (await rawClient(server)).ask(message(`POST /topics/${topic}`, JSON_TYPE, RECORDS));
    assert.equal(answer.status, 200);
    assert.ok((await readTopic(cluster, topic)).length > before);
  });
});
