/** What osls must know before it reads `serverless.yml`: the file's schema, and our options. */

const text = { type: 'string' } as const;
const name = { type: 'string', minLength: 1 } as const;
/** YAML reads `true` and `42` as a boolean and a number; the variable gets their text. */
const environment = {
  type: 'object',
  additionalProperties: { anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] },
} as const;

const vpc = {
  type: 'object',
  properties: { id: name, subnetId: name },
  additionalProperties: false,
} as const;

const logs = {
  type: 'object',
  properties: { groupId: name, groupName: name, streamId: name, streamName: name },
  additionalProperties: false,
} as const;

const seconds = (minimum: number, maximum: number) => ({ type: 'integer', minimum, maximum }) as const;

/** For a function, or in the provider for all functions. */
const shared = {
  runtime: name,
  memorySize: { type: 'integer', minimum: 128, maximum: 10_240 },
  timeout: seconds(3, 900),
  initializerTimeout: seconds(1, 300),
  agency: text,
  vpc,
  logs,
  environment,
  encryptedEnvironment: environment,
} as const;

const topics = { type: 'array', items: name, minItems: 1 } as const;
const batchSize = { type: 'integer', minimum: 1, maximum: 1_000 } as const;
const enabled = { type: 'boolean' } as const;

function strict(properties: Record<string, unknown>, required: readonly string[] = []) {
  return { type: 'object', properties, required, additionalProperties: false };
}

export const providerSchema = {
  provider: {
    properties: {
      ...shared,
      region: name,
      projectId: name,
      app: name,
      basePath: text,
      certificates: name,
      stage: { type: 'string', pattern: '^[a-zA-Z0-9-]+$' },
    },
  },
  function: {
    properties: {
      ...shared,
      handler: name,
      initializer: text,
      source: name,
      description: { type: 'string', maxLength: 400 },
      maxInstances: { type: 'integer', minimum: -1, maximum: 1_000 },
      concurrency: { type: 'integer', minimum: 1, maximum: 1_000 },
      onFailure: text,
      retries: { type: 'integer', minimum: 0, maximum: 3 },
    },
  },
  functionEvents: {
    gateway: strict({
      name,
      instanceId: name,
      groupId: name,
      domain: text,
      path: name,
      match: { enum: ['prefix', 'exact'] },
      method: { enum: ['ANY', 'GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'] },
      protocol: { enum: ['HTTPS', 'HTTP', 'BOTH'] },
      auth: { enum: ['IAM', 'APP', 'NONE'] },
      timeout: seconds(1, 60),
    }),
    timer: strict({
      name,
      rate: name,
      cron: name,
      userEvent: { anyOf: [text, { type: 'object' }] },
      enabled,
    }),
    kafka: strict({ instanceId: name, topics, batchSize, user: name, password: name, enabled }),
    opensourceKafka: strict({ addresses: topics, topics, batchSize, enabled }),
  },
};

const dryRun = { usage: 'Say what would change, and change nothing', type: 'boolean' } as const;
const moveGroup = {
  usage: 'Let a deployed function read as another consumer group (KAFKA_GROUP_ID)',
  type: 'boolean',
} as const;
/** osls has this option for AWS only. */
const region = { usage: 'Region of the service', shortcut: 'r', type: 'string' } as const;

/** Our options of osls's commands. */
export const commandOptions = {
  package: {
    options: {
      terraform: { usage: 'Write functions.tf.json beside the packages, for Terraform', type: 'boolean' },
    },
  },
  deploy: {
    options: {
      region,
      'dry-run': dryRun,
      'move-group': moveGroup,
      force: {
        usage: 'Upload what looks the same, and take over functions that others made',
        type: 'boolean',
      },
    },
    commands: { function: { options: { region, 'dry-run': dryRun, 'move-group': moveGroup } } },
  },
  remove: { options: { region, 'dry-run': dryRun } },
  info: { options: { region } },
  invoke: { options: { region } },
  logs: { options: { region } },
};
