import type { Deployment, FunctionDescription, Trigger, TriggerStatus } from './description.ts';
import type {
  Environment,
  EventSettings,
  FunctionSettings,
  GatewaySettings,
  KafkaSettings,
  ServerlessFile,
  SharedSettings,
  TimerSettings,
} from './serverless-file.ts';

/** A place in the file that has no value yet, such as `provider.vpc.id`. */
export interface Missing {
  path: string;
}

export interface ReadDescription {
  deployment: Deployment;
  missing: readonly Missing[];
  /** The same in disabled triggers, which are left out until they have all their settings. */
  skipped: readonly Missing[];
}

/** Replaces a setting without a value. It may be packaged, but never deployed. */
export function placeholder(path: string): string {
  return `\${missing:${path}}`;
}

export function isPlaceholder(value: string): boolean {
  return value.startsWith('${missing:');
}

const DEFAULTS = {
  runtime: 'Node.js20.15',
  memorySize: 256,
  timeout: 60,
  initializerTimeout: 30,
  app: 'default',
};

const ENTRIES = { handler: 'index.handler', initializer: 'index.initializer' };
const SERVER = { handler: 'bootstrap', initializer: undefined };

/** Settings that are null (`${env:NAME, null}`) are listed as missing. */
export function readDescription(file: ServerlessFile): ReadDescription {
  const reader = new Reader();
  const { provider } = file;
  const app = provider.app ?? DEFAULTS.app;
  const functions = Object.entries(file.functions).map(([key, settings]) =>
    readFunction(reader, file, app, key, settings),
  );
  const deployment: Deployment = {
    service: file.service,
    stage: file.stage,
    region: provider.region ?? 'eu-de',
    app,
    projectId: provider.projectId ?? undefined,
    basePath: provider.basePath || undefined,
    functions,
  };
  return { deployment, missing: reader.missing, skipped: reader.skipped };
}

/** Hands out values, and notes those that are null, once each. */
class Reader {
  readonly #paths = new Set<string>();
  readonly #skipped = new Set<string>();

