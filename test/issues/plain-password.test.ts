/** Found 2026-11-27 (A10): the check said nothing of a password that is sent as it is, without TLS. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitCode } from '../../functions/connectivity-check/formats/exit-code.ts';
import { checkWith, variablesFor } from '../support/check.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

for (const [listener, mechanism, warned] of [
  ['SASL_PLAINTEXT', 'PLAIN', ['PASSWORD_IN_PLAIN']],
  ['SASL_PLAINTEXT', 'SCRAM-SHA-512', []],
  ['SASL_SSL', 'PLAIN', []],
] as const) {
  test(`${mechanism} with ${listener}: ${warned.length === 0 ? 'nothing' : 'one warning, and no fault'}`, async () => {
    const variables = { ...variablesFor(cluster, listener), KAFKA_SASL_MECHANISM: mechanism };
    const report = await checkWith(variables);
    assert.deepEqual(
      report.warnings.map(({ fault }) => fault),
      warned,
    );
    assert.deepEqual(
      [report.ok, report.verdict, exitCode(report)],
      [true, null, warned.length === 0 ? 0 : 2],
      JSON.stringify(report),
    );
  });
}
