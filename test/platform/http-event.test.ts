import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Failure } from '../../src/errors.ts';
import { httpResult, readHttpEvent, readRequestId } from '../../src/platform/http-event.ts';

const RECORDS = '{"records":[{"key":"a","value":{"n":1}}]}';

function sample(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`../../events/${name}.json`, import.meta.url), 'utf8'));
}

/** The APIG sample with other members; undefined takes one away. */
function apig(changes: Record<string, unknown> = {}): unknown {
  return JSON.parse(JSON.stringify({ ...sample('produce-apig'), ...changes }));
}

/** As a platform without an id of its own would have it read. */
function read(event: unknown) {
  return readHttpEvent(event, readRequestId(event, ''));
}

describe('samples', () => {
  test('FunctionGraph, APIG', () => {
    const { headers, ...request } = read(sample('produce-apig'));
    assert.deepEqual(
      { ...request, query: { ...request.query }, pathParameters: { ...request.pathParameters } },
      {
        method: 'POST',
        path: '/topics/orders',
        query: {},
        body: Buffer.from(RECORDS),
        pathParameters: { '': 'topics/orders' },
        requestId: '11cdcdcf33949dc6d722640a13091c77',
      },
    );
    assert.equal(headers['content-type'], 'application/json');
  });

  test("FunctionGraph's documented sample", () => {
    const { method, path, query, body } = read(sample('produce-apig-get'));
    assert.deepEqual([method, path, { ...query }], ['GET', '/', { responseType: 'html' }]);
    assert.equal(body.toString(), '{"name": "OpenTelekomCloud"}');
  });

  test('AWS, version 1: header names become lower case, the path has no stage', () => {
    const { method, path, query, headers, body, pathParameters } = read(sample('produce-aws-v1'));
    assert.deepEqual([method, path, { ...query }], ['POST', '/topics/orders', { a: '2' }]);
    assert.deepEqual({ ...pathParameters }, { topic: 'orders' });
    assert.equal(headers['content-type'], 'application/vnd.kafka.json.v2+json');
    assert.equal(headers['Content-Type'], undefined);
    assert.equal(body.toString(), RECORDS);
  });

  test('AWS, version 2: method and path elsewhere, the stage taken off', () => {
    const { method, path, query, body, requestId } = read(sample('produce-aws-v2'));
    assert.deepEqual([method, path, { ...query }], ['POST', '/topics/orders', { a: '1,2', b: '' }]);
    assert.equal(body.toString(), RECORDS);
    assert.equal(requestId, 'JKJaXmPLvHcESHA=');
  });

  test('AWS, version 2: paths with and without a stage', () => {
    const path = (rawPath: string, stage: unknown) =>
      read({ rawPath, requestContext: { http: { method: 'POST' }, stage } }).path;
    assert.equal(path('/prod/topics/a', 'prod'), '/topics/a');
    assert.equal(path('/prod', 'prod'), '/');
    assert.equal(path('/prod/', 'prod'), '/');
    assert.equal(path('/production/topics/a', 'prod'), '/production/topics/a');
    assert.equal(path('/topics/a', '$default'), '/topics/a');
    assert.equal(path('/topics/a', undefined), '/topics/a');
    assert.equal(path('/undefined/topics/a', undefined), '/undefined/topics/a');
    assert.equal(path('/topics/a', { toString: 1 }), '/topics/a');
  });
});

describe('body', () => {
  const bytes = Buffer.from([0, 255, 128, 10]);
  const table: [string, unknown, unknown, Buffer][] = [
    ['base64 on', bytes.toString('base64'), true, bytes],
    ['base64 on, without padding', 'YQ', true, Buffer.from('a')],
    ['base64 on, nothing in it', '', true, Buffer.alloc(0)],
    ['base64 on, null', null, true, Buffer.alloc(0)],
    ['base64 off', 'é{}', false, Buffer.from('é{}')],
    ['base64 off, nothing in it', '', false, Buffer.alloc(0)],
    ['base64 off, null', null, false, Buffer.alloc(0)],
    ['base64 absent', RECORDS, undefined, Buffer.from(RECORDS)],
    ['both absent', undefined, undefined, Buffer.alloc(0)],
    ['base64 on, absent', undefined, true, Buffer.alloc(0)],
    ['base64 as a word, which is not true', 'YQ==', 'true', Buffer.from('YQ==')],
  ];
  for (const [name, body, isBase64Encoded, expected] of table) {
    test(name, () => {
      assert.deepEqual(read(apig({ body, isBase64Encoded })).body, expected);
    });
  }
  for (const body of ['{"records":[]}', '!!!!', 'YQ==YQ==YQ==', 42, {}, [], true]) {
    test(`not base64: ${JSON.stringify(body)}`, () => {
      assert.throws(
        () => read(apig({ body })),
        (error) => error instanceof Failure && error.code === 'MALFORMED_REQUEST',
      );
    });
  }
});

