/**
 * Found 2026-11-27 (A10, CWE-150): escapes in an advertised host or in a broker's refusal reached doctor's
 * terminal as they came, and C1 controls and marks of direction the logs, answers, page and metrics.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METADATA, oneBroker, startSketchBroker } from '../support/faults/sketch-broker.ts';
import {
  type Outputs,
  outputsOfCheck,
  outputsOfProduce,
  plainLogin,
  startRefusingBroker,
} from './rogue-words.ts';

/** One of each kind that a terminal, a log viewer or a browser obeys. */
const OBEYED = [
  ...['\u0000', '\u0007', '\b', '\t', '\n', '\r', '\u001b[31m', '\u001b]0;title\u0007', '\u007f'],
  ...['\u0080', '\u0085', '\u009b31m', '\u009f', '\u061c', '\u200e', '\u200f', '\u2028', '\u2029'],
  ...['\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069'],
];
const WORDS = `begin ${OBEYED.join(' ')} end`;

function isObeyed(character: string): boolean {
  const code = character.charCodeAt(0);
  const isControl = (code < 0x20 && character !== '\n') || (code >= 0x7f && code <= 0x9f);
  return isControl || OBEYED.some((known) => character !== '\n' && known === character);
}

/** Only line feeds of the format itself may be left; the words stand on one line. */
function assertVisible(outputs: Outputs, word: RegExp): void {
  for (const [name, output] of Object.entries(outputs)) {
    const found = [...output]
      .filter(isObeyed)
      .map((character) => `U+${character.charCodeAt(0).toString(16)}`);
    assert.deepEqual(found, [], `${name}: ${JSON.stringify(output)}`);
  }
  assert.ok(
    Object.values(outputs).some((output) => word.test(output)),
    JSON.stringify(outputs),
  );
}

test('no terminal escape of an advertised host is printed', async (t) => {
  const host = `broker-${OBEYED.join('')}-1`;
  const broker = await startSketchBroker({ answers: { [METADATA]: () => oneBroker({ host, port: 9 }) } });
  t.after(() => broker.close());
  const outputs = await outputsOfCheck({
    KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${broker.port}`,
    KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT',
    LOG_LEVEL: 'debug',
  });
  assertVisible(outputs, /broker-\\u0000.*\\u001b\[31m.*\\u009b31m.*\\u202e.*-1:9/);
});

test('no terminal escape of a refused login or of a record is printed', async (t) => {
  const broker = await startRefusingBroker(() => WORDS);
  t.after(() => broker.close());
  const variables = plainLogin(broker.port, { username: 'app', password: 'correct-horse-battery' });
  assertVisible(await outputsOfCheck(variables), /begin \\u0000 .*\\u001b\[31m.*\\u009b31m.*\\u202e.* end/);
  const outputs = await outputsOfProduce(variables, { records: [{ value: 1 }] });
  assertVisible(outputs, /begin \\u0000 .*\\u001b\[31m.*\\u009b31m.*\\u202e.* end/);
  assert.match(outputs.answer ?? '', /AUTHENTICATION_FAILED/);
  const misspelled = { records: [{ value: 1, [WORDS]: 2 }] };
  assertVisible(await outputsOfProduce(variables, misspelled), /begin .*\\u202e.* end/);
});
