/** A sink of one's own is one folder, and one line in `sinks.ts`. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundledConsumer } from '../support/bundle.ts';
import { scratchCheckout } from '../support/checkout.ts';
import { newTopic } from '../support/cluster.ts';
import { numbered, publish } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const SINK = `import type { SinkKind } from '../../records/sink.ts';

/** Forgets what it is given. */
export const nowhere: SinkKind<{ limit: number }> = {
  configure: (variables) => ({ limit: variables.integer('CONSUME_SINK_LIMIT', 500, { min: 1 }) }),
  open: ({ limit }) => ({
    oneByOne: false,
    write: async (records) => ({ taken: Math.min(limit, records.length), failures: [] }),
  }),
};
`;

test('a sink called null is built, configured and pulled into', async () => {
  const { folder, builder } = scratchCheckout();
  const sinks = join(folder, 'functions/consume-batch/sinks');
  mkdirSync(join(sinks, 'null'));
  writeFileSync(join(sinks, 'null/null.ts'), SINK);
  appendFileSync(join(sinks, 'sinks.ts'), "export { nowhere as null } from './null/null.ts';\n");

  const cluster = await sharedCluster();
  const start = await bundledConsumer(cluster, await builder());
  const topic = await newTopic(cluster, { partitions: 1 });
  await publish(cluster, topic, numbered(1_200));
  const variables = { KAFKA_GROUP_ID: `${topic}-g`, CONSUME_TOPICS: topic, CONSUME_SINK: 'null' };
  const answer = await start(variables).invoke({});
  assert.ok(answer.ok, JSON.stringify(answer));
  assert.equal((answer.result as { processed: number }).processed, 1_200);
  const wrong = await start({ ...variables, CONSUME_SINK_LIMIT: '0' }).invoke({});
  assert.match(JSON.stringify(wrong), /CONFIG_INVALID: .*CONSUME_SINK_LIMIT must/);
  const unknown = await start({ ...variables, CONSUME_SINK: 'nul' }).invoke({});
  assert.match(JSON.stringify(unknown), /CONSUME_SINK must be one of [\w, ]*\bnull\b/);
});
