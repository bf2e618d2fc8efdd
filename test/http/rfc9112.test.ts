/** Messages and connections by RFC 9112, to the HTTP function as the platform starts it, over plain sockets. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { newTopic } from '../support/cluster.ts';
import { buildHttpFunction, startHttpFunction } from '../support/http-function.ts';
import { assertRefused, message, rawClient } from '../support/raw-client.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const built = await buildHttpFunction();
const server = await startHttpFunction(built, cluster);
const client = () => rawClient(server);
const oneTopic = () => newTopic(cluster, { partitions: 1 });

const HEALTHY = message('GET /healthy');
const JSON_TYPE = { 'content-type': 'application/json' };

function publishing(topic: string, value: unknown, headers: Record<string, string> = {}): Buffer {
  const body = JSON.stringify({ records: [{ key: 'k', value }] });
  return message(`POST /topics/${topic}`, { ...JSON_TYPE, ...headers }, body);
}

async function valuesOf(topic: string): Promise<string[]> {
  return (await readTopic(cluster, topic)).map(({ value }) => `${value}`);
}

/** Refused for good: what follows on this connection is not read. */
async function assertUnreadable(...parts: (string | Buffer)[]): Promise<void> {
  const connection = await client();
  const answer = await connection.ask(...parts);
  assertRefused(answer, 400, 'MALFORMED_REQUEST');
  assert.deepEqual(answer.headers.connection, ['close']);
  await connection.ended();
}

