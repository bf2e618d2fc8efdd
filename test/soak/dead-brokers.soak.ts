import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { assertBrokenBy, viewsOf } from '../issues/dead-brokers.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';

// Kafka's own defaults, which the embedded one shortens: a broker is missed after 9 s.
const cluster = await kafkaForTests({
  brokers: 3,
  properties: { 'broker.session.timeout.ms': '9000', 'broker.heartbeat.interval.ms': '2000' },
});
await newTopic(cluster);

test('a killed broker is a fault after 0, 5, 20 and 60 seconds', async () => {
  await cluster.stopBroker(3, 'SIGKILL');
  const killedAt = Date.now();
  for (const seconds of [0, 5, 20, 60]) {
    await wait(Math.max(0, killedAt + seconds * 1_000 - Date.now()));
    for (const view of viewsOf(cluster)) {
      const { verdict } = await assertBrokenBy(3, view);
      console.log(`# ${seconds} s, ${view.what}: ${verdict?.fault} at ${verdict?.target}`);
    }
  }
});
