/**
 * Found 2026-11-27 (A9): any web page could publish and pull through `npm start` by a cross-site POST, and list topics
 * by DNS rebinding, in the user's own cluster, too.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { callerProblem } from '../../local/callers.ts';
import { startGateway } from '../../local/functiongraph/gateway.ts';
import { startRuntime } from '../../local/functiongraph/runtime.ts';
import { scratchFolder } from '../support/folders.ts';

const directory = scratchFolder('local-origins');
writeFileSync(
  join(directory, 'index.js'),
  `let calls = 0;
  exports.handler = async (event, context) => ({
    statusCode: 200, headers: {}, body: String(++calls), isBase64Encoded: false,
  });`,
);

/** A gateway as \`npm start\` has it, before a function that counts its calls. */
async function startCounted(origins: readonly string[] = []) {
  const runtime = startRuntime({ directory });
  const gateway = await startGateway({
    port: 0,
    routes: [{ runtime }],
    problemOf: (headers, port) => callerProblem(headers, port, origins),
  });
  after(async () => {
    await gateway.close();
    await runtime.stop();
  });
  const send = async (headers: OutgoingHttpHeaders, method = 'POST') => {
    const call = request({ host: '127.0.0.1', port: gateway.port, method, path: '/topics/orders', headers });
    call.end(method === 'POST' ? '{"records":[{"value":1}]}' : undefined);
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    return { status: response.statusCode, body: await text(response) };
  };
  /** The function's calls so far, this one included. */
  const calls = async () => Number((await send({ host: `127.0.0.1:${gateway.port}` })).body);
  return { port: gateway.port, send, calls };
}

describe('the gateway of npm start', () => {
  test('Host: its own names with its own port alone', async () => {
    const { port, send, calls } = await startCounted();
    const own = [`127.0.0.1:${port}`, `localhost:${port}`, `LocalHost:${port}`, `[::1]:${port}`];
    for (const host of own) assert.equal((await send({ host })).status, 200, host);
    const foreign = [
      'evil.example',
      `evil.example:${port}`,
      'localhost',
      '127.0.0.1',
      `127.0.0.1:${port + 1}`,
      `127.0.0.1.evil.example:${port}`,
      `localhost.evil.example:${port}`,
      `evil.example@localhost:${port}`,
      `0.0.0.0:${port}`,
      `127.0.0.2:${port}`,
    ];
    for (const host of foreign) {
      for (const method of ['POST', 'GET', 'OPTIONS']) {
        const { status, body } = await send(
          { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' },
          method,
        );
        assert.equal(status, 403, host);
        assert.match(
          JSON.parse(body).error_msg,
          new RegExp(`Host header must be one of .*localhost:${port}`),
        );
      }
    }
    assert.equal(await calls(), own.length + 1, 'no foreign one reached the function');
  });

  test('a request without any Host', async () => {
    const { port } = await startCounted();
    const socket = connect(port, '127.0.0.1');
    socket.end('GET /topics HTTP/1.0\r\n\r\n');
    assert.match(await text(socket), /^HTTP\/1\.1 403 /);
  });

  test('Origin and Sec-Fetch-Site: pages from elsewhere are refused, those of this machine are not', async () => {
    const { port, send, calls } = await startCounted();
    const host = `127.0.0.1:${port}`;
    const refused: OutgoingHttpHeaders[] = [
      { origin: 'https://evil.example' },
      { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' },
      { origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' },
      { origin: 'null' },
      { origin: '' },
      { origin: `http://localhost.evil.example:${port}` },
      { origin: `http://127.0.0.1:${port}.evil.example` },
      { origin: `http://localhost:${port}, http://evil.example` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' },
    ];
    for (const headers of refused) {
      for (const method of ['POST', 'GET', 'OPTIONS']) {
        const { status, body } = await send({ host, ...headers }, method);
        assert.equal(status, 403, JSON.stringify(headers));
        assert.match(JSON.parse(body).error_msg, /HTTP_CORS_ORIGINS can allow/);
      }
    }
    const taken: OutgoingHttpHeaders[] = [
      {},
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': 'same-origin' },
      { origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' },
      { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' },
      { origin: 'http://127.0.0.1', 'sec-fetch-site': 'cross-site' },
      { origin: 'http://[::1]:5173' },
    ];
    for (const headers of taken)
      assert.equal((await send({ host, ...headers })).status, 200, JSON.stringify(headers));
    assert.equal(await calls(), taken.length + 1);
  });

  test('HTTP_CORS_ORIGINS allows an origin, and no Host', async () => {
    const { port, send } = await startCounted(['https://app.example']);
    const status = async (headers: OutgoingHttpHeaders) =>
      (await send({ host: `localhost:${port}`, 'sec-fetch-site': 'cross-site', ...headers })).status;
    assert.equal(await status({ origin: 'https://app.example' }), 200);
    assert.equal(await status({ origin: 'https://app.example:8443' }), 403);
    assert.equal(await status({ origin: 'http://app.example' }), 403);
    assert.equal(await status({}), 403);
    assert.equal(await status({ host: 'app.example', origin: 'https://app.example' }), 403);
    const all = await startCounted(['*']);
    const host = `localhost:${all.port}`;
    assert.equal((await all.send({ host, origin: 'https://any.example' })).status, 200);
    assert.equal((await all.send({ host: 'evil.example', origin: 'https://any.example' })).status, 403);
  });

  test('on port 80 the Host has none', () => {
    assert.equal(callerProblem({ host: 'localhost' }, 80, []), undefined);
    assert.equal(callerProblem({ host: '[::1]:80' }, 80, []), undefined);
    assert.notEqual(callerProblem({ host: 'evil.example' }, 80, []), undefined);
    assert.notEqual(callerProblem({ host: '' }, 80, []), undefined);
  });
});