describe('messages', () => {
  it('RFC 9112 §2.2: an empty line before the request line is skipped', async () => {
    assert.equal((await (await client()).ask('\r\n\r\n', HEALTHY)).status, 200);
  });

  it('RFC 9112 §2.2: white space between the request line and the first field is refused', () =>
    assertUnreadable('GET /healthy HTTP/1.1\r\n host: h\r\n\r\n'));

  it('RFC 9112 §2.2: a bare CR inside a field is refused', () =>
    assertUnreadable('GET /healthy HTTP/1.1\r\nhost: h\r\nx: a\rb\r\n\r\n'));

  it('RFC 9112 §2.2: a bare LF ends no line of a message', () =>
    assertUnreadable('GET /healthy HTTP/1.1\nhost: h\n\n'));

  it('RFC 9112 §2.3: a version that is none is refused', () =>
    assertUnreadable('GET /healthy HTTP/x\r\nhost: h\r\n\r\n'));

  it("RFC 9112 §2.3: HTTP/2's preface is refused", () =>
    assertUnreadable('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));

  it('RFC 9112 §3: a request line that is none is refused', () =>
    assertUnreadable('{"records":[]}\r\nhost: h\r\n\r\n'));

  it('RFC 9112 §3: white space inside a request target is refused', () =>
    assertUnreadable('GET /heal thy HTTP/1.1\r\nhost: h\r\n\r\n'));

  it('RFC 9112 §3: an unknown method is 501', async () => {
    const answer = await (await client()).ask('MOVEIT /healthy HTTP/1.1\r\nhost: h\r\n\r\n');
    assertRefused(answer, 501, 'NOT_IMPLEMENTED');
  });

  for (const [what, lines] of [
    ['no Host', ''],
    ['two Hosts', 'host: a\r\nhost: b\r\n'],
    ['the same Host twice', 'Host: a\r\nhost: a\r\n'],
    ['a list of Hosts', 'host: a, b\r\n'],
    ['a Host with user information', 'host: user@a\r\n'],
    ['a Host with a path', 'host: a/b\r\n'],
  ]) {
    it(`RFC 9112 §3.2: ${what} is refused`, () => assertUnreadable(`GET /healthy HTTP/1.1\r\n${lines}\r\n`));
  }

  for (const host of ['', 'example.org', 'example.org:8443', '127.0.0.1:1', '[::1]:8080', 'a%20b', 'a_b.c']) {
    it(`RFC 9112 §3.2: "${host}" is a Host`, async () => {
      assert.equal(
        (await (await client()).ask(`GET /healthy HTTP/1.1\r\nhost: ${host}\r\n\r\n`)).status,
        200,
      );
    });
  }

  it('RFC 9112 §3.2: HTTP/1.0 needs no Host', async () => {
    assert.equal((await (await client()).ask('GET /healthy HTTP/1.0\r\n\r\n')).status, 200);
  });

  it('RFC 9112 §3.2.2: the absolute form is served as the origin form', async () => {
    const connection = await client();
    for (const path of ['/healthy', '/metrics', '/openapi.json']) {
      assert.equal(
        (await connection.ask(message(`GET http://other.example:81${path}?a=b`))).status,
        200,
        path,
      );
    }
    const topic = await oneTopic();
    const body = JSON.stringify({ records: [{ value: 1 }] });
    const posted = await connection.ask(
      message(`POST HTTPS://other.example/topics/${topic}`, JSON_TYPE, body),
    );
    assert.equal(posted.status, 200, posted.body);
    assertRefused(
      await connection.ask(message('POST http://other.example', {}, '{}')),
      422,
      'INVALID_RECORD',
    );
  });

  it('RFC 9112 §3.2.3: the authority form, CONNECT, is not served', async () => {
    const answer = await (await client()).ask(message('CONNECT other.example:443'));
    assertRefused(answer, 405, 'METHOD_NOT_ALLOWED');
    assert.match(answer.headers.allow?.[0] ?? '', /POST/);
  });

  it('RFC 9112 §3.2.4: OPTIONS * is about the server', async () => {
    const connection = await client();
    const answer = await connection.ask(message('OPTIONS *'));
    assert.equal(answer.status, 204);
    assert.deepEqual(answer.headers.allow, ['GET, HEAD, POST, OPTIONS']);
    assert.equal((await connection.ask(message('GET *'))).status, 404);
  });

  it('RFC 9112 §5.1: white space between name and colon is refused', () =>
    assertUnreadable('GET /healthy HTTP/1.1\r\nhost: h\r\nx-request-id : a\r\n\r\n'));

  it('RFC 9112 §5.2: a folded line is refused', () =>
    assertUnreadable('GET /healthy HTTP/1.1\r\nhost: h\r\nx-folded: a\r\n b\r\n\r\n'));

  it('RFC 9112 §6.1: Transfer-Encoding beside Content-Length is refused', () =>
    assertUnreadable(
      message('POST /topics/t', { 'content-length': '5', 'transfer-encoding': 'chunked' }),
      '0\r\n\r\n',
      HEALTHY,
    ));

  it('RFC 9112 §6.1: a transfer coding other than chunked is 501', async () => {
    const topic = await oneTopic();
    const coded = message(`POST /webhooks/${topic}`, { 'transfer-encoding': 'gzip, chunked' });
    const answer = await (await client()).ask(coded, '1\r\nx\r\n0\r\n\r\n');
    assertRefused(answer, 501, 'NOT_IMPLEMENTED');
    assert.deepEqual(await valuesOf(topic), []);
  });

  it('RFC 9112 §6.3: a request whose last coding is not chunked is refused', () =>
    assertUnreadable(message('POST /topics/t', { 'transfer-encoding': 'chunked, gzip' }), 'x'));

  for (const lengths of [
    'content-length: 1\r\ncontent-length: 2',
    'content-length: 1, 2',
    'content-length: +1',
  ]) {
    it(`RFC 9112 §6.3: ${lengths.replaceAll('\r\n', ' and ')} is refused`, () =>
      assertUnreadable(`POST /topics/t HTTP/1.1\r\nhost: h\r\n${lengths}\r\n\r\nx`));
  }

  it('RFC 9112 §7.1: chunks, extensions and trailers', async () => {
    const topic = await oneTopic();
    const connection = await client();
    const head = message(`POST /webhooks/${topic}`, { 'transfer-encoding': 'Chunked', trailer: 'x-sum' });
    const answer = await connection.ask(
      head,
      '3;name=value;flag\r\nabc\r\n0A;q="a \\"b"\r\ndefghijklm\r\n000\r\nx-sum: 1\r\n\r\n',
    );
    assert.equal(answer.status, 200, answer.body);
    assert.deepEqual(await valuesOf(topic), ['abcdefghijklm']);
    assert.equal((await connection.ask(HEALTHY)).status, 200);
  });

  for (const [what, chunks] of [
    ['a size that is none', '3\r\nabc\r\nxyz\r\n'],
    ['a chunk longer than its size', '3\r\nabcd\r\n0\r\n\r\n'],
    ['a negative size', '-1\r\na\r\n0\r\n\r\n'],
    ['a size beyond any number', 'fffffffffffffffff\r\na\r\n'],
  ] as const) {
    it(`RFC 9112 §7.1: ${what} is refused, and nothing published`, async () => {
      const topic = await oneTopic();
      await assertUnreadable(message(`POST /webhooks/${topic}`, { 'transfer-encoding': 'chunked' }), chunks);
      assert.deepEqual(await valuesOf(topic), []);
    });
  }

  it('RFC 9112 §7.1.1: chunk extensions without end are refused', async () => {
    const head = message('POST /webhooks/t', { 'transfer-encoding': 'chunked' });
    const answer = await (await client()).ask(head, `1;${'x'.repeat(20_000)}\r\na\r\n0\r\n\r\n`);
    assertRefused(answer, 413, 'BODY_TOO_LARGE');
  });

  it('RFC 9112 §8: a body that breaks off is refused, and nothing published', async () => {
    const topic = await oneTopic();
    for (const framing of [{ 'content-length': '100' }, { 'transfer-encoding': 'chunked' }]) {
      const connection = await client();
      await connection.send(message(`POST /webhooks/${topic}`, framing), '5\r\nabc');
      connection.endSending();
      assertRefused(await connection.answer(), 400, 'MALFORMED_REQUEST');
      await connection.ended();
    }
    assert.deepEqual(await valuesOf(topic), []);
  });
});

describe('connections', () => {
  it('RFC 9112 §9.3: a connection serves one request after another', async () => {
    const connection = await client();
    for (let i = 0; i < 3; i++) {
      const { status, headers } = await connection.ask(HEALTHY);
      assert.equal(status, 200);
      assert.notDeepEqual(headers.connection, ['close']);
    }
  });

  it('RFC 9112 §9.3: what is refused by its head alone keeps the connection', async () => {
    const connection = await client();
    const topic = await oneTopic();
    for (const start of ['POST /nothing', 'POST /healthy', `PUT /topics/${topic}`]) {
      assert.ok([404, 405].includes((await connection.ask(message(start, {}, 'a body'))).status), start);
    }
    assert.equal((await connection.ask(publishing(topic, 1))).status, 200);
  });

  it('RFC 9112 §9.3: HTTP/1.0 ends with the answer, unless it asks for more', async () => {
    const once = await client();
    assert.equal((await once.ask('GET /healthy HTTP/1.0\r\n\r\n')).status, 200);
    await once.ended();
    const more = await client();
    for (let i = 0; i < 2; i++) {
      const { headers } = await more.ask('GET /healthy HTTP/1.0\r\nconnection: keep-alive\r\n\r\n');
      assert.deepEqual(headers.connection, ['keep-alive']);
    }
  });

  it('RFC 9112 §9.3.2: answers come in the order of their requests', async () => {
    const connection = await client();
    const topic = await oneTopic();
    await connection.send(
      message('GET /connectivity-check'),
      HEALTHY,
      publishing(topic, 1),
      message('HEAD /healthy'),
      message('GET /nothing'),
    );
    const statuses = [];
    for (const to of ['GET', 'GET', 'POST', 'HEAD', 'GET']) {
      const { status, body } = await connection.answer({ to });
      statuses.push([status, Object.keys(body ? JSON.parse(body) : {})[0]]);
    }
    assert.deepEqual(statuses, [
      [200, 'schemaVersion'],
      [200, 'status'],
      [200, 'offsets'],
      [200, undefined],
      [404, 'error_code'],
    ]);
  });

  it('RFC 9112 §9.3.2: pipelined records stand in the order of their requests, whatever their encoding', async () => {
    const topic = await oneTopic();
    const connection = await client();
    // A large compressed body takes its time to be read, a small plain one doesn't.
    const padding = 'x'.repeat(500_000);
    const values = Array.from({ length: 24 }, (_, n) => n);
    const requests = values.map((n) => {
      const body = JSON.stringify({ records: [{ key: 'k', value: n }] });
      const isLarge = n % 3 === 0;
      const text = isLarge ? body.replace('{', `{${' '.repeat(padding.length)}`) : body;
      const headers = n % 3 === 2 ? JSON_TYPE : { ...JSON_TYPE, 'content-encoding': 'gzip' };
      return message(`POST /topics/${topic}`, headers, n % 3 === 2 ? text : gzipSync(text));
    });
    await connection.send(...requests);
    for (const n of values) assert.equal((await connection.answer()).status, 200, `${n}`);
    assert.deepEqual(await valuesOf(topic), values.map(String));
  });

  it('RFC 9112 §9.3.2: what comes before a message that is none is answered first', async () => {
    const topic = await oneTopic();
    const connection = await client();
    await connection.send(publishing(topic, 1), HEALTHY, 'no message at all\r\n\r\n', publishing(topic, 2));
    assert.match((await connection.answer()).body, /"offsets"/);
    assert.match((await connection.answer()).body, /"healthy"/);
    const last = await connection.answer();
    assertRefused(last, 400, 'MALFORMED_REQUEST');
    assert.deepEqual(last.headers.connection, ['close']);
    await connection.ended();
    assert.deepEqual(await valuesOf(topic), ['1']);
  });

  it('RFC 9112 §9.6: nothing behind a request that says close is served', async () => {
    const topic = await oneTopic();
    const connection = await client();
    await connection.send(
      publishing(topic, 1),
      publishing(topic, 2, { connection: 'close' }),
      publishing(topic, 3),
      publishing(topic, 4),
    );
    assert.equal((await connection.answer()).headers.connection?.[0], 'keep-alive');
    const last = await connection.answer();
    assert.equal(last.status, 200);
    assert.deepEqual(last.headers.connection, ['close']);
    await connection.ended();
    assert.deepEqual(await valuesOf(topic), ['1', '2']);
  });

  it('RFC 9112 §9.6: who has ended its side is answered all the same', async () => {
    const topic = await oneTopic();
    const connection = await client();
    await connection.send(publishing(topic, 1), publishing(topic, 2), message('GET /connectivity-check'));
    connection.endSending();
    for (let i = 0; i < 3; i++) assert.equal((await connection.answer()).status, 200);
    await connection.ended();
    assert.deepEqual(await valuesOf(topic), ['1', '2']);
  });

  it('RFC 9112 §9.6: a refusal is not lost in what is still being sent', async () => {
    for (const framing of [
      { 'content-length': `${200 * 1024 * 1024}` },
      { 'content-length': `${5 * 1024 * 1024}`, 'content-encoding': 'br' },
    ]) {
      const connection = await client();
      await connection.send(message('POST /topics/t', { ...JSON_TYPE, ...framing }));
      // No client stops at once: this much is on its way when the answer comes.
      await connection.send(Buffer.alloc(4 * 1024 * 1024));
      const answer = await connection.answer();
      assert.ok([413, 415].includes(answer.status), answer.body);
      assert.deepEqual(answer.headers.connection, ['close']);
      await connection.ended();
    }
  });

  it('RFC 9112 §9.5: a head that does not come to its end is told so', { timeout: 30_000 }, async () => {
    const connection = await client();
    await connection.send('GET /healthy HTTP/1.1\r\nhost: h\r\nx-slow: ');
    const answer = await connection.answer();
    assertRefused(answer, 408, 'REQUEST_TIMEOUT');
    assert.deepEqual(answer.headers.connection, ['close']);
    await connection.ended();
  });

  it('RFC 6585 §5: a head without end is refused', async () => {
    const answer = await (await client()).ask(
      `GET /healthy HTTP/1.1\r\nhost: h\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
    );
    assertRefused(answer, 431, 'HEADERS_TOO_LARGE');
  });
});
