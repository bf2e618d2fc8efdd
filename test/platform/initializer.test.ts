import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/errors.ts';
import type { PlatformContext } from '../../src/platform/context.ts';
import { initializerOf } from '../../src/platform/initializer.ts';

const context: PlatformContext = {
  getRequestID: () => 'request-1',
  getRemainingTimeInMilliSeconds: () => 300_000,
  getUserData: (name) => (name === 'A' ? 'from user data' : undefined),
};

test('the initializer declares two parameters, as the platform counts them', () => {
  assert.equal(initializerOf(async () => {}).length, 2);
});

test('opens with the variables of the context and waits at most 10 s', async () => {
  let seen: { value: string | undefined; left: number } | undefined;
  const initializer = initializerOf(async ({ environment, deadline }) => {
    seen = { value: environment('A'), left: deadline - Date.now() };
  });
  assert.equal(await initializer(context, undefined), undefined);
  assert.equal(seen?.value, 'from user data');
  assert.ok(seen.left > 9_000 && seen.left <= 10_000);
});

for (const [name, open] of [
  ['a rejection', async () => Promise.reject(new Failure('BROKER_UNREACHABLE', 'no broker'))],
  [
    'a throw',
    () => {
      throw new Failure('CONFIG_INVALID', 'KAFKA_BOOTSTRAP_SERVERS is required');
    },
  ],
] as const) {
  test(`${name} is logged and swallowed`, async (t) => {
    const lines: string[] = [];
    t.mock.method(console, 'warn', (line: string) => lines.push(line));
    await initializerOf(open)(context, undefined);
    assert.equal(lines.length, 1);
    const { level, message, error } = JSON.parse(lines[0] ?? '');
    assert.equal(level, 'warn');
    assert.match(message, /initializer failed/);
    assert.match(error.error, /no broker|KAFKA_BOOTSTRAP_SERVERS/);
  });
}
