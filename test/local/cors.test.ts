import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { callerProblem } from '../../local/callers.ts';
import { startGateway } from '../../local/functiongraph/gateway.ts';
import { startRuntime } from '../../local/functiongraph/runtime.ts';
import { scratchFolder } from '../support/folders.ts';

const directory = scratchFolder('local-cors');
writeFileSync(
  join(directory, 'index.js'),
  `exports.handler = async (event, context) => {
    if (event.path === '/fails') throw new Error('no');
    const ids = [context.getRequestID(), event.requestContext.requestId, event.headers['x-request-id']];
    return { statusCode: 200, headers: {}, body: JSON.stringify(ids), isBase64Encoded: false };
  };`,
);
const runtime = startRuntime({ directory });
const gateway = await startGateway({
  port: 0,
  routes: [{ runtime }],
  problemOf: (headers, port) => callerProblem(headers, port, ['https://app.example']),
  cors: true,
  onLog: () => {},
});
after(async () => {
  await gateway.close();
  await runtime.stop();
});

const call = (headers: Record<string, string>, { method = 'POST', path = '/topics/orders' } = {}) =>
  fetch(`${gateway.url}${path}`, { method, headers });

test('pages of this machine and of HTTP_CORS_ORIGINS read every answer, others none', async () => {
  for (const origin of ['http://localhost:3000', 'http://127.0.0.1:8000', 'https://app.example']) {
    for (const path of ['/topics/orders', '/fails']) {
      const { headers } = await call({ origin }, { path });
      assert.equal(headers.get('access-control-allow-origin'), origin);
      assert.equal(headers.get('access-control-expose-headers'), '*');
      assert.equal(headers.get('vary'), 'origin');
    }
  }
  const refused = await call({ origin: 'https://evil.example' });
  assert.equal(refused.status, 403);
  assert.equal(refused.headers.get('access-control-allow-origin'), null);
  assert.equal((await call({})).headers.get('access-control-allow-origin'), null);
});

test('a browser that asks first is let in with what it asks for, without a call', async () => {
  const asks = {
    origin: 'http://localhost:3000',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type,ce-id',
  };
  const answer = await call(asks, { method: 'OPTIONS', path: '/fails' });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get('access-control-allow-origin'), asks.origin);
  assert.equal(answer.headers.get('access-control-allow-methods'), 'POST');
  assert.equal(answer.headers.get('access-control-allow-headers'), 'content-type,ce-id');
  const refused = await call({ ...asks, origin: 'https://evil.example' }, { method: 'OPTIONS' });
  assert.equal(refused.status, 403);
  assert.equal((await call({}, { method: 'OPTIONS' })).status, 200, 'the function answers');
});

test("the caller's X-Request-Id is the request's, where it is harmless", async () => {
  const kept = await call({ 'x-request-id': 'order-7.b' });
  assert.equal(kept.headers.get('x-request-id'), 'order-7.b');
  assert.deepEqual(await kept.json(), ['order-7.b', 'order-7.b', 'order-7.b']);
  const replaced = await call({ 'x-request-id': 'a b' });
  const own = replaced.headers.get('x-request-id') ?? '';
  assert.match(own, /^[0-9a-f]{32}$/);
  assert.deepEqual(((await replaced.json()) as string[]).slice(0, 2), [own, own]);
});
