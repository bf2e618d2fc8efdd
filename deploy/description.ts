/** The content of `serverless.yml` in this project's words. Plan, Terraform and info all read this description. */

export type GatewayAuth = 'IAM' | 'APP' | 'NONE';
export type TriggerStatus = 'ACTIVE' | 'DISABLED';

export interface GatewayTrigger {
  type: 'DEDICATEDGATEWAY';
  status: TriggerStatus;
  name: string;
  instanceId: string;
  groupId: string;
  /** The group's subdomain, or the user's own domain that is bound to the group. */
  domain: string | undefined;
  path: string;
  match: 'SWA' | 'NORMAL';
  method: string;
  protocol: string;
  auth: GatewayAuth;
  /** Milliseconds that the gateway waits for the function. */
  timeoutMs: number;
}

export interface TimerTrigger {
  type: 'TIMER';
  status: TriggerStatus;
  name: string;
  scheduleType: 'Rate' | 'Cron';
  schedule: string;
  userEvent: string;
}

export interface KafkaTrigger {
  type: 'KAFKA';
  status: TriggerStatus;
  instanceId: string;
  topics: readonly string[];
  batchSize: number;
  user: string | undefined;
  password: string | undefined;
}

export interface OpenSourceKafkaTrigger {
  type: 'OPENSOURCEKAFKA';
  status: TriggerStatus;
  addresses: readonly string[];
  topics: readonly string[];
  batchSize: number;
}

export type Trigger = GatewayTrigger | TimerTrigger | KafkaTrigger | OpenSourceKafkaTrigger;

export interface LogStream {
  groupId: string;
  groupName: string;
  streamId: string;
  streamName: string;
}

export interface FunctionDescription {
  /** Its name in `serverless.yml`. */
  key: string;
  /** Its name on the platform. */
  name: string;
  app: string;
  description: string;
  /** The folder in `functions/` that it is built from. */
  source: string;
  runtime: string;
  handler: string;
  initializer: string | undefined;
  /** Seconds. */
  initializerTimeout: number;
  memorySize: number;
  /** Seconds. */
  timeout: number;
  agency: string | undefined;
  vpc: { id: string; subnetId: string } | undefined;
  logs: LogStream | undefined;
  maxInstances: number | undefined;
  concurrency: number | undefined;
  /** Who is told of failed asynchronous calls: `urn:smn:…`, `urn:fss:…` or `obs://bucket/prefix`. */
  onFailure: string | undefined;
  /** How often the platform repeats such a call before that. */
  retries: number;
  environment: Readonly<Record<string, string>>;
  encryptedEnvironment: Readonly<Record<string, string>>;
  triggers: readonly Trigger[];
}

export interface Deployment {
  service: string;
  stage: string;
  region: string;
  app: string;
  projectId: string | undefined;
  /** Precedes every gateway path. Undefined: nothing for the stage `dev`, `/<stage>` for others. */
  basePath: string | undefined;
  functions: readonly FunctionDescription[];
}

/** The name of a trigger in plans and messages. */
export function triggerLabel(trigger: Trigger): string {
  switch (trigger.type) {
    case 'DEDICATEDGATEWAY':
      return `gateway ${trigger.name} (${trigger.method} ${trigger.path}, ${trigger.auth})`;
    case 'TIMER':
      return `timer ${trigger.name} (${trigger.schedule})`;
    case 'KAFKA':
      return `Kafka trigger on ${trigger.topics.join(', ')}`;
    case 'OPENSOURCEKAFKA':
      return `open-source Kafka trigger on ${trigger.topics.join(', ')}`;
  }
}
