/**
 * Found 2026-11-27 (A2): one SCRAM message that asked for 2,147,483,647 iterations held the process for good:
 * the login never settled, and whoever came later waited for it, long after the honest broker was back.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { int8, int16, int32, string } from '../../local/kafka/wire.ts';
import { checkWith, variablesFor } from '../support/check.ts';
import { connectionConfigFor } from '../support/cluster.ts';
import { startFaultProxy } from '../support/faults/proxy.ts';
import {
  type Answer,
  METADATA,
  SASL_AUTHENTICATE,
  SASL_HANDSHAKE,
  startSketchBroker,
} from '../support/faults/sketch-broker.ts';
import { recordingLog } from '../support/log.ts';
import { newConnection } from '../support/producer.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const BUDGET_MS = 1_500;
const LATE_MS = 500;
const MECHANISM = 'SCRAM-SHA-512';
const cluster = await sharedCluster();

const handshake: Answer = () => Buffer.concat([int16(0), int32(1), string(MECHANISM)]);

function step(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([int16(0), string(null), int32(bytes.length), bytes, Buffer.alloc(8)]);
}

/** Answers the client's first message, as `n,,n=app,r=<nonce>`, and nothing after it. */
function firstOf(message: (nonce: string) => string): Answer {
  return (body) => step(message(/,r=([^,]+)$/.exec(body.toString())?.[1] ?? ''));
}

/** Answers the client's second message too. */
function bothOf(second: string): Answer {
  return (body) => {
    const first = /n,,n=[^,]+,r=([^,]+)$/.exec(body.toString());
    return first ? step(`r=${first[1]}more,s=c2FsdA==,i=4096`) : step(second);
  };
}

const nothing: Answer = () => undefined;
const logins: Record<string, Record<number, Answer>> = {
  'says nothing to the mechanism': { [SASL_HANDSHAKE]: nothing, [SASL_AUTHENTICATE]: nothing },
  'says nothing to the first message': { [SASL_HANDSHAKE]: handshake, [SASL_AUTHENTICATE]: nothing },
  'says nothing to the second message': {
    [SASL_HANDSHAKE]: handshake,
    [SASL_AUTHENTICATE]: (body) => (body.includes('n,,') ? bothOf('')(body, 1) : undefined),
  },
  'answers the mechanism with a list of 2^31-1': {
    [SASL_HANDSHAKE]: () => Buffer.concat([int16(0), int32(2 ** 31 - 1)]),
    [SASL_AUTHENTICATE]: nothing,
  },
  'answers the mechanism with a list of -2': {
    [SASL_HANDSHAKE]: () => Buffer.concat([int16(0), int32(-2)]),
    [SASL_AUTHENTICATE]: nothing,
  },
  'answers with half a step': {
    [SASL_HANDSHAKE]: handshake,
    [SASL_AUTHENTICATE]: () => Buffer.concat([int16(0), int8(0)]),
  },
};
const firsts: Record<string, (nonce: string) => string> = {
  'asks for 2,147,483,647 iterations': (nonce) => `r=${nonce}more,s=c2FsdA==,i=2147483647`,
  'asks for 9,999,999,999 iterations': (nonce) => `r=${nonce}more,s=c2FsdA==,i=9999999999`,
  'asks for 1 iteration': (nonce) => `r=${nonce}more,s=c2FsdA==,i=1`,
  'asks for 0 iterations': (nonce) => `r=${nonce}more,s=c2FsdA==,i=0`,
  'asks for -1 iterations': (nonce) => `r=${nonce}more,s=c2FsdA==,i=-1`,
  'asks for some iterations': (nonce) => `r=${nonce}more,s=c2FsdA==,i=some`,
  'has a nonce of its own': () => 'r=another,s=c2FsdA==,i=4096',
  'adds nothing to the nonce': (nonce) => `r=${nonce},s=c2FsdA==,i=4096`,
  'has no salt': (nonce) => `r=${nonce}more,s=,i=4096`,
  'says nothing at all': () => '',
};
for (const [what, message] of Object.entries(firsts)) {
  logins[what] = { [SASL_HANDSHAKE]: handshake, [SASL_AUTHENTICATE]: firstOf(message) };
}
for (const [what, second] of Object.entries({
  'does not know the password': 'v=c2lnbmF0dXJl',
  'proves nothing': '',
  'ends with an error': 'e=other-error',
})) {
  logins[what] = { [SASL_HANDSHAKE]: handshake, [SASL_AUTHENTICATE]: bothOf(second) };
}

describe('a broker whose login', { concurrency: 4 }, () => {
  for (const [what, answers] of Object.entries(logins)) {
    test(`${what}: the call and the check end in time, and the honest broker is found again`, {
      timeout: 30_000,
    }, async (t) => {
      const rogue = await startSketchBroker({ answers: { [METADATA]: nothing, ...answers } });
      const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: rogue.port } });
      t.after(() => Promise.all([rogue.close(), proxy.close()]));
      const servers = `127.0.0.1:${proxy.port}`;
      const config = connectionConfigFor(cluster, { listener: 'SASL_PLAINTEXT', bootstrapServers: servers });
      const connection = newConnection(config, recordingLog());

      const began = Date.now();
      await assert.rejects(connection.open(began + BUDGET_MS), { code: 'BROKER_UNREACHABLE' });
      const callMs = Date.now() - began;
      assert.ok(callMs < BUDGET_MS + LATE_MS, `the call took ${callMs} ms`);

      const checkBegan = Date.now();
      const report = await checkWith(variablesFor(cluster, 'SASL_PLAINTEXT', { servers }), BUDGET_MS);
      const checkMs = Date.now() - checkBegan;
      assert.ok(checkMs < BUDGET_MS + LATE_MS, `the check took ${checkMs} ms`);
      assert.match(report.verdict?.fault ?? 'OK', /^(NOT_KAFKA|TCP_SILENT|TCP_RESET)$/);

      proxy.setTarget('127.0.0.1', cluster.brokers[0]?.ports.SASL_PLAINTEXT ?? 0);
      proxy.resetAll();
      await connection.open(Date.now() + 5_000);
    });
  }
});
