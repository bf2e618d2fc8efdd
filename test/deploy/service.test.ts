import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { InvocationResult } from '../../local/functiongraph/runtime.ts';
import { consoleConsumer } from '../../local/kafka/tools.ts';
import { kafkaForTests } from '../support/cluster.ts';
import { newService, projectFile } from './service.ts';
import { StandIn } from './stand-in/server.ts';

/** This project's own serverless.yml, deployed to the stand-in, which runs the zips against this cluster. */
const cluster = await kafkaForTests();
const standIn = await StandIn.start();
after(() => standIn.stop());
const service = newService(projectFile);
await cluster.createTopic('orders', { partitions: 3 });
await cluster.createTopic('orders.dead-letter', { partitions: 1 });
standIn.instances.set('instance-1', {
  details: { vpc_id: 'vpc-1', subnet_id: 'subnet-1' },
  topics: [],
  users: [],
});
mkdirSync(join(service.directory, 'certificates'));
writeFileSync(join(service.directory, 'certificates', 'ca.crt'), cluster.caPem);
service.environment = {
  ...standIn.environment,
  FUNCTION_AGENCY: 'vpc-agency',
  VPC_ID: 'vpc-1',
  SUBNET_ID: 'subnet-1',
  KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_SSL,
  KAFKA_SASL_USERNAME: cluster.users.app.username,
  KAFKA_SASL_PASSWORD: cluster.users.app.password,
  GATEWAY_INSTANCE_ID: 'gateway-1',
  GATEWAY_GROUP_ID: 'group-1',
  DMS_INSTANCE_ID: 'instance-1',
};

async function deploy(environment: Record<string, string> = {}): Promise<string> {
  standIn.forget();
  Object.assign(service.environment, environment);
  const { code, output } = await service.osls('deploy');
  assert.equal(code, 0, output);
  assert.ok(!output.includes(cluster.users.app.password), 'the password was printed');
  return output;
}

function resultOf(outcome: InvocationResult): unknown {
  assert.ok(outcome.ok, JSON.stringify(outcome));
  return outcome.result;
}

test('deploys the whole file', async () => {
  const said = await deploy();
  assert.match(said, /called by +https:\/\/group-1\.apic\.example\.com\/connectivity-check \(GET, IAM\)/);
  assert.deepEqual(
    standIn.functions.all.map(({ name, triggers }) => [
      name,
      triggers.all.map((trigger) => `${trigger.trigger_type_code} ${trigger.trigger_status}`),
    ]),
    [
      ['kafka-functions-dev-produce', ['DEDICATEDGATEWAY ACTIVE']],
      ['kafka-functions-dev-consume-batch', ['TIMER ACTIVE', 'KAFKA DISABLED']],
      ['kafka-functions-dev-connectivity-check', ['TIMER ACTIVE', 'DEDICATEDGATEWAY ACTIVE']],
    ],
  );
  const apis = standIn.functions.all.flatMap(({ triggers }) =>
    triggers.all.map(({ event_data: data }) => data.auth),
  );
  assert.deepEqual(apis.filter(Boolean), ['IAM', 'IAM'], 'the gateway asks callers who they are');
  assert.match(await deploy(), /Nothing to change/);
  assert.deepEqual(standIn.changes, []);
});

test('what was deployed publishes over the gateway, is pulled by its timer, and the check is green', async (t) => {
  const gateway = await standIn.openGateway();
  t.after(() => gateway.close());
  const published = await fetch(`${gateway.url}/topics/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ records: [{ key: 'k', value: { id: 1, total: 2 } }] }),
  });
  const body = await published.json();
  assert.equal(published.status, 200, JSON.stringify(body));
  const [record] = await consoleConsumer(cluster, { topic: 'orders', maxMessages: 1 });
  assert.deepEqual(JSON.parse(String(record?.value)), { id: 1, total: 2 });

  const pulled = resultOf(await standIn.fireTimer('pull')) as Record<string, unknown>;
  const { mode, processed, deadLettered, more } = pulled;
  assert.deepEqual(
    { mode, processed, deadLettered, more },
    { mode: 'pull', processed: 1, deadLettered: 0, more: false },
  );

  const checked = await fetch(`${gateway.url}/connectivity-check`, {
    headers: { accept: 'application/json' },
  });
  const report = (await checked.json()) as { ok: boolean; verdict: unknown };
  assert.deepEqual([checked.status, report.ok, report.verdict], [200, true, null]);
  const timed = resultOf(await standIn.fireTimer('check')) as { ok: boolean };
  assert.equal(timed.ok, true);
});

test('one variable takes one call, and the function has it at its next', async (t) => {
  await deploy({ PRODUCE_TOPICS: 'payments' });
  assert.equal(standIn.changes.length, 1);
  assert.match(standIn.changes[0] ?? '', /^PUT .*produce:latest\/config$/);
  const gateway = await standIn.openGateway();
  t.after(() => gateway.close());
  const refused = await fetch(`${gateway.url}/topics/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"records":[{"value":1}]}',
  });
  const { code } = (await refused.json()) as { code: string };
  assert.deepEqual([refused.status, code], [403, 'TOPIC_NOT_ALLOWED']);
});

test('the Kafka trigger is switched on instead of the timer, and hands records over', async () => {
  const plan = await deploy({ KAFKA_TRIGGER: 'true', PULL_TIMER: 'false' });
  assert.match(plan, /disable timer pull/);
  assert.match(plan, /enable Kafka trigger on orders/);
  assert.equal(standIn.changes.length, 2);
  await assert.rejects(standIn.fireTimer('pull'), /No active TIMER trigger/);
  resultOf(await standIn.deliver('orders', ['{"id":3}', 'not JSON']));
  const dead = await consoleConsumer(cluster, { topic: 'orders.dead-letter', maxMessages: 1 });
  assert.deepEqual(
    dead.map(({ value }) => String(value)),
    ['not JSON'],
  );
});

test('a removal leaves nothing', async () => {
  const { code, output } = await service.osls('remove');
  assert.equal(code, 0, output);
  assert.deepEqual(standIn.functions.all, []);
  assert.ok(!service.contents().includes(cluster.users.app.password), 'the password was written');
});
