import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FunctionDescription, Trigger } from '../../deploy/description.ts';
import { planDeployment, planFunction, planRemoval } from '../../deploy/plan.ts';
import {
  clientOf,
  gateway,
  kafka,
  openSourceKafka,
  sampleArtifacts,
  sampleDeployment,
  sampleFunction,
  startCloud,
  timer,
} from './samples.ts';

const URN = 'urn:fss:eu-de:0123456789abcdef0123456789abcdef:function:default';

const full = sampleFunction({ triggers: [timer, gateway, kafka, openSourceKafka], maxInstances: 1 });

describe('a deployment', () => {
  test('creates functions and their triggers, and then has nothing to do', async (t) => {
    const cloud = await startCloud(t);
    const first = await cloud.deploy(sampleDeployment(full));
    assert.deepEqual(first.plan, [
      '+ function shop-dev-produce (1 kB)',
      '+ timer pull (1m) of shop-dev-produce',
      '+ gateway shop_dev_produce (ANY /, IAM) of shop-dev-produce',
      '+ Kafka trigger on orders of shop-dev-produce, disabled',
      '+ open-source Kafka trigger on orders of shop-dev-produce, disabled',
    ]);
    assert.deepEqual(await cloud.deploy(sampleDeployment(full)), { plan: [], changes: [] });
    const [stored] = cloud.standIn.functions.all;
    assert.deepEqual(stored?.config.strategy_config, { concurrency: 1, concurrent_num: 1 });
    assert.deepEqual(
      stored?.triggers.all.map(({ trigger_status }) => trigger_status),
      ['ACTIVE', 'ACTIVE', 'DISABLED', 'DISABLED'],
    );
  });

  const settings: [name: string, change: Partial<FunctionDescription>, says: RegExp][] = [
    ['a variable', { environment: { ...full.environment, LOG_LEVEL: 'debug' } }, /: LOG_LEVEL$/],
    ['a new variable', { environment: { ...full.environment, EXTRA: '1' } }, /: EXTRA$/],
    ['a variable that goes', { environment: { LOG_LEVEL: 'info' } }, /: KAFKA_BOOTSTRAP_SERVERS$/],
    [
      'an encrypted variable',
      { encryptedEnvironment: { KAFKA_SASL_PASSWORD: 'new' } },
      /: encrypted variables or passwords$/,
    ],
    ['memory', { memorySize: 512 }, /: memory size$/],
    ['the time-out', { timeout: 60 }, /: timeout$/],
    ['the initializer', { initializer: undefined }, /: initializer$/],
    ['the initializer’s time-out', { initializerTimeout: 60 }, /: initializer timeout$/],
    ['the agency', { agency: 'other' }, /: agency$/],
    ['the network', { vpc: { id: 'vpc-2', subnetId: 'subnet-2' } }, /: VPC, subnet$/],
    ['instances', { maxInstances: 2 }, /: instances$/],
    ['the description', { description: 'Other.' }, /: description$/],
    [
      'the log stream',
      { logs: { groupId: 'g', groupName: 'group', streamId: 's', streamName: 'stream' } },
      /: log stream$/,
    ],
  ];
  const plain = sampleFunction({ maxInstances: 1 });
  for (const [name, change, says] of settings) {
    test(`${name} takes exactly one call`, async (t) => {
      const cloud = await startCloud(t);
      await cloud.deploy(sampleDeployment(plain));
      const { plan, changes } = await cloud.deploy(sampleDeployment({ ...plain, ...change }));
      assert.match(plan.join('\n'), says);
      assert.deepEqual(changes, [`PUT /functions/${URN}:shop-dev-produce:latest/config`]);
      assert.deepEqual((await cloud.deploy(sampleDeployment({ ...plain, ...change }))).plan, []);
    });
  }

  test('no plan says a value', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(sampleDeployment(full));
    const changed = { ...full, encryptedEnvironment: { KAFKA_SASL_PASSWORD: 'another-secret' } };
    const { plan } = await cloud.deploy(sampleDeployment(changed));
    assert.doesNotMatch(plan.join('\n'), /secret/);
  });

  test('code that differs is uploaded, and nothing else', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(sampleDeployment(full));
    const artifacts = sampleArtifacts(['produce'], '2');
    const { changes } = await cloud.deploy(sampleDeployment(full), { artifacts });
    assert.deepEqual(changes, [`PUT /functions/${URN}:shop-dev-produce:latest/code`]);
  });

  test('is carried on where an interrupted one has stopped', async (t) => {
    const cloud = await startCloud(t);
    const deployment = sampleDeployment(full, sampleFunction({ key: 'consume', triggers: [timer] }));
    const options = { api: clientOf(cloud.standIn), deployment, artifacts: cloud.artifacts };
    const steps = await planDeployment(options);
    for (const { run } of steps.slice(0, 3)) await run();
    const { plan } = await cloud.deploy(deployment);
    assert.deepEqual(
      plan,
      steps.slice(3).map(({ sign, what }) => `${sign} ${what}`),
    );
    assert.deepEqual((await cloud.deploy(deployment)).plan, []);
  });

  test('whatever step an update is interrupted at, the next deployment ends it', async (t) => {
    const wanted = {
      ...full,
      memorySize: 512,
      encryptedEnvironment: { KAFKA_SASL_PASSWORD: 'new' },
      triggers: [{ ...timer, schedule: '5m' }, gateway, { ...kafka, password: 'new' }],
    };
    const reference = await startCloud(t);
    await reference.deploy(sampleDeployment(full));
    const { plan } = await reference.deploy(sampleDeployment(wanted));
    assert.equal(plan.length, 6);
    for (let stopAfter = 0; stopAfter < plan.length; stopAfter++) {
      const cloud = await startCloud(t);
      await cloud.deploy(sampleDeployment(full));
      const api = clientOf(cloud.standIn);
      const steps = await planDeployment({
        api,
        deployment: sampleDeployment(wanted),
        artifacts: cloud.artifacts,
      });
      for (const { run } of steps.slice(0, stopAfter)) await run();
      await cloud.deploy(sampleDeployment(wanted));
      assert.deepEqual((await cloud.deploy(sampleDeployment(wanted))).plan, [], `after ${stopAfter} steps`);
      const [stored] = cloud.standIn.functions.all;
      const passwords = stored?.triggers.all
        .map(({ event_data }) => event_data.kafka_password)
        .filter(Boolean);
      assert.deepEqual(passwords, ['new'], `after ${stopAfter} steps`);
    }
  });

  test('a function that leaves the file is removed with its triggers', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(sampleDeployment(full, sampleFunction({ key: 'consume', triggers: [timer] })));
    const { plan } = await cloud.deploy(sampleDeployment(full));
    assert.deepEqual(plan, ['- TIMER trigger of shop-dev-consume', '- function shop-dev-consume']);
    assert.deepEqual(
      cloud.standIn.functions.all.map(({ name }) => name),
      ['shop-dev-produce'],
    );
  });

  test('another stage and functions of others are left alone', async (t) => {
    const cloud = await startCloud(t);
    const production = { ...sampleDeployment(sampleFunction({ name: 'shop-prod-produce' })), stage: 'prod' };
    await cloud.deploy(production);
    await cloud.deploy(sampleDeployment(full));
    const steps = await planRemoval(clientOf(cloud.standIn), sampleDeployment(full));
    assert.doesNotMatch(steps.map(({ what }) => what).join('\n'), /prod-/);
  });

  test('a function of somebody else with the same name is refused, and taken over with force', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy({ ...sampleDeployment(full), stage: 'prod' });
    await assert.rejects(
      cloud.deploy(sampleDeployment(full)),
      /shop-dev-produce exists already and is not of shop\/dev/,
    );
    const { plan } = await cloud.deploy(sampleDeployment(full), { force: true });
    assert.ok(plan.some((line) => line.startsWith('~ configuration of shop-dev-produce')));
    assert.deepEqual((await cloud.deploy(sampleDeployment(full))).plan, []);
  });

  test('another runtime is refused, since the platform can’t change it', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(sampleDeployment(full));
    const http = sampleDeployment({ ...full, runtime: 'http' });
    await assert.rejects(cloud.deploy(http), /runs on Node.js20.15 and can't be changed to http/);
  });

  test('`deploy function` touches that function alone, and with --update-config not its code', async (t) => {
    const cloud = await startCloud(t);
    const other = sampleFunction({ key: 'consume' });
    await cloud.deploy(sampleDeployment(full, other));
    const changed = { ...full, timeout: 99 };
    const deployment = sampleDeployment(changed, { ...other, timeout: 99 });
    const artifacts = sampleArtifacts(['produce', 'consume'], '2');
    const options = { api: clientOf(cloud.standIn), deployment, artifacts };
    const both = (await planFunction(options, changed)).map(({ what }) => what);
    assert.deepEqual(both, ['configuration of shop-dev-produce: timeout', 'code of shop-dev-produce (1 kB)']);
    const config = await planFunction({ ...options, configOnly: true }, changed);
    assert.deepEqual(
      config.map(({ what }) => what),
      ['configuration of shop-dev-produce: timeout'],
    );
  });
});

