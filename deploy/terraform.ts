import { basename } from 'node:path';
import type { JsonObject } from './api/records.ts';
import type { Deployment, FunctionDescription, Trigger } from './description.ts';
import type { Artifacts } from './plan.ts';
import { eventData } from './trigger-data.ts';

/**
 * The same deployment as Terraform JSON, for the provider `opentelekomcloud/opentelekomcloud`. It lies beside
 * the zips. What has no value yet, and every secret, becomes a variable, called as `nameOf` says for its place
 * in the file: no secret is in it.
 */
export function terraformOf(
  deployment: Deployment,
  artifacts: Artifacts,
  nameOf: (path: string) => string | undefined = () => undefined,
): JsonObject {
  const inputs = new Inputs(nameOf);
  const functions: JsonObject = {};
  const triggers: JsonObject = {};
  for (const description of deployment.functions) {
    const label = identifier(description.key);
    functions[label] = functionResource(description, artifacts.get(description.key) ?? '', inputs);
    for (const [index, trigger] of description.triggers.entries()) {
      triggers[`${label}_${trigger.type.toLowerCase()}_${index}`] = triggerResource(
        label,
        trigger,
        description.encryptedEnvironment,
        inputs,
      );
    }
  }
  return {
    terraform: {
      required_providers: { opentelekomcloud: { source: 'opentelekomcloud/opentelekomcloud' } },
    },
    ...(inputs.all.length === 0 ? {} : { variable: Object.fromEntries(inputs.all) }),
    resource: {
      opentelekomcloud_fgs_function_v2: functions,
      ...(Object.keys(triggers).length === 0 ? {} : { opentelekomcloud_fgs_trigger_v2: triggers }),
    },
  };
}

/** The variables of the module, made when they are first named. */
class Inputs {
  readonly #variables = new Map<string, JsonObject>();
  readonly #nameOf: (path: string) => string | undefined;

  constructor(nameOf: (path: string) => string | undefined) {
    this.#nameOf = nameOf;
  }

  get all(): [string, JsonObject][] {
    return [...this.#variables].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  setting(path: string): string {
    return this.#variable(this.#nameOf(path)?.toLowerCase() ?? inputName(path), { description: path });
  }

  secret(name: string): string {
    return this.#variable(identifier(name).toLowerCase(), { sensitive: true });
  }

  #variable(name: string, settings: JsonObject): string {
    if (!this.#variables.has(name)) this.#variables.set(name, { type: 'string', ...settings });
    return `var.${name}`;
  }
}

function functionResource(description: FunctionDescription, zip: string, inputs: Inputs): JsonObject {
  const { vpc, logs, initializer } = description;
  const text = (value: string): string => literal(value, inputs);
  const optional = (name: string, value: string | number | undefined): JsonObject =>
    value === undefined || value === '' ? {} : { [name]: typeof value === 'string' ? text(value) : value };
  return {
    name: description.name,
    app: description.app,
    ...optional('description', description.description),
    functiongraph_version: 'v2',
    runtime: description.runtime,
    handler: description.handler,
    memory_size: description.memorySize,
    timeout: description.timeout,
    code_type: 'zip',
    code_filename: basename(zip),
    func_code: `\${filebase64("\${path.module}/${basename(zip)}")}`,
    ...optional('initializer_handler', initializer),
    ...optional('initializer_timeout', initializer ? description.initializerTimeout : undefined),
    ...optional('agency', description.agency),
    ...optional('vpc_id', vpc?.id),
    ...optional('network_id', vpc?.subnetId),
    ...optional('log_group_id', logs?.groupId),
    ...optional('log_group_name', logs?.groupName),
    ...optional('log_topic_id', logs?.streamId),
    ...optional('log_topic_name', logs?.streamName),
    ...optional('max_instance_num', description.maxInstances?.toString()),
    ...optional('concurrency_num', description.concurrency),
    user_data: encoded(description.environment, (_name, value) => expression(value, inputs)),
    ...(Object.keys(description.encryptedEnvironment).length === 0
      ? {}
      : { encrypted_user_data: encoded(description.encryptedEnvironment, (name) => inputs.secret(name)) }),
  };
}

function triggerResource(
  functionLabel: string,
  trigger: Trigger,
  secrets: Readonly<Record<string, string>>,
  inputs: Inputs,
): JsonObject {
  const data = eventData(trigger);
  // Most often the same secret as the function's own: then it is one variable.
  const password = Object.keys(secrets).find((name) => secrets[name] === data.kafka_password);
  return {
    function_urn: `\${opentelekomcloud_fgs_function_v2.${functionLabel}.urn}`,
    type: trigger.type,
    // Only these can be disabled; for the others the provider must not be told a status.
    ...(trigger.type === 'DEDICATEDGATEWAY' ? {} : { status: trigger.status }),
    event_data: encoded(data, (name, value) =>
      name === 'kafka_password' ? inputs.secret(password ?? name) : expression(value, inputs),
    ),
  };
}

/** `${jsonencode({…})}`, with each value as an expression of the language. */
function encoded(
  values: Readonly<Record<string, unknown>>,
  toExpression: (name: string, value: unknown) => string,
): string {
  const members = Object.entries(values).map(
    ([name, value]) => `${JSON.stringify(name)} = ${toExpression(name, value)}`,
  );
  return `\${jsonencode({${members.join(', ')}})}`;
}

function expression(value: unknown, inputs: Inputs): string {
  if (typeof value === 'string') {
    const missing = missingPath(value);
    return missing === undefined ? JSON.stringify(escaped(value)) : inputs.setting(missing);
  }
  if (Array.isArray(value)) return `[${value.map((item) => expression(item, inputs)).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([name, item]) => `${JSON.stringify(name)} = ${expression(item, inputs)}`,
    );
    return `{${members.join(', ')}}`;
  }
  return String(value);
}

function literal(value: string, inputs: Inputs): string {
  const missing = missingPath(value);
  return missing === undefined ? escaped(value) : `\${${inputs.setting(missing)}}`;
}

/** `provider.vpc.id` is `vpc_id`, and a variable's value is named like the variable. */
function inputName(path: string): string {
  const keys = path.replaceAll(/\[(\d+)\]/g, '.$1').split('.');
  const at = keys.lastIndexOf('environment');
  const rest =
    at >= 0
      ? keys.slice(at + 1)
      : keys.filter((key) => key !== 'provider' && key !== 'functions' && key !== 'events');
  return identifier(rest.join('_'))
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

function missingPath(value: string): string | undefined {
  return /^\$\{missing:(.+)\}$/.exec(value)?.[1];
}

/** Terraform would take `${` and `%{` for the beginning of a template. */
function escaped(value: string): string {
  return value.replaceAll(/[$%](?=\{)/g, (sign) => sign + sign);
}

function identifier(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_]/g, '_');
}
