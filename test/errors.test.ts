import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { errorCodes, Failure, toFailure } from '../src/errors.ts';
import { failureResponse } from '../src/http/message.ts';
import { createLog } from '../src/log.ts';
import { Secret } from '../src/secret.ts';
import { errorTable, pullStatuses } from './support/errors.ts';

test('the codes are those of the contract, no more and no fewer', () => {
  const known = errorCodes.filter((code) => !(code in pullStatuses));
  assert.deepEqual(known.sort(), errorTable.map(({ code }) => code).sort());
});

for (const { code, ...expected } of errorTable) {
  test(`${code} is ${expected.status}, ${expected.errorCode}`, () => {
    const { status, errorCode, retriable, delivery } = new Failure(code, 'a message');
    assert.deepEqual({ status, errorCode, retriable, delivery }, expected);
  });
}

test('the codes of a pull have their status', () => {
  for (const code of errorCodes) {
    if (code in pullStatuses) assert.equal(new Failure(code, 'a message').status, pullStatuses[code]);
  }
});

test('an error that is not a Failure is a defect of ours, and the caller is not told which', () => {
  for (const thrown of [new TypeError('secret detail'), 'text', undefined, null, 42]) {
    const failure = toFailure(thrown);
    assert.equal(failure.code, 'INTERNAL');
    assert.equal(failure.cause, thrown);
    assert.doesNotMatch(failureResponse(failure).body, /secret detail/);
  }
  const failure = new Failure('NO_LEADER', 'a message');
  assert.equal(toFailure(failure), failure);
});

test('Retry-After is whole seconds, rounded up, and there for retriable failures alone', () => {
  const after = (code: 'THROTTLED' | 'CONFIG_INVALID', retryAfterMs?: number) =>
    failureResponse(new Failure(code, 'a message', retryAfterMs === undefined ? {} : { retryAfterMs }))
      .headers['retry-after'];
  assert.equal(after('THROTTLED'), '1');
  assert.equal(after('THROTTLED', 0), '1');
  assert.equal(after('THROTTLED', 1), '1');
  assert.equal(after('THROTTLED', 2_001), '3');
  assert.equal(after('CONFIG_INVALID', 2_001), undefined);
});

test('a Secret never prints, and only reveal() gives it', (t) => {
  const secret = new Secret('open-sesame');
  const lines: string[] = [];
  t.mock.method(console, 'error', (line: string) => lines.push(line));
  createLog('debug').error('failed', { secret, error: new Error('outer', { cause: { secret } }) });
  const printed = [
    `${secret}`,
    String(secret),
    `${secret}!`,
    JSON.stringify({ secret, list: [secret] }),
    inspect(secret, { showHidden: true, depth: 9 }),
    inspect({ secret, map: new Map([[secret, secret]]) }, { showHidden: true }),
    Object.entries(secret).join(),
    Object.getOwnPropertyNames(secret).join(),
    ...lines,
  ];
  assert.equal(lines.length, 1);
  for (const text of printed) assert.doesNotMatch(text, /open-sesame/);
  assert.equal(`${secret}`, '[redacted]');
  assert.equal(secret.reveal(), 'open-sesame');
});

test('a log line has the stack of what nobody expected, and of nothing else', (t) => {
  const lines: string[] = [];
  t.mock.method(console, 'error', (line: string) => lines.push(line));
  const log = createLog('error');
  log.error('a caller', { error: new Failure('INVALID_RECORD', 'no') });
  log.error('a defect', {
    error: new Failure('INTERNAL', 'oh', { cause: new TypeError('x is not a function') }),
  });
  log.error('a cause', { error: new Failure('BROKER_UNREACHABLE', 'no', { cause: new Error('reset') }) });
  assert.deepEqual(
    lines.map((line) => typeof JSON.parse(line).error.stack),
    ['undefined', 'string', 'string'],
  );
});
