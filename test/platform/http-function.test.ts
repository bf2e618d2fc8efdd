import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Failure } from '../../src/errors.ts';
import { type HttpRequest, jsonResponse } from '../../src/http/message.ts';
import type { Call, PlatformContext } from '../../src/platform/context.ts';
import { httpHandler } from '../../src/platform/http-function.ts';

const context: PlatformContext = {
  getRequestID: () => 'request-1',
  getRemainingTimeInMilliSeconds: () => 5_000,
  getUserData: () => undefined,
};

interface Seen {
  request: HttpRequest;
  call: Call;
}

/** What a function gets to see of an event. */
async function serve(event: unknown, platform: PlatformContext = context): Promise<Seen> {
  let seen: Seen | undefined;
  const handler = httpHandler(async (request, call) => {
    seen = { request, call };
    return jsonResponse(200, {});
  });
  const { statusCode } = await handler(event, platform);
  assert.equal(statusCode, 200);
  assert.ok(seen);
  return seen;
}

function json(body: unknown, contentType?: string): unknown {
  const headers = contentType === undefined ? {} : { 'Content-Type': contentType };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { httpMethod: 'POST', path: '/', headers, body: text };
}

/** The lines that the function wrote, as objects. */
function recordConsole(t: TestContext): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    t.mock.method(console, level, (line: string) => lines.push(JSON.parse(line)));
  }
  return lines;
}

test('the handler declares two parameters, as the platform counts them', () => {
  assert.equal(httpHandler(async () => jsonResponse(200, {})).length, 2);
});

test('the call: request id, deadline and variables come from the context', async () => {
  const { request, call } = await serve(json({}));
  assert.equal(request.requestId, 'request-1');
  assert.equal(call.requestId, 'request-1');
  assert.ok(call.deadline > Date.now() + 4_000 && call.deadline <= Date.now() + 5_000);
  assert.equal(call.environment('PATH'), process.env.PATH);
});

test('a call works with the context of AWS, and without a context', async () => {
  const aws = { awsRequestId: 'request-2', getRemainingTimeInMillis: () => 5_000 } as PlatformContext;
  assert.equal((await serve(json({}), aws)).request.requestId, 'request-2');
  const none = null as unknown as PlatformContext;
  assert.match((await serve(json({}), none)).request.requestId, /^[0-9a-f-]{36}$/);
});

describe("middy's body parser", () => {
  const parsed: [string, string | undefined][] = [
    ['the JSON type', 'application/json'],
    ['a type with +json', 'application/vnd.kafka.json.v2+json'],
    ['parameters', 'application/json; charset=utf-8'],
  ];
  for (const [name, type] of parsed) {
    test(`${name}: the body is parsed, and its bytes are kept`, async () => {
      const { request } = await serve(json('{"n":1.10}', type));
      assert.deepEqual(request.json, { n: 1.1 });
      assert.equal(request.body.toString(), '{"n":1.10}');
    });
  }

  const left: [string, string, string | undefined][] = [
    ['malformed JSON', '{"n":', 'application/json'],
    ['an empty body', '', 'application/json'],
    ['a byte order mark', '\ufeff{}', 'application/json'],
    ['another type', '{}', 'text/plain'],
    ['no type', '{}', undefined],
    ['a type in upper case', '{}', 'Application/JSON'],
    ['a space before the parameters', '{}', 'application/json ; charset=utf-8'],
  ];
  for (const [name, body, type] of left) {
    test(`${name}: the function itself looks at the bytes`, async () => {
      const { request } = await serve(json(body, type));
      assert.equal(request.json, undefined);
      assert.equal(request.body.toString(), body);
    });
  }

  test('bytes that are not UTF-8 arrive as they are', async () => {
    const body = Buffer.from('7b22ff227d', 'hex');
    const event = { ...(json('', 'application/json') as object), body: body.toString('base64') };
    const { request } = await serve({ ...event, isBase64Encoded: true });
    assert.deepEqual(request.body, body);
  });

  for (const [body, expected] of [
    ['null', null],
    ['false', false],
    ['0', 0],
    ['[]', []],
  ] as const) {
    test(`${body} is a parsed body`, async () => {
      assert.deepEqual((await serve(json(body, 'application/json'))).request.json, expected);
    });
  }
});

describe('failures of an HTTP function', () => {
  test('an event that is not an HTTP request is answered 400, with the contract’s body', async (t) => {
    recordConsole(t);
    const handler = httpHandler(async () => assert.fail('not served'));
    for (const event of [null, undefined, 42, 'text', true, [], {}, { httpMethod: 1 }]) {
      const { statusCode, headers, body, ...rest } = await handler(event, context);
      assert.equal(statusCode, 400);
      assert.deepEqual(rest, { isBase64Encoded: false });
      assert.deepEqual(headers, { 'content-type': 'application/json', 'x-request-id': 'request-1' });
      const { message, ...answer } = JSON.parse(body);
      assert.equal(typeof message, 'string');
      assert.deepEqual(answer, {
        error_code: 400,
        code: 'MALFORMED_REQUEST',
        retriable: false,
        delivery: 'none',
      });
    }
  });

  test('what the function throws is answered and logged, with its request id', async (t) => {
    const lines = recordConsole(t);
    const refused = httpHandler(async () => {
      throw new Failure('CONFIG_INVALID', 'KAFKA_SASL_PASSWORD is required');
    });
    const answer = await refused(json({}), context);
    assert.equal(answer.statusCode, 500);
    assert.equal(answer.headers?.['x-request-id'], 'request-1');
    assert.equal(JSON.parse(answer.body).code, 'CONFIG_INVALID');
    assert.equal(lines.length, 1);
    assert.equal(lines[0]?.requestId, 'request-1');
    assert.equal(lines[0]?.code, 'CONFIG_INVALID');
  });

  test('a defect is logged with its stack as an error, and not told to the caller', async (t) => {
    const lines = recordConsole(t);
    const broken = httpHandler(() => {
      throw new TypeError('x is not a function');
    });
    const answer = await broken(json({}), context);
    assert.equal(answer.statusCode, 500);
    assert.equal(JSON.parse(answer.body).code, 'INTERNAL');
    assert.doesNotMatch(answer.body, /x is not a function/);
    assert.equal(lines[0]?.level, 'error');
    assert.match(JSON.stringify(lines[0]), /x is not a function/);
    assert.match(JSON.stringify(lines[0]), /http-function\.test\.ts/);
  });

  test('without a context there is a request id all the same', async (t) => {
    recordConsole(t);
    const handler = httpHandler(async () => assert.fail('not served'));
    const { headers } = await handler(null, undefined as unknown as PlatformContext);
    assert.match(`${headers?.['x-request-id']}`, /^[\w.:-]{1,128}$/);
  });
});
