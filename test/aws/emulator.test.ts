import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { functionNames } from '../../functions/http/config.ts';
import { buildOwn } from '../support/bundle.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { unusedPort } from '../support/faults/servers.ts';
import { scratchFolder } from '../support/folders.ts';
import { publish, readTopic } from '../support/records.ts';
import { SET_UP_MS } from '../support/tools.ts';
import { type Emulated, emulate, emulatorMissing, sample } from './emulator.ts';

const cluster = await kafkaForTests();
const outdir = scratchFolder('aws');
await buildOwn({ functions: functionNames, outdir });

const variables = {
  KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_SSL,
  KAFKA_SASL_USERNAME: cluster.users.app.username,
  KAFKA_SASL_PASSWORD: cluster.users.app.password,
  KAFKA_SSL_CA_LOCATION: cluster.caLocation,
};

let reason: string | undefined;
before(
  async () => {
    reason = await emulatorMissing();
  },
  { timeout: 2 * SET_UP_MS },
);

function start(name: string, more: Record<string, string> = {}): Promise<Emulated> {
  return emulate(join(outdir, name), { ...variables, ...more });
}

describe('produce', () => {
  const published = {
    'produce-aws-v1': '"a" {"n":1}',
    'produce-aws-v2': '"a" {"n":1}',
    'produce-aws-function-url': '"a" {"n":1}',
    'produce-aws-alb': '"a" {"n":1}',
    'produce-aws-alb-multi-value': 'a {"n":1}',
  };

  test('publishes what each front hands on, in one warm instance', async (t: TestContext) => {
    if (reason) return t.skip(reason);
    await cluster.createTopic('orders', { partitions: 1 });
    const produce = await start('produce');
    for (const [offset, name] of Object.keys(published).entries()) {
      const answer = (await produce.invoke(sample(name))) as Record<string, unknown>;
      assert.equal(answer.statusCode, 200, JSON.stringify(answer));
      assert.equal(JSON.parse(String(answer.body)).offsets[0].offset, offset);
      const isList = name.includes('multi-value') || name.endsWith('v1');
      assert.equal(isList ? answer.headers : answer.multiValueHeaders, undefined);
    }
    const records = await readTopic(cluster, 'orders');
    assert.deepEqual(
      records.map(({ key, value }) => `${key} ${value}`),
      Object.values(published),
    );
  });

  test('refuses what it does not understand', async (t: TestContext) => {
    if (reason) return t.skip(reason);
    const produce = await start('produce');
    for (const event of [sample('produce-aws-vpc-lattice'), {}, { Records: [] }]) {
      const { statusCode, body } = (await produce.invoke(event)) as Record<string, unknown>;
      assert.deepEqual([statusCode, JSON.parse(String(body)).code], [400, 'MALFORMED_REQUEST']);
    }
  });
});

describe('consume-batch', () => {
  const sinkDown = { CONSUME_SINK: 'http', CONSUME_SINK_URL: 'http://127.0.0.1:9/', CONSUME_RETRIES: '0' };

  test('handles the records of MSK and of a self-managed Kafka', async (t: TestContext) => {
    if (reason) return t.skip(reason);
    const consume = await start('consume-batch', { CONSUME_PARTIAL_RESPONSE: 'true', CONSUME_SINK: 'log' });
    for (const name of ['consume-batch-aws-msk', 'consume-batch-aws-self-managed']) {
      assert.deepEqual(await consume.invoke(sample(name)), { batchItemFailures: [] });
    }
    assert.match(consume.output(), /"topic":"my-orders","partition":0,"offset":18/);
  });

  test('names what failed where that is asked for, and fails where it is not', async (t: TestContext) => {
    if (reason) return t.skip(reason);
    const event = sample('consume-batch-aws-self-managed');
    const asked = await start('consume-batch', { ...sinkDown, CONSUME_PARTIAL_RESPONSE: 'true' });
    assert.deepEqual(await asked.invoke(event), {
      batchItemFailures: [{ itemIdentifier: { partition: 'my-orders-0', offset: 15 } }],
    });
    const { errorType, errorMessage } = (await (
      await start('consume-batch', sinkDown)
    ).invoke(event)) as Record<string, string>;
    assert.equal(errorType, 'Error');
    assert.match(errorMessage ?? '', /^SINK_FAILED: 1 of 1 records failed: /);
  });

  test('pulls on a schedule', async (t: TestContext) => {
    if (reason) return t.skip(reason);
    const topic = await newTopic(cluster, { partitions: 1 });
    await publish(cluster, topic, [{ key: 'a', value: '{"n":1}' }]);
    const consume = await start('consume-batch', { CONSUME_TOPICS: topic, KAFKA_GROUP_ID: `${topic}-group` });
    const answer = (await consume.invoke(sample('consume-batch-aws-schedule'))) as Record<string, unknown>;
    assert.deepEqual(
      [answer.mode, answer.processed, answer.more],
      ['pull', 1, false],
      JSON.stringify(answer),
    );
  });
});

describe('connectivity-check', () => {
  const schedule = sample('connectivity-check-aws-schedule');

  test('returns its report on a schedule', async (t: TestContext) => {
    if (reason) return t.skip(reason);
    const report = (await (await start('connectivity-check')).invoke(schedule)) as Record<string, unknown>;
    assert.deepEqual([report.ok, report.verdict], [true, null]);
  });

  test('fails on a schedule where it finds a fault, and is there for the next', async (t: TestContext) => {
    if (reason) return t.skip(reason);
    const check = await start('connectivity-check', {
      KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${await unusedPort()}`,
    });
    for (let run = 0; run < 2; run++) {
      const { errorMessage } = (await check.invoke(schedule)) as Record<string, string>;
      assert.match(errorMessage ?? '', /^TCP_REFUSED at 127\.0\.0\.1:\d+: /);
    }
    const report = (await check.invoke({})) as Record<string, unknown>;
    assert.equal(report.ok, false);
  });
});
