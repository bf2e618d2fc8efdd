import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runKafkaTool } from '../../local/kafka/tools.ts';
import { isKafkaError, kafkaErrorName, kafkaErrors } from '../../src/kafka/error-codes.ts';

test('codes have the names that Kafka gives them', async () => {
  // Its class prints the table of its documentation.
  const { stdout } = await runKafkaTool('org.apache.kafka.common.protocol.Errors', []);
  const rows = [...String(stdout).matchAll(/<td>([A-Z_]+)<\/td>\s*<td>(-?\d+)<\/td>/g)];
  const names = new Map(rows.map(([, name, code]) => [Number(code), name]));
  assert.ok(names.size > 100);
  const known = [...names.keys()].filter(isKafkaError);
  assert.ok(known.length > 80);
  for (const code of [...known, ...Object.values(kafkaErrors)]) {
    assert.equal(kafkaErrorName(code), `${names.get(code)} (${code})`);
  }
  assert.equal(kafkaErrorName(9_999), 'an error that is not known here (9999)');
});
