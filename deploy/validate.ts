import { endpointOf, isOpenTelekomCloud } from './api/regions.ts';
import type { Environment } from './credentials.ts';
import { type Deployment, type FunctionDescription, triggerLabel } from './description.ts';
import { failureTarget } from './failure-target.ts';
import { triggerKey, triggerProblems } from './validate-triggers.ts';

/** `problems` stop a deployment, `warnings` don't; one sentence each. */
export interface Findings {
  problems: readonly string[];
  warnings: readonly string[];
}

/** FunctionGraph's limits, for plain and for encrypted variables alike. */
const MAX_VARIABLES = 20;
const MAX_VARIABLE_CHARACTERS = 4_096;

const MEMORY_SIZES = [
  128, 256, 512, 768, 1_024, 1_280, 1_536, 1_792, 2_048, 2_560, 3_072, 3_584, 4_096, 8_192, 10_240,
];
const FUNCTION_NAME = /^[A-Za-z]([A-Za-z0-9_-]{0,58}[A-Za-z0-9])?$/;
const VARIABLE_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
const SECRET_NAME = /(^|_)(PASSWORD|SECRET)$/;
const MAX_TRIGGERS = 10;
/** The largest value in Open Telekom Cloud's API document; its manual has more. */
const OTC_MEMORY = 4_096;
const PUBLIC_PORTS = ['9094', '9095'];

/** Checks everything that needs no answer of the cloud. Settings without a value are reported elsewhere. */
export function validate(deployment: Deployment, environment: Environment = process.env): Findings {
  const problems = [...regionProblems(deployment, environment)];
  if (deployment.functions.length === 0) problems.push('functions is empty: name at least one function.');
  problems.push(
    ...duplicates(deployment.functions.map(({ name }) => name)).map(
      (name) => `Two functions have the name ${name}.`,
    ),
  );
  for (const description of deployment.functions) {
    problems.push(...functionProblems(description), ...cloudProblems(deployment, description));
  }
  const warnings = deployment.functions.flatMap((description) => warningsOf(deployment, description));
  if (deployment.functions.some(({ logs }) => !logs)) {
    warnings.push(
      'provider.logs is empty: the platform keeps no log of the functions, and osls logs has nothing to show. Set LOG_GROUP_ID, LOG_GROUP_NAME, LOG_STREAM_ID and LOG_STREAM_NAME.',
    );
  }
  return { problems, warnings };
}

