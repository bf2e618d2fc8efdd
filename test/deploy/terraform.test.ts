// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Terraform's templates, not ours.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment } from '../../deploy/description.ts';
import { placeholder } from '../../deploy/read-description.ts';
import { terraformOf } from '../../deploy/terraform.ts';
import { gateway, kafka, openSourceKafka, sampleDeployment, sampleFunction, timer } from './samples.ts';
import { FUNCTION, faultsOf, TRIGGER } from './terraform-schema.ts';

interface Terraform {
  terraform: { required_version: string; required_providers: Record<string, { source: string }> };
  variable?: Record<string, { type: string; sensitive?: boolean; description?: string }>;
  resource: {
    opentelekomcloud_fgs_function_v2: Record<string, Record<string, string | number>>;
    opentelekomcloud_fgs_trigger_v2?: Record<string, Record<string, string>>;
    terraform_data?: Record<string, { input: string }>;
  };
}

const ZIPS = new Map([['produce', '/work/dist/produce.zip']]);

function write(deployment: Deployment): Terraform {
  return JSON.parse(JSON.stringify(terraformOf(deployment, ZIPS)));
}

/** What `${jsonencode({…})}` gives, with the value of each variable. */
function evaluate(expression: string | number | undefined, variables: Record<string, string> = {}): unknown {
  const [, object = ''] = /^\$\{jsonencode\((\{.*\})\)\}$/s.exec(String(expression)) ?? [];
  const json = object
    .replaceAll(/"(?:[^"\\]|\\.)*" = /g, (name) => name.replace(' = ', ':'))
    .replaceAll(/\bvar\.([a-z0-9_]+)/g, (_all, name: string) => JSON.stringify(variables[name]))
    .replaceAll('$${', '${')
    .replaceAll('%%{', '%{');
  return JSON.parse(json);
}

const full = sampleFunction({
  triggers: [timer, gateway, kafka, openSourceKafka],
  maxInstances: 1,
  concurrency: 10,
  logs: { groupId: 'g', groupName: 'group', streamId: 's', streamName: 'stream' },
});

test('every resource keeps to the provider’s arguments', () => {
  const { terraform, resource } = write(sampleDeployment(full));
  assert.deepEqual(terraform, {
    required_version: '>= 1.4',
    required_providers: {
      opentelekomcloud: { source: 'opentelekomcloud/opentelekomcloud', version: '>= 1.36.51' },
    },
  });
  const [[label, described] = []] = Object.entries(resource.opentelekomcloud_fgs_function_v2);
  assert.equal(label, 'produce');
  assert.deepEqual(faultsOf(described ?? {}, FUNCTION), []);
  const triggers = Object.values(resource.opentelekomcloud_fgs_trigger_v2 ?? {});
  assert.deepEqual(
    triggers.flatMap((trigger) => faultsOf(trigger, TRIGGER)),
    [],
  );
});

test('has every setting, variable and trigger of the description', () => {
  const { resource } = write(sampleDeployment(full));
  const described = resource.opentelekomcloud_fgs_function_v2.produce ?? {};
  const { user_data, encrypted_user_data, lifecycle, ...settings } = described;
  assert.deepEqual(lifecycle, {
    ignore_changes: ['encrypted_user_data'],
    replace_triggered_by: ['terraform_data.produce_secrets'],
  });
  assert.deepEqual(settings, {
    name: 'shop-dev-produce',
    app: 'default',
    description: 'Publishes.',
    functiongraph_version: 'v2',
    runtime: 'Node.js20.15',
    handler: 'index.handler',
    memory_size: 256,
    timeout: 30,
    code_type: 'zip',
    code_filename: 'produce.zip',
    func_code: '${filebase64("${path.module}/produce.zip")}',
    initializer_handler: 'index.initializer',
    initializer_timeout: 30,
    agency: 'vpc-agency',
    vpc_id: 'vpc-1',
    network_id: 'subnet-1',
    log_group_id: 'g',
    log_group_name: 'group',
    log_topic_id: 's',
    log_topic_name: 'stream',
    max_instance_num: '1',
  });
  assert.deepEqual(evaluate(user_data), full.environment);
  assert.deepEqual(evaluate(encrypted_user_data, { kafka_sasl_password: 'x' }), { KAFKA_SASL_PASSWORD: 'x' });

  const triggers = Object.values(resource.opentelekomcloud_fgs_trigger_v2 ?? {});
  assert.deepEqual(
    triggers.map(({ type, status }) => [type, status]),
    [
      ['TIMER', 'ACTIVE'],
      ['DEDICATEDGATEWAY', undefined],
      ['KAFKA', 'DISABLED'],
      ['OPENSOURCEKAFKA', 'DISABLED'],
    ],
  );
  assert.ok(
    triggers.every(({ function_urn: urn }) => urn === '${opentelekomcloud_fgs_function_v2.produce.urn}'),
  );
  assert.deepEqual(evaluate(triggers[0]?.event_data), {
    name: 'pull',
    schedule_type: 'Rate',
    schedule: '1m',
    user_event: '',
  });
  assert.deepEqual(evaluate(triggers[2]?.event_data, { produce_kafka_password: 'x' }), {
    instance_id: 'instance-1',
    topic_ids: ['orders'],
    batch_size: 100,
    kafka_user: 'app',
    kafka_password: 'x',
  });
});