describe('triggers', () => {
  const withTriggers = (...triggers: Trigger[]) => sampleDeployment({ ...full, triggers });

  test('a trigger that leaves the file is removed', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(withTriggers(timer, gateway));
    const { plan, changes } = await cloud.deploy(withTriggers(gateway));
    assert.deepEqual(plan, ['- TIMER trigger pull of shop-dev-produce']);
    assert.equal(changes.length, 1);
  });

  test('one is enabled and disabled by an update', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(withTriggers(timer, kafka));
    const { plan, changes } = await cloud.deploy(
      withTriggers({ ...timer, status: 'DISABLED' }, { ...kafka, status: 'ACTIVE' }),
    );
    assert.deepEqual(plan, [
      '~ disable timer pull (1m) of shop-dev-produce',
      '~ enable Kafka trigger on orders of shop-dev-produce',
    ]);
    assert.ok(changes.every((change) => change.startsWith('PUT /triggers/')));
  });

  const replaced: [name: string, before: Trigger, after: Trigger][] = [
    ['schedule', timer, { ...timer, schedule: '5m' }],
    ['user event', timer, { ...timer, userEvent: '{"maxRecords":5}' }],
    ['authentication', gateway, { ...gateway, auth: 'APP' }],
    ['path', gateway, { ...gateway, path: '/v1' }],
    ['time-out', gateway, { ...gateway, timeoutMs: 10_000 }],
    ['topics', kafka, { ...kafka, topics: ['orders', 'payments'] }],
    ['batch size', openSourceKafka, { ...openSourceKafka, batchSize: 1 }],
    ['password', kafka, { ...kafka, password: 'new' }],
  ];
  for (const [name, before, after] of replaced) {
    test(`another ${name} replaces the ${before.type} trigger, once`, async (t) => {
      const cloud = await startCloud(t);
      await cloud.deploy(withTriggers(before));
      const { plan } = await cloud.deploy(withTriggers(after));
      assert.match(plan[0] ?? '', /^- replaced/);
      assert.match(plan.at(-1) ?? '', /^\+ /);
      assert.deepEqual((await cloud.deploy(withTriggers(after))).plan, []);
    });
  }

  test('topics in another order are the same trigger', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(withTriggers({ ...kafka, topics: ['a', 'b'] }));
    assert.deepEqual((await cloud.deploy(withTriggers({ ...kafka, topics: ['b', 'a'] }))).plan, []);
  });

  test('a trigger of a kind that the file can’t describe is somebody else’s', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(withTriggers(timer));
    const [stored] = cloud.standIn.functions.all;
    const foreign = { trigger_id: 'x', trigger_type_code: 'OBS', trigger_status: 'ACTIVE', event_data: {} };
    stored?.triggers.add({ ...foreign, created_time: '', last_updated_time: '' });
    assert.deepEqual((await cloud.deploy(withTriggers(timer))).plan, []);
  });
});

test('a removal leaves nothing, and a second one has nothing to do', async (t) => {
  const cloud = await startCloud(t);
  await cloud.deploy(sampleDeployment(full, sampleFunction({ key: 'consume', triggers: [timer] })));
  const api = clientOf(cloud.standIn);
  // The second function has left the file since.
  const deployment = sampleDeployment(full);
  for (const { run } of await planRemoval(api, deployment)) await run();
  assert.deepEqual(cloud.standIn.functions.all, []);
  assert.deepEqual(await planRemoval(api, deployment), []);
});
