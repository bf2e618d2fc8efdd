/** Deployments and packages for the tests of plan, Terraform and client. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { zipSync } from 'fflate';
import { FunctionGraph } from '../../deploy/api/functiongraph.ts';
import type {
  Deployment,
  FunctionDescription,
  GatewayTrigger,
  KafkaTrigger,
  OpenSourceKafkaTrigger,
  TimerTrigger,
} from '../../deploy/description.ts';
import { type Artifacts, type PlanOptions, planDeployment } from '../../deploy/plan.ts';
import { scratchFolder } from '../support/folders.ts';
import { StandIn, type StandInOptions } from './stand-in/server.ts';

export const timer: TimerTrigger = {
  type: 'TIMER',
  status: 'ACTIVE',
  name: 'pull',
  scheduleType: 'Rate',
  schedule: '1m',
  userEvent: '',
};

export const gateway: GatewayTrigger = {
  type: 'DEDICATEDGATEWAY',
  status: 'ACTIVE',
  name: 'shop_dev_produce',
  instanceId: 'gateway-1',
  groupId: 'group-1',
  domain: undefined,
  path: '/',
  match: 'SWA',
  method: 'ANY',
  protocol: 'HTTPS',
  auth: 'IAM',
  timeoutMs: 30_000,
};

export const kafka: KafkaTrigger = {
  type: 'KAFKA',
  status: 'DISABLED',
  instanceId: 'instance-1',
  topics: ['orders'],
  batchSize: 100,
  user: 'app',
  password: 'kafka-secret',
};

export const openSourceKafka: OpenSourceKafkaTrigger = {
  type: 'OPENSOURCEKAFKA',
  status: 'DISABLED',
  addresses: ['10.0.0.5:9092', '10.0.0.6:9092'],
  topics: ['orders'],
  batchSize: 50,
};

export function sampleFunction(changes: Partial<FunctionDescription> = {}): FunctionDescription {
  const { key = 'produce' } = changes;
  return {
    key,
    name: `shop-dev-${key}`,
    app: 'default',
    description: 'Publishes.',
    source: key,
    runtime: 'Node.js20.15',
    handler: 'index.handler',
    initializer: 'index.initializer',
    initializerTimeout: 30,
    memorySize: 256,
    timeout: 30,
    agency: 'vpc-agency',
    vpc: { id: 'vpc-1', subnetId: 'subnet-1' },
    logs: undefined,
    maxInstances: undefined,
    concurrency: undefined,
    onFailure: undefined,
    retries: 0,
    environment: { KAFKA_BOOTSTRAP_SERVERS: '10.0.0.5:9093', LOG_LEVEL: 'info' },
    encryptedEnvironment: { KAFKA_SASL_PASSWORD: 'sasl-secret' },
    triggers: [],
    ...changes,
  };
}

export function sampleDeployment(...functions: FunctionDescription[]): Deployment {
  return {
    service: 'shop',
    stage: 'dev',
    region: 'eu-de',
    app: 'default',
    projectId: undefined,
    basePath: undefined,
    functions,
  };
}

/** A zip for each key, whose handler answers with what `getUserData` says of the variables it is asked for. */
export function sampleArtifacts(keys: readonly string[], version = '1'): Artifacts {
  const directory = scratchFolder('artifacts');
  const code = `exports.handler = async (event, context) => {
      console.log('called');
      if (event.fail) throw new Error(event.fail);
      return { version: '${version}', event, level: context.getUserData('LOG_LEVEL') };
    };
    exports.initializer = async (context, callback) => {};`;
  return new Map(
    keys.map((key) => {
      const path = join(directory, `${key}.zip`);
      writeFileSync(path, zipSync({ 'index.js': Buffer.from(code), 'package.json': Buffer.from('{}') }));
      return [key, path];
    }),
  );
}

export async function startStandIn(t: TestContext, options?: StandInOptions): Promise<StandIn> {
  const standIn = await StandIn.start(options);
  t.after(() => standIn.stop());
  return standIn;
}

export function clientOf(
  standIn: StandIn,
  changes: { secretKey?: string; timeoutMs?: number } = {},
): FunctionGraph {
  const { accessKey, secretKey, projectId, region, url } = standIn;
  return new FunctionGraph({
    region,
    projectId,
    endpoint: url,
    credentials: { accessKey, secretKey: changes.secretKey ?? secretKey },
    retryDelayMs: 1,
    ...(changes.timeoutMs === undefined ? {} : { timeoutMs: changes.timeoutMs }),
  });
}

export interface Cloud {
  standIn: StandIn;
  artifacts: Artifacts;
  /** Plans, carries the plan out, and answers what it said and the calls that changed something. */
  deploy(
    deployment: Deployment,
    options?: Pick<PlanOptions, 'force' | 'moveGroup'> & { artifacts?: Artifacts },
  ): Promise<Deployed>;
}

export interface Deployed {
  plan: string[];
  changes: string[];
}

export async function startCloud(t: TestContext, options?: StandInOptions): Promise<Cloud> {
  const standIn = await startStandIn(t, options);
  const own = sampleArtifacts(['produce', 'consume', 'check']);
  return {
    standIn,
    artifacts: own,
    async deploy(deployment, { artifacts = own, ...options } = {}) {
      standIn.forget();
      const steps = await planDeployment({ api: clientOf(standIn), deployment, artifacts, ...options });
      assert.deepEqual(standIn.changes, [], 'a plan changes nothing');
      for (const { run } of steps) await run();
      return { plan: steps.map(({ sign, what }) => `${sign} ${what}`), changes: standIn.changes };
    },
  };
}
