import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { type HttpConfig, httpConfig } from '../../functions/http/config.ts';
import { createHttpServer } from '../../functions/http/server.ts';
import { permit } from '../../src/access/caller.ts';
import { type HttpRequest, jsonResponse, type Serve } from '../../src/http/message.ts';
import { readConfig } from '../../src/variables.ts';
import { listening } from '../support/http.ts';
import { message, rawClient } from '../support/raw-client.ts';

const MIB = 1024 * 1024;

async function listen(
  serve: Serve,
  variables: Record<string, string> = {},
): Promise<{ server: Server; url: string; port: number }> {
  const config: HttpConfig = readConfig((name) => variables[name], httpConfig);
  const server = createHttpServer(() => serve, config);
  const port = await listening(server);
  return { server, port, url: `http://127.0.0.1:${port}` };
}

/** Answers with what it was given. */
const echo: Serve = async ({ method, path, query, headers, body }: HttpRequest) =>
  jsonResponse(200, { method, path, query, type: headers['content-type'], body: body.toString('base64') });

/** Serves only who shows a key. */
const forKeys: Serve = async (request) => {
  permit(request.caller, 'a key');
  return echo(request, 0);
};

async function socketTo(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  after(() => socket.destroy());
  return socket;
}

async function answerOn(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  // Not events.once, for which an error would be the end: a reset may come after the whole answer.
  await new Promise((resolve) => socket.on('close', resolve));
  return Buffer.concat(chunks).toString();
}

describe('the HTTP server', () => {
  it('hands requests on as plain values, and keeps the connection', async () => {
    const { url } = await listen(echo);
    const bytes = randomBytes(2 * MIB);
    const response = await fetch(`${url}/topics/a%20b?key=1&x=`, {
      method: 'POST',
      body: bytes,
      headers: { 'Content-Type': 'x/y' },
    });
    assert.deepEqual(await response.json(), {
      method: 'POST',
      path: '/topics/a%20b',
      query: { key: '1', x: '' },
      type: 'x/y',
      body: bytes.toString('base64'),
    });
    assert.notEqual(response.headers.get('connection'), 'close');
  });

  it('refuses an announced body that is too large without reading it', async () => {
    const { port } = await listen(echo);
    const socket = await socketTo(port);
    socket.write(`POST / HTTP/1.1\r\nhost: h\r\ncontent-length: ${1024 * MIB}\r\n\r\n`);
    const answer = await answerOn(socket);
    assert.match(answer, /^HTTP\/1.1 413 /);
    assert.match(answer, /"code":"BODY_TOO_LARGE"/);
  });

  it('refuses a body that turns out too large, in bounded memory', async () => {
    const { port } = await listen(echo, { PRODUCE_MAX_BODY_BYTES: `${MIB}` });
    const socket = await socketTo(port);
    const answer = answerOn(socket);
    socket.write('POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n');
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const before = process.memoryUsage().rss;
    let sent = 0;
    while (!socket.destroyed && sent < 256 * MIB) {
      socket.write(`${chunk.length.toString(16)}\r\n`);
      socket.write(chunk);
      if (!socket.write('\r\n'))
        await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
      sent += chunk.length;
    }
    assert.match(await answer, /^HTTP\/1.1 413 /);
    assert.ok(process.memoryUsage().rss - before < 128 * MIB);
  });

  it('serves others while 2,000 connections send their headers one byte at a time', async () => {
    const { url, port } = await listen(echo);
    const slow = await Promise.all(Array.from({ length: 2_000 }, () => socketTo(port)));
    for (const socket of slow) socket.write('POST / HTTP/1.1\r\nhost: h\r\nx-slow: ');
    const response = await fetch(url, { method: 'POST', body: 'x' });
    assert.equal(response.status, 200);
    for (const socket of slow) socket.destroy();
  });

  it('refuses headers without end', async () => {
    const { port } = await listen(echo);
    const socket = await socketTo(port);
    socket.write(`POST / HTTP/1.1\r\nhost: h\r\n${'x-flood: y\r\n'.repeat(20_000)}\r\n`);
    assert.match(await answerOn(socket), /^HTTP\/1.1 431 /);
  });

  it('ends its connections once it is told to close, each with its answer', async () => {
    let serving = () => {};
    let go = () => {};
    const isServing = new Promise<void>((resolve) => (serving = resolve));
    const mayGo = new Promise<void>((resolve) => (go = resolve));
    const { server, port } = await listen(async () => {
      serving();
      await mayGo;
      return jsonResponse(200, 'done');
    });
    const connection = await rawClient({ port });
    await connection.send(message('GET /'), message('GET /'));
    await isServing;
    const closed = once(server, 'close');
    server.close();
    go();
    const answer = await connection.answer();
    assert.deepEqual([answer.body, answer.headers.connection], ['"done"', ['close']]);
    await connection.ended();
    connection.endSending();
    await closed;
  });

  it('answers 500 without details where the function throws', async () => {
    const { url } = await listen(async () => {
      throw new Error('secret detail');
    });
    const response = await fetch(url);
    const text = await response.text();
    assert.equal(response.status, 500);
    assert.match(text, /"code":"INTERNAL"/);
    assert.doesNotMatch(text, /secret/);
  });
});

