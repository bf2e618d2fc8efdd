import { basename } from 'node:path';
import type { JsonObject } from './api/records.ts';
import type { Deployment, FunctionDescription, Trigger } from './description.ts';
import type { Artifacts } from './plan.ts';
import { eventData } from './trigger-data.ts';

const ESCAPES: Readonly<Record<string, string>> = { b: '\\u0008', f: '\\u000c' };
/** It has no `concurrency_num` (since 1.36.45), and no longer sets a function's instances to 0 (after 1.36.50). */
const PROVIDER_VERSION = '>= 1.36.51';
/** The first that has `terraform_data`. */
const TERRAFORM_VERSION = '>= 1.4';
/** Hexadecimal digits of a secret's hash: enough to see a change, too few to find the secret. */
const SECRET_DIGITS = 6;

/**
 * The deployment as Terraform JSON, for the provider `opentelekomcloud/opentelekomcloud`. The file lies beside the zips
 * and holds no secret: every secret, and every setting without a value, becomes a variable. `nameOf` gives the name of
 * a variable for its place in `serverless.yml`.
 *
 * The platform shows neither secrets nor all of a trigger, and the provider takes that for a difference. So these
 * arguments are ignored, and a `terraform_data` holds what they are made of; its change replaces the resource.
 */
export function terraformOf(
  deployment: Deployment,
  artifacts: Artifacts,
  nameOf: (path: string) => string | undefined = () => undefined,
): JsonObject {
  const inputs = new Inputs(nameOf, sharedSecrets(deployment));
  const functions: JsonObject = {};
  const triggers: JsonObject = {};
  const data: JsonObject = {};
  for (const description of deployment.functions) {
    const label = uniqueLabel(description.key, functions);
    const secrets = secretsOf(label, description, inputs);
    if (secrets.length > 0) data[`${label}_secrets`] = { input: hashOf(secrets) };
    functions[label] = functionResource(label, description, artifacts.get(description.key) ?? '', inputs);
    for (const [index, trigger] of description.triggers.entries()) {
      const name = `${label}_${trigger.type.toLowerCase()}_${index}`;
      const password = passwordOf(label, trigger, description, inputs);
      data[name] = { input: triggerInput(trigger, password, inputs) };
      triggers[name] = triggerResource(label, name, trigger, password, inputs);
    }
  }
  return {
    terraform: {
      required_version: TERRAFORM_VERSION,
      required_providers: {
        opentelekomcloud: { source: 'opentelekomcloud/opentelekomcloud', version: PROVIDER_VERSION },
      },
    },
    ...(inputs.all.length === 0 ? {} : { variable: Object.fromEntries(inputs.all) }),
    resource: {
      opentelekomcloud_fgs_function_v2: functions,
      ...(Object.keys(triggers).length === 0 ? {} : { opentelekomcloud_fgs_trigger_v2: triggers }),
      ...(Object.keys(data).length === 0 ? {} : { terraform_data: data }),
    },
  };
}

/** The variables of the module, created when they are first named. */
class Inputs {
  readonly #variables = new Map<string, JsonObject>();
  readonly #nameOf: (path: string) => string | undefined;
  readonly #shared: ReadonlySet<string>;

  constructor(nameOf: (path: string) => string | undefined, shared: ReadonlySet<string>) {
    this.#nameOf = nameOf;
    this.#shared = shared;
  }

