import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Failure } from '../../src/errors.ts';
import { httpResult, isHttpEvent, readHttpEvent, readRequestId } from '../../src/platform/http-event.ts';

const RECORDS = '{"records":[{"key":"a","value":{"n":1}}]}';

function sample(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`../../events/${name}.json`, import.meta.url), 'utf8'));
}

/** The APIG sample with other members; undefined takes one away. */
function apig(changes: Record<string, unknown> = {}): unknown {
  return JSON.parse(JSON.stringify({ ...sample('produce-apig'), ...changes }));
}

function assertMalformed(changes: Record<string, unknown>, message: RegExp): void {
  assert.throws(() => read(apig(changes)), { code: 'MALFORMED_REQUEST', message });
}

/** As a platform without an id of its own would have it read. */
function read(event: unknown) {
  return readHttpEvent(event, readRequestId(event, ''));
}

describe('each sample of an HTTP event is read', () => {
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
    assert.deepEqual([method, path, { ...query }], ['POST', '/topics/orders', { a: '1,2' }]);
    assert.deepEqual({ ...pathParameters }, { topic: 'orders' });
    assert.equal(headers['content-type'], 'application/vnd.kafka.json.v2+json');
    assert.equal(headers['Content-Type'], undefined);
    assert.equal(body.toString(), RECORDS);
  });

  test('AWS, version 2: method and path elsewhere, the stage taken off', () => {
    const { method, path, query, headers, body, requestId } = read(sample('produce-aws-v2'));
    assert.deepEqual([method, path, { ...query }], ['POST', '/topics/orders', { a: '1,2', b: '' }]);
    assert.equal(headers.cookie, 'cookie1=1; cookie2=2');
    assert.equal(body.toString(), RECORDS);
    assert.equal(requestId, 'JKJaXmPLvHcESHA=');
  });

  test('AWS, function URL: the query string is decoded once, by us', () => {
    const { path, query, headers, body } = read(sample('produce-aws-function-url'));
    assert.deepEqual([path, { ...query }], ['/topics/orders', { 'a b': '1,2,3' }]);
    assert.equal(headers['content-type'], 'application/vnd.kafka.json.v2+json');
    assert.equal(body.toString(), RECORDS);
  });

  test('AWS, load balancer: names and values of the query are decoded, plain text is taken as it is', () => {
    const { method, path, query, headers, body } = read(sample('produce-aws-alb'));
    assert.deepEqual([method, path], ['POST', '/topics/orders']);
    assert.deepEqual({ ...query }, { 'a b': '1,2', plus: 'x y' });
    assert.deepEqual([headers['content-type'], headers.cookie], ['application/json', 'cookie1=1; cookie2=2']);
    assert.equal(body.toString(), RECORDS);
  });

  test('AWS, load balancer with multi-value headers: every value of a header counts', () => {
    const { query, headers, body } = read(sample('produce-aws-alb-multi-value'));
    assert.deepEqual({ ...query }, { 'a b': '1,2,3' });
    assert.equal(headers['content-type'], 'application/vnd.kafka.binary.v2+json');
    assert.equal(headers.accept, 'application/vnd.kafka.v2+json, application/json');
    assert.equal(headers.cookie, 'cookie1=1; cookie2=2');
    assert.equal(body.toString(), '{"records":[{"key":"YQ==","value":"eyJuIjoxfQ=="}]}');
  });

  test('VPC Lattice is refused by its name, in both versions of its event', () => {
    const first = { raw_path: '/topics/orders', method: 'POST', headers: {}, is_base64_encoded: false };
    for (const event of [sample('produce-aws-vpc-lattice'), first]) {
      assert.ok(isHttpEvent(event));
      assert.throws(() => read(event), { code: 'MALFORMED_REQUEST', message: /VPC Lattice/ });
    }
  });

  test("each file has a row in the folder's table, and each row a file", () => {
    const folder = new URL('../../events/', import.meta.url);
    const table = readFileSync(new URL('README.md', folder), 'utf8');
    const rows = [...table.matchAll(/^\| `(\S+\.json)`/gm)].map(([, file]) => file);
    assert.deepEqual(
      rows.sort(),
      readdirSync(folder)
        .filter((file) => file.endsWith('.json'))
        .sort(),
    );
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

describe('the body of an HTTP event', () => {
  const bytes = Buffer.from([0, 255, 128, 10]);
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
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
    ['base64 null', RECORDS, null, Buffer.from(RECORDS)],
    ['base64 of every byte', everyByte.toString('base64'), true, everyByte],
  ];
  for (const [name, body, isBase64Encoded, expected] of table) {
    test(name, () => {
      assert.deepEqual(read(apig({ body, isBase64Encoded })).body, expected);
    });
  }
  for (const body of [
    ...['{"records":[]}', '!!!!', 'YQ==YQ==YQ==', 'YQ=', 'YQ===', 'YR==', 'Y Q=', 'YQ==\n', '-_-_', 'Y'],
    ...[42, {}, [], true],
  ]) {
    test(`not base64: ${JSON.stringify(body)}`, () => {
      assert.throws(
        () => read(apig({ body })),
        (error) => error instanceof Failure && error.code === 'MALFORMED_REQUEST',
      );
    });
  }
});

for (const isBase64Encoded of ['true', 1, {}, []]) {
  test(`isBase64Encoded ${JSON.stringify(isBase64Encoded)} is refused, not guessed`, () => {
    assertMalformed({ isBase64Encoded }, /isBase64Encoded must be true or false/);
  });
}

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

  const containers = [
    ...['headers', 'multiValueHeaders'],
    ...['queryStringParameters', 'multiValueQueryStringParameters'],
  ];

  for (const members of [undefined, null]) {
    test(`${members} in the place of members`, () => {
      const { query, headers } = read(
        apig(Object.fromEntries(containers.map((container) => [container, members]))),
      );
      assert.deepEqual([{ ...query }, { ...headers }], [{}, {}]);
    });
  }

  for (const container of containers) {
    test(`${container} of another shape are refused by name`, () => {
      for (const members of ['text', 42, [], ['a'], true]) {
        assertMalformed({ [container]: members }, new RegExp(`${container} must be an object`));
      }
      for (const value of [7, true, {}, [1], ['a', null], [['a']], [{ toString: 1 }]]) {
        assertMalformed({ [container]: { a: value } }, new RegExp(`values in its ${container} must be text`));
      }
      assert.ok(read(apig({ [container]: { a: null } })));
    });
  }

  test('path parameters of another shape are left out', () => {
    for (const pathParameters of ['text', 42, [], ['a'], true]) {
      assert.deepEqual({ ...read(apig({ pathParameters })).pathParameters }, {});
    }
  });

  test('both forms of headers are one, and the lists win', () => {
    const { headers } = read(
      apig({
        headers: { 'Content-Type': 'text/plain', 'X-Only-Single': 'a', 'X-Both': 'last' },
        multiValueHeaders: { 'content-type': ['application/json'], 'X-Both': ['first', 'last'] },
      }),
    );
    assert.deepEqual(
      { ...headers },
      { 'content-type': 'application/json', 'x-only-single': 'a', 'x-both': 'first, last' },
    );
  });

  test('two spellings of one header are one header', () => {
    const { headers } = read(apig({ headers: { 'X-A': '1', 'x-a': '2' } }));
    assert.deepEqual({ ...headers }, { 'x-a': '1, 2' });
  });

  test('a query string that is not percent-encoded UTF-8 is read as every URL parser does', () => {
    const v2 = { ...sample('produce-aws-v2'), rawQueryString: 'key=100%&b=%ff' };
    const alb = { ...sample('produce-aws-alb'), queryStringParameters: { key: '100%', b: '%ff' } };
    for (const event of [v2, alb]) assert.deepEqual({ ...read(event).query }, { key: '100%', b: '\ufffd' });
  });

  test('a parameter that is repeated very often takes no longer than as many different ones', () => {
    const count = 300_000;
    const rawQueryString = 'a=1&'.repeat(count);
    const { query } = read({ ...sample('produce-aws-v2'), rawQueryString });
    assert.equal(query.a?.length, 2 * count - 1);
    const values = Array<string>(count).fill('1');
    const { headers } = read(apig({ headers: { a: values }, multiValueHeaders: { b: values } }));
    assert.deepEqual([headers.a?.length, headers.b?.length], [3 * count - 2, 3 * count - 2]);
  });

  test('the method in upper case, the path where there is one', () => {
    assert.equal(read(apig({ httpMethod: 'post' })).method, 'POST');
    for (const path of [undefined, null]) assert.equal(read(apig({ path })).path, '/');
    for (const path of [42, {}, []]) assertMalformed({ path }, /path must be text/);
  });

  for (const [member, value] of Object.entries({
    version: '3.0',
    rawPath: undefined,
    rawQueryString: 7,
    cookies: 'a=1; b',
    'requestContext.http.method': undefined,
  })) {
    test(`version 2 of AWS's event with ${member} ${value}`, () => {
      const event = sample('produce-aws-v2');
      const { requestContext } = event as { requestContext: { http: object } };
      if (member.includes('.')) requestContext.http = { path: '/' };
      else event[member] = value;
      const refused = member !== 'cookies';
      const reading = () => read(JSON.parse(JSON.stringify(event)));
      if (refused) assert.throws(reading, { code: 'MALFORMED_REQUEST' });
      else assert.equal(reading().headers.cookie, 'a=1; b');
    });
  }
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
  test(`${JSON.stringify(event)?.slice(0, 30)} is refused as an HTTP event`, () => {
    assert.throws(
      () => read(event),
      (error) => error instanceof Failure && error.code === 'MALFORMED_REQUEST',
    );
  });
}

test('the answer has exactly the members that every gateway takes', () => {
  const response = { status: 207, headers: { a: 'b' }, body: '{}' };
  const headers = { a: 'b', 'x-request-id': 'request-1' };
  const expected = { statusCode: 207, headers, body: '{}', isBase64Encoded: false };
  for (const name of ['produce-apig', 'produce-aws-v2', 'produce-aws-function-url', 'produce-aws-alb']) {
    assert.deepEqual(httpResult(response, 'request-1', sample(name)), expected);
  }
  for (const event of [undefined, null, 'text', { multiValueHeaders: 7 }]) {
    assert.deepEqual(httpResult(response, 'request-1', event), expected);
  }
});

test('header values are lists where the event has them in lists', () => {
  const response = { status: 207, headers: { a: 'b' }, body: '{}' };
  const multiValueHeaders = { a: ['b'], 'x-request-id': ['request-1'] };
  for (const name of ['produce-aws-alb-multi-value', 'produce-aws-v1']) {
    assert.deepEqual(httpResult(response, 'request-1', sample(name)), {
      ...{ statusCode: 207, multiValueHeaders, body: '{}', isBase64Encoded: false },
    });
  }
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
