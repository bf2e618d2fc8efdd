/** Huawei Cloud's SDK for Python against the stand-in, beside deploy/: what it can do there, and what both see. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { before, describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { zipSync } from 'fflate';
import { planRemoval } from '../../deploy/plan.ts';
import { pythonTool, SET_UP_MS } from '../support/tools.ts';
import {
  type Cloud,
  clientOf,
  gateway,
  kafka,
  sampleDeployment,
  sampleFunction,
  startCloud,
  timer,
} from './samples.ts';

const PACKAGES = ['huaweicloudsdkcore==3.1.219', 'huaweicloudsdkfunctiongraph==3.1.219'];
const python = pythonTool(PACKAGES);
const script = fileURLToPath(new URL('sdk.py', import.meta.url));
const URN = 'urn:fss:eu-de:0123456789abcdef0123456789abcdef:function:default';
const base64 = (code: string) => Buffer.from(zipSync({ 'index.js': Buffer.from(code) })).toString('base64');

interface Answer {
  status: number;
  code?: string;
  body?: unknown;
}

interface Sdk {
  call(method: string, request: object, body?: object): Promise<Answer>;
}

/** One process for a test: each takes seconds to start. */
function startSdk(t: TestContext, { standIn }: Cloud): Sdk {
  const { url, accessKey, secretKey, projectId } = standIn;
  const child = spawn(python.path, [script], {
    env: { ...process.env, ENDPOINT: url, AK: accessKey, SK: secretKey, PROJECT: projectId },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  const ended = once(child, 'exit').then(() => ({ value: undefined, done: true }));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async call(method, request, body) {
      child.stdin.write(`${JSON.stringify({ method, request, ...(body ? { body } : {}) })}\n`);
      const { value, done } = await Promise.race([lines.next(), ended]);
      assert.ok(!done && value !== undefined, `${method}: the SDK has ended`);
      return JSON.parse(value);
    },
  };
}

describe('Huawei Cloud’s SDK', { concurrency: 2 }, () => {
  let reason: string | undefined;
  before(
    async () => {
      reason = await python.missing();
    },
    { timeout: SET_UP_MS },
  );

  test('sees what was deployed, and what it changes is seen', async (t) => {
    if (reason) return t.skip(reason);
    const cloud = await startCloud(t);
    const described = sampleFunction({ triggers: [timer, gateway, { ...kafka, status: 'ACTIVE' }] });
    await cloud.deploy(sampleDeployment(described));
    const sdk = startSdk(t, cloud);
    const function_urn = `${URN}:shop-dev-produce:latest`;

    const { body: config } = (await sdk.call('show_function_config', { function_urn })) as {
      body: Record<string, unknown>;
    };
    assert.deepEqual(
      [config.code_type, config.code_filename, config.encrypted_user_data, config.initializer_timeout],
      ['zip', 'index.zip', '{"KAFKA_SASL_PASSWORD":""}', 30],
    );
    const { body: triggers } = (await sdk.call('list_function_triggers', { function_urn })) as {
      body: { trigger_id: string; trigger_type_code: string; trigger_status: string; event_data: object }[];
    };
    assert.deepEqual(
      triggers.map(({ trigger_type_code, trigger_status }) => [trigger_type_code, trigger_status]),
      [
        ['TIMER', 'ACTIVE'],
        ['DEDICATEDGATEWAY', 'ACTIVE'],
        ['KAFKA', 'ACTIVE'],
      ],
    );
    const [, { trigger_id = '', event_data = {} } = {}] = triggers;
    assert.ok(!('instance_id' in event_data));
    const one = { function_urn, trigger_type_code: 'DEDICATEDGATEWAY', trigger_id };
    assert.equal(
      ((await sdk.call('show_function_trigger', one)).body as { trigger_id: string }).trigger_id,
      trigger_id,
    );

    const body = {
      func_name: 'shop-dev-produce',
      runtime: 'Node.js20.15',
      handler: 'index.handler',
      timeout: 30,
    };
    const changed = await sdk.call(
      'update_function_config',
      { function_urn },
      { ...body, memory_size: 512, xrole: 'a', description: config.description },
    );
    assert.equal(changed.status, 200);
    const { plan } = await cloud.deploy(sampleDeployment(described));
    assert.match(plan.join(), /initializer, memory size, .*encrypted variables or passwords/);
    assert.deepEqual((await cloud.deploy(sampleDeployment(described))).plan, []);
  });

  test('meets the same platform: disabled triggers, slow deletions, the same code, functions that are gone', async (t) => {
    if (reason) return t.skip(reason);
    const cloud = await startCloud(t);
    const sdk = startSdk(t, cloud);
    const function_urn = `${URN}:by-hand:latest`;
    const config = {
      func_name: 'by-hand',
      runtime: 'Node.js20.15',
      handler: 'index.handler',
      timeout: 30,
      memory_size: 128,
    };
    const code = {
      code_type: 'zip',
      code_filename: 'index.zip',
      func_code: { file: base64('exports.handler = 1') },
    };
    const creation = { ...config, ...code, package: 'default', type: 'v2' };
    assert.deepEqual(await sdk.call('create_function', {}, { ...creation, xrole: '' }), {
      status: 400,
      code: 'FSS.0400',
    });
    assert.equal((await sdk.call('create_function', {}, creation)).status, 200);
    assert.deepEqual(await sdk.call('update_function_code', { function_urn }, code), {
      status: 409,
      code: 'FSS.0409',
    });
    const func_vpc = { vpc_id: 'vpc-1', subnet_id: 'subnet-1' };
    const inVpc = { ...config, xrole: 'agency', func_vpc, enable_lts_log: false, gpu_memory: 0 };
    assert.equal((await sdk.call('update_function_config', { function_urn }, inVpc)).status, 200);

    const event_data = { instance_id: 'instance-1', topic_ids: ['orders'], batch_size: 10 };
    const trigger = { trigger_type_code: 'KAFKA', trigger_status: 'ACTIVE', event_data };
    const { status, body } = await sdk.call('create_function_trigger', { function_urn }, trigger);
    const { trigger_id, trigger_status } = body as { trigger_id: string; trigger_status: string };
    assert.deepEqual([status, trigger_status], [201, 'DISABLED']);
    const one = { function_urn, trigger_type_code: 'KAFKA', trigger_id };
    await sdk.call('update_trigger', one, { trigger_status: 'ACTIVE' });
    const statuses: string[] = [];
    for (let look = 0; look < 3; look++)
      statuses.push(
        ((await sdk.call('show_function_trigger', one)).body as { trigger_status: string }).trigger_status,
      );
    assert.deepEqual(statuses, ['DISABLED', 'DISABLED', 'ACTIVE']);
    assert.equal((await sdk.call('delete_function_trigger', one)).status, 204);
    assert.deepEqual(await sdk.call('create_function_trigger', { function_urn }, trigger), {
      status: 409,
      code: 'FSS.1148',
    });

    // It is nobody's of this deployment.
    const ours = sampleDeployment(sampleFunction());
    await cloud.deploy(ours);
    for (const { run } of await planRemoval(clientOf(cloud.standIn), ours)) await run();
    assert.deepEqual(
      cloud.standIn.functions.all.map(({ name }) => name),
      ['by-hand'],
    );

    const topic = { destination: 'SMN', param: '{"topic_urn":"urn:smn:x"}' };
    const onFailure = { max_async_retry_attempts: 0, destination_config: { on_failure: topic } };
    assert.equal(
      (await sdk.call('update_function_async_invoke_config', { function_urn }, onFailure)).status,
      200,
    );
    assert.equal((await sdk.call('delete_function', { function_urn })).status, 204);
    assert.deepEqual(await sdk.call('delete_function_trigger', one), { status: 401, code: 'FSS.0401' });
    assert.deepEqual(await sdk.call('show_function_trigger', one), { status: 500, code: 'FSS.0500' });
    assert.deepEqual(await sdk.call('show_function_config', { function_urn }), {
      status: 404,
      code: 'FSS.1051',
    });
  });
});