test('no secret is in the file: each is a sensitive variable', () => {
  const deployment = sampleDeployment(full);
  assert.doesNotMatch(JSON.stringify(terraformOf(deployment, ZIPS)), /(sasl|kafka)-secret/);
  assert.deepEqual(write(deployment).variable, {
    kafka_sasl_password: { type: 'string', sensitive: true },
    produce_kafka_password: { type: 'string', sensitive: true },
  });
});

test('a trigger with the function’s own password shares its variable', () => {
  const shared = { ...full, triggers: [{ ...kafka, password: 'sasl-secret' }] };
  assert.deepEqual(Object.keys(write(sampleDeployment(shared)).variable ?? {}), ['kafka_sasl_password']);
  const unset = {
    ...full,
    encryptedEnvironment: {
      KAFKA_SASL_PASSWORD: placeholder('provider.encryptedEnvironment.KAFKA_SASL_PASSWORD'),
    },
    triggers: [{ ...kafka, password: placeholder('functions.produce.events[0].kafka.password') }],
  };
  const { variable } = terraformOf(sampleDeployment(unset), ZIPS, () => 'KAFKA_SASL_PASSWORD');
  assert.deepEqual(Object.keys(variable ?? {}), ['kafka_sasl_password']);
});

test('what has no value yet is a variable, named as the environment’s where it comes from there', () => {
  const unset = sampleFunction({
    vpc: { id: placeholder('provider.vpc.id'), subnetId: placeholder('provider.vpc.subnetId') },
    environment: { KAFKA_BOOTSTRAP_SERVERS: placeholder('provider.environment.KAFKA_BOOTSTRAP_SERVERS') },
    triggers: [{ ...gateway, groupId: placeholder('functions.produce.events[0].gateway.groupId') }],
    encryptedEnvironment: {},
  });
  const nameOf = (path: string) => (path.endsWith('groupId') ? 'GATEWAY_GROUP_ID' : undefined);
  const { variable, resource } = terraformOf(sampleDeployment(unset), ZIPS, nameOf) as unknown as Terraform;
  assert.deepEqual(Object.keys(variable ?? {}), [
    'gateway_group_id',
    'kafka_bootstrap_servers',
    'vpc_id',
    'vpc_subnet_id',
  ]);
  const described = resource.opentelekomcloud_fgs_function_v2.produce;
  assert.equal(described?.vpc_id, '${var.vpc_id}');
  assert.deepEqual(evaluate(described?.user_data, { kafka_bootstrap_servers: 'b:1' }), {
    KAFKA_BOOTSTRAP_SERVERS: 'b:1',
  });
  const [trigger] = Object.values(resource.opentelekomcloud_fgs_trigger_v2 ?? {});
  assert.match(trigger?.event_data ?? '', /"group_id" = var\.gateway_group_id/);
});

test('a value that looks like a template stays a value', () => {
  const environment = { A: '${b} %{c} "quoted" \\ {topic}' };
  const { resource } = write(sampleDeployment(sampleFunction({ environment })));
  const { user_data } = resource.opentelekomcloud_fgs_function_v2.produce ?? {};
  assert.doesNotMatch(String(user_data).slice(2), /(^|[^$])\$\{b/);
  assert.deepEqual(evaluate(user_data), environment);
});

test('what the platform does not show is ignored, and replaces its resource when it changes', () => {
  const { resource } = write(sampleDeployment(full));
  const lifecycles = Object.values(resource.opentelekomcloud_fgs_trigger_v2 ?? {}).map(
    (trigger) => trigger.lifecycle,
  );
  assert.deepEqual(lifecycles[0], {
    ignore_changes: ['event_data'],
    replace_triggered_by: ['terraform_data.produce_timer_0'],
  });
  assert.deepEqual(lifecycles[2], {
    ignore_changes: ['event_data', 'status'],
    replace_triggered_by: ['terraform_data.produce_kafka_2'],
  });
  const data = resource.terraform_data ?? {};
  assert.equal(data.produce_secrets?.input, '${substr(sha512(jsonencode([var.kafka_sasl_password])), 0, 6)}');
  assert.match(data.produce_kafka_2?.input ?? '', /"kafka_password" = substr\(sha512\(.*\), 0, 6\)/);
});

test('secrets of one name are one variable where they are the same, and two where they are not', () => {
  const consume = sampleFunction({
    key: 'consume',
    encryptedEnvironment: { KAFKA_SASL_PASSWORD: 'another' },
  });
  assert.deepEqual(Object.keys(write(sampleDeployment(sampleFunction(), consume)).variable ?? {}), [
    'consume_kafka_sasl_password',
    'produce_kafka_sasl_password',
  ]);
  const same = sampleFunction({ key: 'consume' });
  assert.deepEqual(Object.keys(write(sampleDeployment(sampleFunction(), same)).variable ?? {}), [
    'kafka_sasl_password',
  ]);
});

test('every key is a name, and two keys are two', () => {
  const keys = ['2nd', 'a-b', 'a_b'].map((key) => sampleFunction({ key, name: `shop-${key}` }));
  const { resource } = write(sampleDeployment(...keys));
  assert.deepEqual(Object.keys(resource.opentelekomcloud_fgs_function_v2), ['_2nd', 'a_b', 'a_b_2']);
});

test('has none of the escapes that Terraform does not know', () => {
  const environment = { A: '\b\f\\b\\f\t' };
  const { resource } = write(sampleDeployment(sampleFunction({ environment })));
  const { user_data } = resource.opentelekomcloud_fgs_function_v2.produce ?? {};
  assert.deepEqual(evaluate(user_data), environment);
  assert.equal(user_data, '${jsonencode({"A" = "\\u0008\\u000c\\\\b\\\\f\\t"})}');
});
