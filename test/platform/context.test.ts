import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callOf, type PlatformContext } from '../../src/platform/context.ts';

const functionGraph = (
  remainingMs: number,
  userData: Record<string, string | null | undefined> = {},
): PlatformContext => ({
  getRequestID: () => 'request-1',
  getRemainingTimeInMilliSeconds: () => remainingMs,
  getUserData: (name) => userData[name] ?? undefined,
});

const lambda = (members: object) => members as PlatformContext;

/** Milliseconds from now to the deadline, give or take the time that this takes. */
function timeLeft(context: PlatformContext | undefined): number {
  const before = Date.now();
  const { deadline } = callOf(context);
  assert.ok(deadline - before >= 0);
  return deadline - before;
}

function assertAbout(actual: number, expected: number): void {
  assert.ok(actual >= expected && actual < expected + 50, `${actual} is about ${expected}`);
}

test("FunctionGraph's context: request id, remaining time less a reserve, user data", () => {
  const context = functionGraph(3_000, { A: 'from user data' });
  assert.equal(callOf(context).requestId, 'request-1');
  assertAbout(timeLeft(context), 2_750);
  assert.equal(callOf(context).environment('A'), 'from user data');
});

test("AWS's context: request id and remaining time", () => {
  const context = lambda({ awsRequestId: 'request-2', getRemainingTimeInMillis: () => 3_000 });
  assert.equal(callOf(context).requestId, 'request-2');
  assertAbout(timeLeft(context), 2_750);
});

test('little time left: the reserve takes a quarter of it at the most', () => {
  assertAbout(timeLeft(functionGraph(400)), 300);
  assertAbout(timeLeft(functionGraph(0)), 0);
  assertAbout(timeLeft(functionGraph(-500)), 0);
});

test('without a context, or a time in it, the request id is empty and there is time left', () => {
  for (const context of [undefined, null as unknown as undefined, lambda({})]) {
    assert.equal(callOf(context).requestId, '');
    assert.ok(timeLeft(context) > 1_000);
  }
});

test('a request id that a header could not carry is none', () => {
  for (const id of ['', 'a\r\nset-cookie: b', 'ä', 'x'.repeat(200)]) {
    const context: PlatformContext = { ...functionGraph(1_000), getRequestID: () => id } as PlatformContext;
    assert.equal(callOf(context).requestId, '', id);
  }
});

test('user data wins over the process environment, also where it is empty', (t) => {
  process.env.PLATFORM_TEST_A = 'from the process';
  process.env.PLATFORM_TEST_B = 'from the process';
  process.env.PLATFORM_TEST_C = 'from the process';
  t.after(() => {
    for (const name of ['A', 'B', 'C']) delete process.env[`PLATFORM_TEST_${name}`];
  });
  const context = functionGraph(1_000, {
    PLATFORM_TEST_A: 'from user data',
    PLATFORM_TEST_B: '',
    PLATFORM_TEST_C: null,
  });
  const { environment } = callOf(context);
  assert.equal(environment('PLATFORM_TEST_A'), 'from user data');
  assert.equal(environment('PLATFORM_TEST_B'), '');
  assert.equal(environment('PLATFORM_TEST_C'), 'from the process');
  assert.equal(environment('PLATFORM_TEST_D'), undefined);
  assert.equal(callOf(lambda({ awsRequestId: 'x' })).environment('PLATFORM_TEST_A'), 'from the process');
});

test("FunctionGraph's temporary key has Lambda's names, where no variable has them", () => {
  const key = {
    getSecurityAccessKey: () => 'from the agency',
    getSecuritySecretKey: () => 'secret',
    getSecurityToken: () => '',
  };
  const { environment } = callOf({ ...functionGraph(1_000), ...key } as PlatformContext);
  assert.equal(environment('AWS_ACCESS_KEY_ID'), 'from the agency');
  assert.equal(environment('AWS_SECRET_ACCESS_KEY'), 'secret');
  assert.equal(environment('AWS_SESSION_TOKEN'), undefined);
  const own = callOf({ ...functionGraph(1_000, { AWS_ACCESS_KEY_ID: 'own' }), ...key } as PlatformContext);
  assert.equal(own.environment('AWS_ACCESS_KEY_ID'), 'own');
  assert.equal(callOf(functionGraph(1_000)).environment('AWS_ACCESS_KEY_ID'), undefined);
});
