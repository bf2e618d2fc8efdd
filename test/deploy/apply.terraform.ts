// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Terraform's templates, not ours.
/**
 * What Terraform and Open Telekom Cloud's own provider make of `functions.tf.json`, against the stand-in. The
 * provider is no download here: TERRAFORM_PROVIDER names a directory with `terraform-provider-opentelekomcloud`.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { Deployment } from '../../deploy/description.ts';
import { terraformOf } from '../../deploy/terraform.ts';
import { type Ended, run } from '../support/processes.ts';
import {
  gateway,
  kafka,
  sampleArtifacts,
  sampleDeployment,
  sampleFunction,
  startStandIn,
  timer,
} from './samples.ts';
import type { StandIn } from './stand-in/server.ts';

const provider = process.env.TERRAFORM_PROVIDER;
const tool = ['terraform', 'tofu'].find((name) => spawnSync(name, ['version']).status === 0);
const missing = !tool
  ? 'there is no terraform and no tofu on the PATH'
  : !provider && 'TERRAFORM_PROVIDER names no directory with terraform-provider-opentelekomcloud';

interface Module {
  write(deployment: Deployment): void;
  run(secrets: Record<string, string>, ...args: string[]): Promise<Ended>;
}

function newModule(standIn: StandIn, keys: string[]): Module {
  const artifacts = sampleArtifacts(keys);
  const [zip = ''] = artifacts.values();
  const directory = dirname(zip);
  const settings = `provider_installation {
    dev_overrides { "opentelekomcloud/opentelekomcloud" = ${JSON.stringify(provider)} }
    direct {}
  }`;
  writeFileSync(join(directory, 'terraformrc'), settings);
  return {
    write: (deployment) =>
      writeFileSync(
        join(directory, 'functions.tf.json'),
        JSON.stringify(terraformOf(deployment, artifacts), undefined, 2),
      ),
    run(secrets, ...args) {
      const { PATH } = process.env;
      const { accessKey, secretKey, url, region } = standIn;
      const variables = Object.entries(secrets).map(([name, value]) => [`TF_VAR_${name}`, value]);
      return run(tool ?? '', args, {
        cwd: directory,
        env: {
          PATH,
          HOME: directory,
          TF_CLI_CONFIG_FILE: join(directory, 'terraformrc'),
          OS_ACCESS_KEY: accessKey,
          OS_SECRET_KEY: secretKey,
          OS_AUTH_URL: `${url}/v3`,
          OS_PROJECT_NAME: region,
          OS_REGION_NAME: region,
          ...Object.fromEntries(variables),
        },
      });
    },
  };
}

const first = sampleFunction({
  triggers: [timer, { ...gateway, domain: 'api.example.com' }, { ...kafka, status: 'ACTIVE' }],
  description: 'Tabs\t, \b, \f and ${templates}.',
  environment: { KAFKA_BOOTSTRAP_SERVERS: '10.0.0.5:9093', ODD: '\b\f\\b %{if} ${x} "q"' },
});
const second = sampleFunction({
  key: '2nd',
  name: 'shop-dev-second',
  triggers: [timer],
  encryptedEnvironment: { KAFKA_SASL_PASSWORD: 'another' },
});
const SECRETS = {
  produce_kafka_sasl_password: 'first-secret',
  produce_kafka_password: 'trigger-secret',
  _2nd_kafka_sasl_password: 'second-secret',
};

test('apply, an empty plan, a change, an empty plan, another secret, and destroy', {
  skip: missing,
}, async (t) => {
  const standIn = await startStandIn(t);
  const module = newModule(standIn, ['produce', '2nd']);
  const planOf = async (secrets: Record<string, string>) => {
    const { code, output } = await module.run(secrets, 'plan', '-detailed-exitcode', '-no-color');
    assert.notEqual(code, 1, output);
    return code === 0 ? 'empty' : output;
  };
  const apply = async (secrets: Record<string, string>) => {
    standIn.forget();
    const { code, output } = await module.run(secrets, 'apply', '-auto-approve', '-no-color');
    assert.equal(code, 0, output);
  };
  const secretOf = (name: string) =>
    String(standIn.functions.all.find((stored) => stored.name === name)?.config.encrypted_user_data);

  module.write(sampleDeployment(first, second));
  await apply(SECRETS);
  assert.equal(await planOf(SECRETS), 'empty');
  assert.match(secretOf('shop-dev-produce'), /first-secret/);
  assert.match(secretOf('shop-dev-second'), /second-secret/);
  const [stored] = standIn.functions.all.filter(({ name }) => name === 'shop-dev-produce');
  assert.deepEqual(JSON.parse(String(stored?.config.user_data)), first.environment);
  assert.equal(stored?.config.description, first.description);

  module.write(
    sampleDeployment({ ...first, memorySize: 512, triggers: [{ ...timer, schedule: '5m' }] }, second),
  );
  await apply(SECRETS);
  assert.equal(await planOf(SECRETS), 'empty');
  assert.equal(stored?.config.memory_size, 512);
  assert.deepEqual(
    stored?.triggers.all.map(({ event_data }) => event_data.schedule),
    ['5m'],
  );

  const changed = { ...SECRETS, _2nd_kafka_sasl_password: 'new-secret' };
  await apply(changed);
  assert.equal(await planOf(changed), 'empty');
  assert.match(secretOf('shop-dev-second'), /new-secret/);
  assert.ok(!standIn.changes.some((change) => change.includes('shop-dev-produce')));

  const { code, output } = await module.run(changed, 'destroy', '-auto-approve', '-no-color');
  assert.equal(code, 0, output);
  assert.deepEqual(standIn.functions.all, []);
});