function regionProblems({ region }: Deployment, environment: Environment): string[] {
  try {
    endpointOf('functiongraph', { region, endpoint: environment.FUNCTIONGRAPH_ENDPOINT || undefined });
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

function functionProblems(description: FunctionDescription): string[] {
  const at = `functions.${description.key}`;
  return [
    ...settingProblems(at, description),
    ...variableProblems(`${at}.environment`, description.environment),
    ...variableProblems(`${at}.encryptedEnvironment`, description.encryptedEnvironment),
    ...secretProblems(at, description),
    ...networkProblems(at, description),
    ...duplicates(description.triggers.map(triggerKey)).map((key) => `${at} has two triggers for ${key}.`),
    ...description.triggers.flatMap((trigger) => triggerProblems(at, description, trigger)),
  ];
}

/** One of the two clouds refuses these settings, and the other accepts them. */
function cloudProblems({ region }: Deployment, { key, concurrency = 1 }: FunctionDescription): string[] {
  if (concurrency <= 1 || !isOpenTelekomCloud(region)) return [];
  return [
    `functions.${key}.concurrency is ${concurrency}, but Open Telekom Cloud (${region}) gives an instance one call at a time: leave it out.`,
  ];
}

function settingProblems(at: string, description: FunctionDescription): string[] {
  const { name, handler, initializer, memorySize, runtime, concurrency = 1, onFailure } = description;
  const problems: string[] = [];
  if (!FUNCTION_NAME.test(name)) {
    problems.push(
      `${at}: the name "${name}" must have 1 to 60 letters, digits, - and _, begin with a letter and end with a letter or digit.`,
    );
  }
  for (const [setting, entry] of Object.entries({ handler, initializer })) {
    if (runtime !== 'http' && entry !== undefined && !/^index\.[A-Za-z_$][\w$]*$/.test(entry)) {
      problems.push(
        `${at}.${setting} is "${entry}", but the bundle exports from index.js alone: write index.<export>.`,
      );
    }
  }
  if (!MEMORY_SIZES.includes(memorySize)) {
    problems.push(`${at}.memorySize is ${memorySize}; FunctionGraph has ${MEMORY_SIZES.join(', ')} (MB).`);
  }
  if (runtime === 'http' && !/^\w{3,}$/.test(handler)) {
    problems.push(
      `${at}.handler is "${handler}", but FunctionGraph wants three characters at least: write bootstrap, the file that starts the server.`,
    );
  }
  if (runtime !== 'http' && !runsBundles(runtime)) {
    problems.push(
      `${at}.runtime is "${runtime}", but the bundles are made for Node.js20.15 and later (or http).`,
    );
  }
  if (description.triggers.length > MAX_TRIGGERS) {
    problems.push(
      `${at} has ${description.triggers.length} triggers; FunctionGraph takes ${MAX_TRIGGERS} a function.`,
    );
  }
  if (onFailure !== undefined && !failureTarget(onFailure)) {
    problems.push(
      `${at}.onFailure is "${onFailure}"; write an SMN topic (urn:smn:…), a function (urn:fss:…) or obs://bucket/prefix.`,
    );
  }
  if (concurrency > 1 && runtime !== 'http') {
    problems.push(
      `${at}.concurrency is ${concurrency}, but an event function takes one call at a time: only runtime http takes more.`,
    );
  }
  return problems;
}

function runsBundles(runtime: string): boolean {
  const [, major = 0, minor = 0] = /^Node\.js(\d+)\.(\d+)$/.exec(runtime) ?? [];
  return Number(major) > 20 || (Number(major) === 20 && Number(minor) >= 15);
}

function variableProblems(at: string, variables: Readonly<Record<string, string>>): string[] {
  const entries = Object.entries(variables);
  const characters = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  const problems = entries
    .filter(([name]) => !VARIABLE_NAME.test(name))
    .map(
      ([name]) => `${at}: the name "${name}" must begin with a letter and have letters, digits and _ only.`,
    );
  if (entries.length > MAX_VARIABLES) {
    problems.push(
      `${at} has ${entries.length} variables with the provider's; FunctionGraph takes ${MAX_VARIABLES}.`,
    );
  }
  if (characters > MAX_VARIABLE_CHARACTERS) {
    problems.push(
      `${at} has ${characters} characters with the provider's; FunctionGraph takes ${MAX_VARIABLE_CHARACTERS} (a certificate belongs in certificates/).`,
    );
  }
  return problems;
}

function secretProblems(at: string, { environment, encryptedEnvironment }: FunctionDescription): string[] {
  const names = Object.keys(environment);
  return [
    ...names
      .filter((name) => SECRET_NAME.test(name))
      .map(
        (name) =>
          `${at}: ${name} is in environment, where the console shows it; move it to encryptedEnvironment.`,
      ),
    ...names
      .filter((name) => Object.hasOwn(encryptedEnvironment, name))
      .map((name) => `${at}: ${name} is in environment and in encryptedEnvironment; keep one.`),
  ];
}

function networkProblems(at: string, { vpc, agency, environment, triggers }: FunctionDescription): string[] {
  const problems: string[] = [];
  if (vpc && !agency) {
    problems.push(
      `${at} has a vpc but no agency: FunctionGraph needs one with VPC Administrator (and DMS ReadOnlyAccess for a Kafka trigger) to join it.`,
    );
  }
  if (vpc) return problems;
  const kafka = triggers.find(({ type }) => type === 'KAFKA' || type === 'OPENSOURCEKAFKA');
  if (kafka)
    problems.push(
      `${at} has a ${triggerLabel(kafka)} but no vpc: that trigger reads over the function's network.`,
    );
  const servers = environment.KAFKA_BOOTSTRAP_SERVERS ?? '';
  const isPrivate = (address: string): boolean =>
    !address.startsWith('${') && !PUBLIC_PORTS.includes(address.slice(address.lastIndexOf(':') + 1).trim());
  const address = servers.split(',').find((server) => server.trim() !== '' && isPrivate(server));
  if (address !== undefined) {
    problems.push(
      `${at} has no vpc, so it can't reach ${address.trim()}: set provider.vpc, or use the instance's public addresses (port 9094 or 9095).`,
    );
  }
  return problems;
}

/** Where whoever knows an address may do more than its owner may think. */
function openDoors({
  key,
  source,
  runtime,
  triggers,
  environment,
  encryptedEnvironment,
}: FunctionDescription): string[] {
  const gateways = triggers.filter((trigger) => trigger.type === 'DEDICATEDGATEWAY');
  const variables = { ...environment, ...encryptedEnvironment };
  const { HTTP_API_KEYS, PRODUCE_ROUTES, WEBHOOK_SECRET, FUNCTION } = variables;
  const publishes = source === 'produce' || source === 'http';
  const isSigned = publishes && PRODUCE_ROUTES === 'webhooks' && WEBHOOK_SECRET;
  const warnings: string[] = [];
  if (gateways.some(({ auth }) => auth === 'NONE') && !HTTP_API_KEYS && !isSigned) {
    const remedy = publishes ? ', or for webhooks alone PRODUCE_ROUTES=webhooks and WEBHOOK_SECRET' : '';
    warnings.push(
      `functions.${key}: the gateway asks nobody who they are (auth: NONE); whoever knows the address can call it. Set HTTP_API_KEYS${remedy}.`,
    );
  }
  if (gateways.length > 0 && runtime === 'http' && FUNCTION) {
    warnings.push(
      `functions.${key}: FUNCTION opens /invoke and /init, which need no key, to everybody whom the gateway lets in. Remove it: only a custom image needs it.`,
    );
  }
  return warnings;
}

function warningsOf({ region }: Deployment, description: FunctionDescription): string[] {
  const { key, triggers, environment, maxInstances, memorySize } = description;
  const warnings = openDoors(description);
  if (memorySize > OTC_MEMORY && isOpenTelekomCloud(region)) {
    warnings.push(
      `functions.${key}.memorySize is ${memorySize}: Open Telekom Cloud's API document ends at ${OTC_MEMORY} MB, though its manual has 10240.`,
    );
  }
  const pulls =
    triggers.some(({ type, status }) => type === 'TIMER' && status === 'ACTIVE') &&
    environment.KAFKA_GROUP_ID;
  if (pulls && environment.CONSUME_TOPICS && maxInstances !== 1) {
    warnings.push(
      `functions.${key}: a pull that takes longer than the timer's rate meets the next one; maxInstances: 1 keeps them apart.`,
    );
  }
  return warnings;
}

function duplicates(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}
