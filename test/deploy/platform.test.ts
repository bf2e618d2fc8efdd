/** What the platform does by itself, and a deployment has to live with. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Gateways } from '../../deploy/api/gateways.ts';
import type { FunctionDescription, Trigger } from '../../deploy/description.ts';
import { planDeployment, planRemoval } from '../../deploy/plan.ts';
import { clientOf, gateway, kafka, sampleDeployment, sampleFunction, startCloud, timer } from './samples.ts';

const URN = 'urn:fss:eu-de:0123456789abcdef0123456789abcdef:function:default:shop-dev-produce';
const plain = sampleFunction({ maxInstances: 1 });
const logs = { groupId: 'g', groupName: 'group', streamId: 's', streamName: 'stream' };

describe('a creation', () => {
  test('is followed by an update, which sets what a creation may lose', async (t) => {
    const cloud = await startCloud(t);
    const { changes } = await cloud.deploy(sampleDeployment(plain));
    assert.deepEqual(changes, ['POST /functions', `PUT /functions/${URN}:latest/config`]);
    const [stored] = cloud.standIn.functions.all;
    const { func_vpc, initializer_handler, encrypted_user_data } = stored?.config ?? {};
    assert.deepEqual(func_vpc, { vpc_id: 'vpc-1', subnet_id: 'subnet-1' });
    assert.equal(initializer_handler, 'index.initializer');
    assert.deepEqual(JSON.parse(String(encrypted_user_data)), { KAFKA_SASL_PASSWORD: 'sasl-secret' });
  });

  test('has no empty settings, and neither has the update', async (t) => {
    const cloud = await startCloud(t);
    const bare = sampleFunction({ agency: undefined, vpc: undefined, initializer: undefined });
    await cloud.deploy(sampleDeployment({ ...bare, encryptedEnvironment: {} }));
    const bodies = cloud.standIn.requests.flatMap(({ body }) => (body ? [body as object] : []));
    assert.equal(bodies.length, 2);
    for (const body of bodies)
      assert.ok(!Object.values(body).some((value) => value === '' || value === null));
    assert.deepEqual((await cloud.deploy(sampleDeployment({ ...bare, encryptedEnvironment: {} }))).plan, []);
  });

  test('of a function with a log stream switches its log on', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(sampleDeployment({ ...plain, logs }));
    const api = clientOf(cloud.standIn);
    assert.deepEqual(await api.logStream(URN), { groupId: 'g', streamId: 'shop-dev-produce' });
    // Switched off in the console, it is switched on again.
    const [stored] = cloud.standIn.functions.all;
    if (stored) stored.config.enable_lts_log = false;
    const { plan } = await cloud.deploy(sampleDeployment({ ...plain, logs }));
    assert.deepEqual(plan, ['~ configuration of shop-dev-produce: logs']);
  });
});

describe('an update', () => {
  test('repeats the settings that no file describes, and would else lose', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(sampleDeployment({ ...plain, logs }));
    const others = {
      app_xrole: 'execution-agency',
      domain_names: '{"id":"zone"}',
      mount_config: {
        mount_user: { user_id: '1003', user_group_id: '1003' },
        func_mounts: [{ mount_type: 'sfs', mount_resource: 'r', local_mount_path: '/mnt' }],
      },
      network_controller: { disable_public_network: true, trigger_access_vpcs: [] },
      peering_cidr: '10.1.0.0/24',
      ephemeral_storage: 10_240,
      enable_dynamic_memory: true,
      lts_custom_tag: { team: 'a' },
      pre_stop_handler: 'index.stop',
      pre_stop_timeout: 10,
    };
    const [stored] = cloud.standIn.functions.all;
    if (stored) Object.assign(stored.config, others);
    await cloud.deploy(sampleDeployment({ ...plain, logs, timeout: 99 }));
    const config = cloud.standIn.functions.all[0]?.config ?? {};
    assert.equal(config.timeout, 99);
    assert.deepEqual(Object.fromEntries(Object.keys(others).map((name) => [name, config[name]])), others);
    assert.equal(config.enable_lts_log, true);
  });

  test('repeats nothing that is only there by default', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(sampleDeployment(plain));
    const [stored] = cloud.standIn.functions.all;
    const nobody = { user_id: -1, user_group_id: -1 };
    if (stored) stored.config.mount_config = { mount_user: nobody, func_mounts: [] };
    await cloud.deploy(sampleDeployment({ ...plain, timeout: 99 }));
    const update = cloud.standIn.requests.find(({ method }) => method === 'PUT')?.body as object;
    const repeated = ['mount_config', 'ephemeral_storage', 'network_controller', 'enable_dynamic_memory'];
    assert.deepEqual(
      Object.keys(update).filter((name) => repeated.includes(name)),
      [],
    );
  });

  test('without a VPC takes the function out of its VPC', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(sampleDeployment(plain));
    const out = { ...plain, vpc: undefined, agency: undefined };
    assert.deepEqual((await cloud.deploy(sampleDeployment(out))).plan, [
      '~ configuration of shop-dev-produce: agency, VPC, subnet',
    ]);
    assert.deepEqual((await cloud.deploy(sampleDeployment(out))).plan, []);
  });

  test('sets an encrypted variable that was taken away elsewhere', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(sampleDeployment(plain));
    const [stored] = cloud.standIn.functions.all;
    if (stored) stored.config.encrypted_user_data = '{}';
    const { plan } = await cloud.deploy(sampleDeployment(plain));
    assert.deepEqual(plan, ['~ configuration of shop-dev-produce: encrypted variables or passwords']);
    assert.match(String(cloud.standIn.functions.all[0]?.config.encrypted_user_data), /sasl-secret/);
  });

  test('keeps instances, also where the file says how many calls an instance takes', async (t) => {
    const cloud = await startCloud(t, { region: 'ap-southeast-3' });
    const server = { runtime: 'http', handler: 'bootstrap', initializer: undefined, maxInstances: undefined };
    const http = sampleFunction(server);
    const deployment = (changes: Partial<FunctionDescription>) => ({
      ...sampleDeployment({ ...http, ...changes }),
      region: 'ap-southeast-3',
    });
    await cloud.deploy(deployment({}));
    await cloud.deploy(deployment({ concurrency: 100 }));
    assert.deepEqual(cloud.standIn.functions.all[0]?.config.strategy_config, {
      concurrency: 400,
      concurrent_num: 100,
    });
  });

  test('with the code that is there already is fine', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(sampleDeployment(plain));
    const { plan } = await cloud.deploy(sampleDeployment(plain), { force: true });
    assert.deepEqual(plan, [
      '~ configuration of shop-dev-produce: forced',
      '~ code of shop-dev-produce (1 kB)',
    ]);
    assert.deepEqual((await cloud.deploy(sampleDeployment(plain))).plan, []);
  });
});

describe('triggers', () => {
  const withTriggers = (...triggers: Trigger[]) => sampleDeployment({ ...plain, triggers });
  const active: Trigger = { ...kafka, status: 'ACTIVE' };

  test('of Kafka come disabled, and a deployment ends when they are on', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(withTriggers(active));
    const [stored] = cloud.standIn.functions.all;
    assert.deepEqual(
      stored?.triggers.all.map(({ trigger_status, coming }) => [trigger_status, coming]),
      [['ACTIVE', undefined]],
    );
    assert.deepEqual((await cloud.deploy(withTriggers(active))).plan, []);
  });

  test('of a gateway are the same although the platform does not show all of them', async (t) => {
    const cloud = await startCloud(t);
    const full: Trigger = { ...gateway, domain: 'api.example.com' };
    await cloud.deploy(withTriggers(full));
    assert.deepEqual((await cloud.deploy(withTriggers(full))).plan, []);
    assert.deepEqual((await cloud.deploy(withTriggers({ ...full, groupId: 'group-2' }))).plan.length, 2);
  });

  test('are gone before another takes their place', async (t) => {
    const cloud = await startCloud(t, { looks: 5 });
    await cloud.deploy(withTriggers(active, timer));
    await cloud.deploy(
      withTriggers({ ...kafka, topics: ['orders', 'payments'] }, { ...timer, schedule: '5m' }),
    );
    const [stored] = cloud.standIn.functions.all;
    assert.equal(stored?.triggers.all.length, 2);
  });

  test('of a function that somebody else removed meanwhile are gone as well', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(withTriggers(timer));
    const steps = await planRemoval(clientOf(cloud.standIn), withTriggers(timer));
    await cloud.standIn.functions.remove(`${URN}:latest`);
    for (const { run } of steps) await run();
    assert.deepEqual(cloud.standIn.functions.all, []);
  });

  test('whose status never comes end the deployment with a sentence', async (t) => {
    const cloud = await startCloud(t, { looks: Number.POSITIVE_INFINITY });
    await assert.rejects(
      cloud.deploy(withTriggers(active)),
      /The KAFKA trigger of .*shop-dev-produce should be ACTIVE by now; look at it in the console/,
    );
  });

  test('of Kafka in another subnet than the instance are refused with what works there', async (t) => {
    const cloud = await startCloud(t);
    const details = { vpc_id: 'vpc-1', subnet_id: 'subnet-2' };
    cloud.standIn.instances.set('instance-1', { details, topics: [], users: [] });
    await assert.rejects(cloud.deploy(withTriggers(active)), /FSS\.1114: .*use the timer's pull/);
  });

  test('of Kafka leave a network card behind, and the removal says so', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(withTriggers(kafka));
    const steps = await planRemoval(clientOf(cloud.standIn), withTriggers(kafka));
    assert.match(steps.map(({ note }) => note ?? '').join(), /network card .* for about an hour/);
  });
});

describe('asynchronous calls that fail', () => {
  const topic = 'urn:smn:eu-de:0123456789abcdef0123456789abcdef:alarms';
  const told = { ...plain, onFailure: topic };

  test('are told to whom the file says, and repeated as often', async (t) => {
    const cloud = await startCloud(t);
    const { plan } = await cloud.deploy(sampleDeployment(told));
    assert.equal(plan[1], `~ calls of shop-dev-produce that fail: told to ${topic}, 0 retries`);
    assert.deepEqual(cloud.standIn.functions.all[0]?.asyncConfig, {
      max_async_retry_attempts: 0,
      max_async_event_age_in_seconds: 3_600,
      destination_config: { on_failure: { destination: 'SMN', param: `{"topic_urn":"${topic}"}` } },
    });
    assert.deepEqual((await cloud.deploy(sampleDeployment(told))).plan, []);
    assert.equal((await cloud.deploy(sampleDeployment({ ...told, retries: 2 }))).plan.length, 1);
    // Without a word in the file it stays.
    assert.deepEqual((await cloud.deploy(sampleDeployment(plain))).plan, []);
  });

  test('keep what else is set for them', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(sampleDeployment(plain));
    const [stored] = cloud.standIn.functions.all;
    const on_success = { destination: 'SMN', param: '{"topic_urn":"urn:smn:eu-de:x:fine"}' };
    const present = { max_async_event_age_in_seconds: 60, max_async_retry_attempts: 1 };
    if (stored) stored.asyncConfig = { ...present, destination_config: { on_success } };
    await cloud.deploy(sampleDeployment({ ...told, onFailure: 'obs://bucket/failed' }));
    const config = stored?.asyncConfig as { destination_config: Record<string, unknown> };
    assert.deepEqual(config.destination_config, {
      on_failure: { destination: 'OBS', param: '{"bucket":"bucket","prefix":"failed","expires":0}' },
      on_success,
    });
    assert.equal(stored?.asyncConfig?.max_async_event_age_in_seconds, 60);
  });
});

test('a gateway’s domain is asked for where the file does not say it, and sent', async (t) => {
  const cloud = await startCloud(t);
  const { standIn, artifacts } = cloud;
  const { region, projectId, url: endpoint, accessKey, secretKey } = standIn;
  const credentials = { accessKey, secretKey };
  const gateways = new Gateways({ region, projectId, endpoint, credentials, retryDelayMs: 1 });
  const deployment = sampleDeployment({ ...plain, triggers: [gateway] });
  for (const { run } of await planDeployment({ api: clientOf(standIn), deployment, artifacts, gateways }))
    await run();
  const domain = () => standIn.functions.all[0]?.triggers.all[0]?.event_data.sl_domain;
  assert.equal(domain(), 'group-1.apic.example.com');
  // Nobody has to be allowed to ask.
  standIn.faults.push({ method: 'GET', path: /apigw/, how: 403 });
  assert.equal(await gateways.domainOf('gateway-1', 'group-1'), undefined);
});