  get all(): [string, JsonObject][] {
    return [...this.#variables].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  setting(path: string): string {
    const name = this.#nameOf(path)?.toLowerCase() ?? inputName(path);
    return this.#variable(identifier(name), { description: path });
  }

  /** The value, or the name of the variable that it will come from. */
  origin(value: string): string {
    const missing = missingPath(value);
    return (missing === undefined ? undefined : this.#nameOf(missing)) ?? value;
  }

  /** One variable if all functions have the same secret by this name, else one for each function. */
  secret(label: string, name: string): string {
    const own = this.#shared.has(name) ? name : `${label}_${name}`;
    return this.#variable(identifier(own).toLowerCase(), { sensitive: true });
  }

  #variable(name: string, settings: JsonObject): string {
    const known = this.#variables.get(name);
    // A variable that is secret in one place is secret in all.
    if (!known || settings.sensitive) this.#variables.set(name, { type: 'string', ...known, ...settings });
    return `var.${name}`;
  }
}

/** Names of secrets with the same value in every function that has them. */
function sharedSecrets({ functions }: Deployment): ReadonlySet<string> {
  const values = new Map<string, Set<string>>();
  for (const { encryptedEnvironment } of functions) {
    for (const [name, value] of Object.entries(encryptedEnvironment))
      values.set(name, (values.get(name) ?? new Set()).add(value));
  }
  return new Set([...values].filter(([, { size }]) => size === 1).map(([name]) => name));
}

function secretsOf(label: string, { encryptedEnvironment }: FunctionDescription, inputs: Inputs): string[] {
  return Object.keys(encryptedEnvironment).map((name) => inputs.secret(label, name));
}

/** The expression of a trigger's password. It is mostly a secret of the function as well, and then the same variable. */
function passwordOf(
  label: string,
  trigger: Trigger,
  { encryptedEnvironment }: FunctionDescription,
  inputs: Inputs,
): string | undefined {
  if (trigger.type !== 'KAFKA' || trigger.password === undefined) return undefined;
  const wanted = inputs.origin(trigger.password);
  const same = Object.keys(encryptedEnvironment).find(
    (name) => inputs.origin(encryptedEnvironment[name] ?? '') === wanted,
  );
  return inputs.secret(label, same ?? 'kafka_password');
}

function hashOf(expressions: readonly string[]): string {
  return `\${substr(sha512(jsonencode([${expressions.join(', ')}])), 0, ${SECRET_DIGITS})}`;
}

function functionResource(
  label: string,
  description: FunctionDescription,
  zip: string,
  inputs: Inputs,
): JsonObject {
  const { vpc, logs, initializer, encryptedEnvironment } = description;
  const text = (value: string): string => literal(value, inputs);
  const optional = (name: string, value: string | number | undefined): JsonObject =>
    value === undefined || value === '' ? {} : { [name]: typeof value === 'string' ? text(value) : value };
  const hasSecrets = Object.keys(encryptedEnvironment).length > 0;
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
    user_data: encoded(description.environment, (_name, value) => expression(value, inputs)),
    ...(hasSecrets
      ? { encrypted_user_data: encoded(encryptedEnvironment, (name) => inputs.secret(label, name)) }
      : {}),
    lifecycle: {
      ignore_changes: ['encrypted_user_data'],
      ...(hasSecrets ? { replace_triggered_by: [`terraform_data.${label}_secrets`] } : {}),
    },
  };
}

function triggerResource(
  functionLabel: string,
  name: string,
  trigger: Trigger,
  password: string | undefined,
  inputs: Inputs,
): JsonObject {
  const isKafka = trigger.type.endsWith('KAFKA');
  return {
    function_urn: `\${opentelekomcloud_fgs_function_v2.${functionLabel}.urn}`,
    type: trigger.type,
    // Gateway triggers can't be disabled, and the provider must not be given their status.
    ...(trigger.type === 'DEDICATEDGATEWAY' ? {} : { status: trigger.status }),
    event_data: eventExpression(trigger, password, inputs),
    lifecycle: {
      // Kafka triggers are created disabled whatever is asked for, and then stay as set in the console.
      ignore_changes: ['event_data', ...(isKafka ? ['status'] : [])],
      replace_triggered_by: [`terraform_data.${name}`],
    },
  };
}

function eventExpression(trigger: Trigger, password: string | undefined, inputs: Inputs): string {
  return encoded(eventData(trigger), (name, value) =>
    name === 'kafka_password' ? (password ?? 'null') : expression(value, inputs),
  );
}

/** The trigger's data, with a few digits of a hash for its password. */
function triggerInput(trigger: Trigger, password: string | undefined, inputs: Inputs): string {
  const hash = password === undefined ? 'null' : hashOf([password]).slice(2, -1);
  return encoded(eventData(trigger), (name, value) =>
    name === 'kafka_password' ? hash : expression(value, inputs),
  );
}

/** `${jsonencode({…})}`, with each value as an expression of the language. */
function encoded(
  values: Readonly<Record<string, unknown>>,
  toExpression: (name: string, value: unknown) => string,
): string {
  const members = Object.entries(values).map(
    ([name, value]) => `${quoted(name)} = ${toExpression(name, value)}`,
  );
  return `\${jsonencode({${members.join(', ')}})}`;
}

function expression(value: unknown, inputs: Inputs): string {
  if (typeof value === 'string') {
    const missing = missingPath(value);
    return missing === undefined ? quoted(escaped(value)) : inputs.setting(missing);
  }
  if (Array.isArray(value)) return `[${value.map((item) => expression(item, inputs)).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([name, item]) => `${quoted(name)} = ${expression(item, inputs)}`,
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

/** Terraform would take `${` and `%{` for a template. */
function escaped(value: string): string {
  return value.replaceAll(/[$%](?=\{)/g, (sign) => sign + sign);
}

/** JSON text, without the two escapes that Terraform's language doesn't have. */
function quoted(value: string): string {
  return JSON.stringify(value).replaceAll(/\\(.)/g, (all, sign: string) => ESCAPES[sign] ?? all);
}

/** If two keys become the same name, the later one gets a number. */
function uniqueLabel(key: string, taken: JsonObject): string {
  const label = identifier(key);
  for (let count = 2; ; count++) {
    const candidate = count === 2 ? label : `${label}_${count - 1}`;
    if (taken[candidate] === undefined) return candidate;
  }
}

function identifier(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_');
}