  get missing(): Missing[] {
    return [...this.#paths].map((path) => ({ path }));
  }

  get skipped(): Missing[] {
    return [...this.#skipped].map((path) => ({ path }));
  }

  /** A disabled trigger that lacks settings is left out. */
  trigger(read: (reader: Reader) => Trigger): Trigger[] {
    const own = new Reader();
    const trigger = read(own);
    const isLeftOut = trigger.status === 'DISABLED' && own.#paths.size > 0;
    for (const path of own.#paths) (isLeftOut ? this.#skipped : this.#paths).add(path);
    return isLeftOut ? [] : [trigger];
  }

  required(path: string, value: string | null | undefined): string {
    if (value !== null && value !== undefined && value !== '') return value;
    this.#paths.add(path);
    return placeholder(path);
  }

  /** Undefined if the file leaves it out or empty; null is missing. */
  optional(path: string, value: string | null | undefined): string | undefined {
    return value === undefined || value === '' ? undefined : this.required(path, value);
  }

  environment(path: string, values: Environment | null | undefined): Record<string, string> {
    const entries = Object.entries(values ?? {}).map(([name, value]) => [
      name,
      value === null ? this.required(`${path}.${name}`, null) : String(value),
    ]);
    return Object.fromEntries(entries);
  }

  list(path: string, values: readonly (string | null)[] | null | undefined): string[] {
    if (!values || values.length === 0) return [this.required(path, null)];
    return values.flatMap((value, index) =>
      // A variable may hold several values: `${env:CONSUME_TOPICS}` is `orders,payments`.
      this.required(`${path}[${index}]`, value)
        .split(',')
        .map((item) => item.trim()),
    );
  }
}

function readFunction(
  reader: Reader,
  { service, stage, provider }: ServerlessFile,
  app: string,
  key: string,
  settings: FunctionSettings,
): FunctionDescription {
  const path = `functions.${key}`;
  const of = <K extends keyof SharedSettings>(name: K): SharedSettings[K] => settings[name] ?? provider[name];
  const placeOf = (name: keyof SharedSettings): string =>
    settings[name] ? `${path}.${name}` : `provider.${name}`;
  const name = settings.name ?? `${service}-${stage}-${key}`;
  const runtime = of('runtime') ?? DEFAULTS.runtime;
  // The platform starts a server by its file, and calls no initializer.
  const entries = runtime === 'http' ? SERVER : ENTRIES;
  return {
    key,
    name,
    app,
    description: settings.description ?? '',
    source: settings.source ?? key,
    runtime,
    handler: settings.handler ?? entries.handler,
    initializer: settings.initializer === undefined ? entries.initializer : settings.initializer || undefined,
    initializerTimeout: of('initializerTimeout') ?? DEFAULTS.initializerTimeout,
    memorySize: of('memorySize') ?? DEFAULTS.memorySize,
    timeout: of('timeout') ?? DEFAULTS.timeout,
    agency: reader.optional(placeOf('agency'), of('agency')),
    vpc: readVpc(reader, placeOf('vpc'), of('vpc')),
    logs: readLogs(reader, placeOf('logs'), of('logs')),
    maxInstances: settings.maxInstances ?? undefined,
    concurrency: settings.concurrency ?? undefined,
    onFailure: settings.onFailure || undefined,
    retries: settings.retries ?? 0,
    environment: {
      ...reader.environment('provider.environment', provider.environment),
      ...reader.environment(`${path}.environment`, settings.environment),
    },
    encryptedEnvironment: {
      ...reader.environment('provider.encryptedEnvironment', provider.encryptedEnvironment),
      ...reader.environment(`${path}.encryptedEnvironment`, settings.encryptedEnvironment),
    },
    triggers: (settings.events ?? []).flatMap((event, index) =>
      reader.trigger((own) => readTrigger(own, `${path}.events[${index}]`, name, event)),
    ),
  };
}

function readVpc(reader: Reader, path: string, vpc: SharedSettings['vpc']): FunctionDescription['vpc'] {
  if (!vpc) return undefined;
  return {
    id: reader.required(`${path}.id`, vpc.id),
    subnetId: reader.required(`${path}.subnetId`, vpc.subnetId),
  };
}

/** All four or none: if all are empty, the platform decides where the function logs. */
function readLogs(reader: Reader, path: string, logs: SharedSettings['logs']): FunctionDescription['logs'] {
  if (!logs || !Object.values(logs).some(Boolean)) return undefined;
  return {
    groupId: reader.required(`${path}.groupId`, logs.groupId),
    groupName: reader.required(`${path}.groupName`, logs.groupName),
    streamId: reader.required(`${path}.streamId`, logs.streamId),
    streamName: reader.required(`${path}.streamName`, logs.streamName),
  };
}

function readTrigger(reader: Reader, path: string, functionName: string, event: EventSettings): Trigger {
  if (event.gateway) return readGateway(reader, `${path}.gateway`, functionName, event.gateway);
  if (event.timer) return readTimer(reader, `${path}.timer`, event.timer);
  if (event.kafka) return readKafka(reader, `${path}.kafka`, event.kafka);
  const kafka = event.opensourceKafka ?? {};
  return {
    type: 'OPENSOURCEKAFKA',
    status: status(kafka.enabled ?? false),
    addresses: reader.list(`${path}.opensourceKafka.addresses`, kafka.addresses),
    topics: reader.list(`${path}.opensourceKafka.topics`, kafka.topics),
    batchSize: kafka.batchSize ?? 100,
  };
}

function readGateway(reader: Reader, path: string, functionName: string, gateway: GatewaySettings): Trigger {
  return {
    type: 'DEDICATEDGATEWAY',
    // The platform can't disable a gateway trigger.
    status: 'ACTIVE',
    name: gateway.name ?? functionName.replaceAll('-', '_'),
    instanceId: reader.required(`${path}.instanceId`, gateway.instanceId),
    groupId: reader.required(`${path}.groupId`, gateway.groupId),
    domain: gateway.domain || undefined,
    path: gateway.path ?? '/',
    match: gateway.match === 'exact' ? 'NORMAL' : 'SWA',
    method: gateway.method ?? 'ANY',
    protocol: gateway.protocol ?? 'HTTPS',
    auth: gateway.auth ?? 'IAM',
    timeoutMs: (gateway.timeout ?? 60) * 1_000,
  };
}

function readTimer(reader: Reader, path: string, timer: TimerSettings): Trigger {
  const { userEvent } = timer;
  return {
    type: 'TIMER',
    status: status(timer.enabled ?? true),
    name: reader.required(`${path}.name`, timer.name),
    scheduleType: timer.cron ? 'Cron' : 'Rate',
    schedule: timer.cron ?? reader.required(`${path}.rate`, timer.rate),
    userEvent:
      typeof userEvent === 'object' && userEvent !== null ? JSON.stringify(userEvent) : (userEvent ?? ''),
  };
}

function readKafka(reader: Reader, path: string, kafka: KafkaSettings): Trigger {
  return {
    type: 'KAFKA',
    status: status(kafka.enabled ?? false),
    instanceId: reader.required(`${path}.instanceId`, kafka.instanceId),
    topics: reader.list(`${path}.topics`, kafka.topics),
    batchSize: kafka.batchSize ?? 100,
    user: reader.optional(`${path}.user`, kafka.user),
    password: reader.optional(`${path}.password`, kafka.password),
  };
}

function status(enabled: boolean): TriggerStatus {
  return enabled ? 'ACTIVE' : 'DISABLED';
}