describe('CORS', () => {
  const origin = 'https://shop.example';

  it('is off unless origins are set', async () => {
    const { url } = await listen(echo);
    const response = await fetch(url, { headers: { origin } });
    assert.equal(response.headers.get('access-control-allow-origin'), null);
    const asked = await fetch(url, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    assert.equal(asked.status, 403);
  });

  it('answers the browser of an allowed origin before it needs a key, and no other', async () => {
    const { url } = await listen(forKeys, { HTTP_CORS_ORIGINS: origin, HTTP_API_KEYS: '0'.repeat(64) });
    const ask = (from: string) =>
      fetch(url, { method: 'OPTIONS', headers: { origin: from, 'access-control-request-method': 'POST' } });
    const allowed = await ask(origin);
    assert.equal(allowed.status, 204);
    assert.match(allowed.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
    assert.equal(allowed.headers.get('access-control-allow-origin'), origin);
    assert.match(allowed.headers.get('access-control-allow-headers') ?? '', /x-api-key/);
    assert.equal((await ask('https://evil.example')).status, 403);
    const refused = await fetch(url, { method: 'POST', headers: { origin } });
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get('access-control-allow-origin'), origin, 'so that the page can read why');
  });

  it('lets pages send what the formats read, and read what answers say in headers', async () => {
    const { url } = await listen(echo, {
      HTTP_CORS_ORIGINS: origin,
      WEBHOOK_KEY_HEADER: 'X-Tenant',
      WEBHOOK_HEADERS: 'x-github-*,x-shop',
    });
    const ask = async (names?: string) => {
      const response = await fetch(url, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          ...(names === undefined ? {} : { 'access-control-request-headers': names }),
        },
      });
      assert.equal(response.headers.get('vary'), 'access-control-request-headers, origin');
      return (response.headers.get('access-control-allow-headers') ?? '').split(', ');
    };
    const always = [
      ...['authorization', 'x-api-key', 'content-type', 'content-encoding', 'accept', 'x-request-id'],
      ...['traceparent', 'tracestate', 'ce-id', 'ce-source', 'ce-specversion', 'ce-type'],
      ...['x-hub-signature-256', 'webhook-id', 'webhook-timestamp', 'webhook-signature', 'x-tenant'],
    ];
    const without = await ask();
    for (const name of always) assert.ok(without.includes(name), name);
    // Attributes of one's own, and what WEBHOOK_HEADERS copies, have no end of names: those that are asked for.
    const asked = await ask('ce-myextension, X-GitHub-Event,x-shop,ce-, ce-a_b, cookie, x-other, , *');
    assert.deepEqual(
      asked.filter((name) => !without.includes(name)),
      ['ce-myextension', 'x-github-event', 'x-shop'],
    );
    const { headers } = await fetch(url, { headers: { origin } });
    assert.equal(headers.get('access-control-expose-headers'), 'x-request-id, retry-after, allow');
  });
});
