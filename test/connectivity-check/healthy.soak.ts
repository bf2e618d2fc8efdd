import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkWith, variablesFor } from '../support/check.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';

const RUNS = 1_000;

const cluster = await kafkaForTests({ brokers: 3 });

test(`no false alarm in ${RUNS} runs against three healthy brokers`, async () => {
  const variables = {
    ...variablesFor(cluster, 'SASL_SSL', { servers: cluster.bootstrapServers.SASL_SSL }),
    CHECK_TOPIC: await newTopic(cluster),
    CHECK_GROUP_ID: 'a-group',
    CHECK_ROUND_TRIP: 'true',
  };
  for (let run = 0; run < RUNS; run++) {
    const { ok, verdict, warnings } = await checkWith(variables, 10_000);
    assert.deepEqual([ok, verdict, warnings], [true, null, []], `run ${run}`);
  }
});
