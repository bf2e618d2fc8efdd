/** The parts of a `serverless.yml` that osls has resolved and checked against the schema. */
export interface ServerlessFile {
  service: string;
  stage: string;
  provider: SharedSettings & { region?: string; projectId?: string; app?: string; basePath?: string };
  functions: Readonly<Record<string, FunctionSettings>>;
}

export interface SharedSettings {
  runtime?: string | null;
  memorySize?: number | null;
  timeout?: number | null;
  initializerTimeout?: number | null;
  agency?: string | null;
  vpc?: { id?: string | null; subnetId?: string | null } | null;
  logs?: {
    groupId?: string | null;
    groupName?: string | null;
    streamId?: string | null;
    streamName?: string | null;
  } | null;
  environment?: Environment | null;
  encryptedEnvironment?: Environment | null;
}

export interface FunctionSettings extends SharedSettings {
  handler?: string | null;
  initializer?: string | null;
  source?: string | null;
  name?: string | null;
  description?: string | null;
  maxInstances?: number | null;
  concurrency?: number | null;
  onFailure?: string | null;
  retries?: number | null;
  events?: readonly EventSettings[] | null;
}

export type Environment = Readonly<Record<string, string | number | boolean | null>>;

export interface EventSettings {
  gateway?: GatewaySettings;
  timer?: TimerSettings;
  kafka?: KafkaSettings;
  opensourceKafka?: OpenSourceKafkaSettings;
}

export interface GatewaySettings {
  name?: string | null;
  instanceId?: string | null;
  groupId?: string | null;
  domain?: string | null;
  path?: string | null;
  match?: 'prefix' | 'exact';
  method?: string;
  protocol?: string;
  auth?: 'IAM' | 'APP' | 'NONE';
  timeout?: number;
}

export interface TimerSettings {
  name?: string | null;
  rate?: string | null;
  cron?: string | null;
  userEvent?: string | object | null;
  enabled?: boolean | null;
}

export interface KafkaSettings {
  instanceId?: string | null;
  topics?: readonly (string | null)[] | null;
  batchSize?: number | null;
  user?: string | null;
  password?: string | null;
  enabled?: boolean | null;
}

export interface OpenSourceKafkaSettings {
  addresses?: readonly (string | null)[] | null;
  topics?: readonly (string | null)[] | null;
  batchSize?: number | null;
  enabled?: boolean | null;
}