describe('parameters and headers', () => {
  test('a repeated query parameter is a list or a string', () => {
    const { query } = read(apig({ queryStringParameters: { a: ['1', '2'], b: '3', c: [], d: '' } }));
    assert.deepEqual({ ...query }, { a: '1,2', b: '3', c: '', d: '' });
  });

  test('odd path parameters are kept where they are strings', () => {
    const odd = { '': 'topics/x', 'topic+': 'y', __proto: 'z', n: 1, o: {}, nothing: null };
    const { pathParameters } = read(apig({ pathParameters: odd }));
    assert.deepEqual({ ...pathParameters }, { '': 'topics/x', 'topic+': 'y', __proto: 'z' });
  });

  test('no member of an event reaches a prototype', () => {
    const text = '{"__proto__":"a","constructor":"b","Content-Type":"c"}';
    const { headers } = read(apig({ headers: JSON.parse(text) }));
    assert.deepEqual(Object.keys(headers).sort(), ['__proto__', 'constructor', 'content-type']);
    assert.equal(Object.getPrototypeOf(headers), null);
    assert.equal(read(apig({ headers: {} })).headers.constructor, undefined);
  });

  for (const members of [undefined, null, 'text', 42, [], ['a'], true]) {
    test(`${JSON.stringify(members)} in the place of members`, () => {
      const { query, headers, pathParameters } = read(
        apig({ queryStringParameters: members, headers: members, pathParameters: members }),
      );
      assert.deepEqual([{ ...query }, { ...headers }, { ...pathParameters }], [{}, {}, {}]);
    });
  }

  test('lists hold strings', () => {
    const headers = { a: [{ toString: 1 }], b: [1, 'x', null, ['y']], c: [[{ toString: 1 }]] };
    assert.deepEqual({ ...read(apig({ headers })).headers }, { a: '', b: 'x', c: '' });
  });

  test('the method in upper case, the path where there is one', () => {
    assert.equal(read(apig({ httpMethod: 'post' })).method, 'POST');
    for (const path of [undefined, null, 42, {}]) assert.equal(read(apig({ path })).path, '/');
  });
});

for (const event of [
  null,
  undefined,
  42,
  'text',
  true,
  [],
  [sample('produce-apig')],
  {},
  { httpMethod: 7 },
]) {
  test(`${JSON.stringify(event)?.slice(0, 30)} is no HTTP event`, () => {
    assert.throws(
      () => read(event),
      (error) => error instanceof Failure && error.code === 'MALFORMED_REQUEST',
    );
  });
}

test('the answer has exactly the members that both gateways take', () => {
  const answer = httpResult({ status: 207, headers: { a: 'b' }, body: '{}' }, 'request-1');
  const headers = { a: 'b', 'x-request-id': 'request-1' };
  assert.deepEqual(answer, { statusCode: 207, headers, body: '{}', isBase64Encoded: false });
});

test("the request id: the platform's, else the gateway's, else the caller's where it is harmless, else a new one", () => {
  const idOf = (changes: Record<string, unknown>) => readRequestId(apig(changes), '');
  const headers = { 'X-Request-Id': 'mine:1.2_3-4' };
  assert.equal(
    readRequestId(apig({ requestContext: { requestId: 'gateway' }, headers }), 'platform'),
    'platform',
  );
  assert.equal(idOf({ requestContext: { requestId: 'gateway' }, headers }), 'gateway');
  assert.match(readRequestId(null, ''), /^[0-9a-f-]{36}$/);
  const uuid = /^[0-9a-f-]{36}$/;
  const harmful = ['', 'a\r\nset-cookie: b', 'ä', '<script>', 'x'.repeat(129), 'a b'];
  for (const requestContext of [
    undefined,
    null,
    'text',
    ...[42, ...harmful].map((requestId) => ({ requestId })),
  ]) {
    assert.equal(idOf({ requestContext, headers }), 'mine:1.2_3-4');
    assert.match(idOf({ requestContext }), uuid);
  }
  for (const id of harmful)
    assert.match(idOf({ requestContext: null, headers: { 'x-request-id': id } }), uuid);
  assert.notEqual(idOf({ requestContext: null }), idOf({ requestContext: null }));
});
