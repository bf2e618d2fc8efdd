import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { DeployedFunction } from './api/deployed-function.ts';
import type { AsyncConfig, FunctionGraph } from './api/functiongraph.ts';
import type { Gateways } from './api/gateways.ts';
import type { Deployment, FunctionDescription } from './description.ts';
import { changedAsyncConfig } from './failure-target.ts';
import { codeBody, creationBody, updateBody } from './function-body.ts';
import { type Marking, markDescription, readMark } from './ownership.ts';
import { creationOf, deletionOf, planTriggers, type Step } from './plan-triggers.ts';
import { groupMove, type Standing, withStage } from './stage.ts';

/** The zip of each function, by the function's key. */
export type Artifacts = ReadonlyMap<string, string>;

export interface PlanOptions {
  api: FunctionGraph;
  deployment: Deployment;
  artifacts: Artifacts;
  /** Upload and configure even what looks the same, and take over functions that others have made. */
  force?: boolean;
  /** Leave the code as it is. */
  configOnly?: boolean;
  /** Let a function read as another consumer group. */
  moveGroup?: boolean;
  /** The domain of a group of APIs. */
  gateways?: Pick<Gateways, 'domainOf'>;
}

/** This deployment must not touch something. */
export class PlanError extends Error {
  override readonly name = 'PlanError';
}

/** The deployment, with the stage's own group and paths where the file leaves them open. Changes nothing. */
export async function settleStage(api: FunctionGraph, deployment: Deployment): Promise<Deployment> {
  const standing = new Map<string, Standing>();
  for (const { key, app, name } of deployment.functions) {
    const urn = api.urn(app, name);
    const deployed = await api.getFunction(urn);
    if (!deployed || !isOurs(deployment, deployed.description)) continue;
    standing.set(key, { environment: deployed.environment, triggers: await api.listTriggers(urn) });
  }
  return withStage(deployment, standing);
}

/** The steps that make the cloud look like the file. Changes nothing itself. */
export async function planDeployment(options: PlanOptions): Promise<Step[]> {
  const { api, deployment } = options;
  const steps: Step[] = [];
  for (const description of deployment.functions) steps.push(...(await planFunction(options, description)));
  for (const urn of await orphans(api, deployment)) steps.push(...(await planRemovalOf(api, urn)));
  return steps;
}

/** Removes all that this service and stage have deployed, also what the file no longer names. */
export async function planRemoval(api: FunctionGraph, deployment: Deployment): Promise<Step[]> {
  const steps: Step[] = [];
  for (const { app, name } of deployment.functions) {
    const deployed = await api.getFunction(api.urn(app, name));
    if (deployed && isOurs(deployment, deployed.description))
      steps.push(...(await planRemovalOf(api, deployed.urn)));
  }
  for (const urn of await orphans(api, deployment)) steps.push(...(await planRemovalOf(api, urn)));
  return steps;
}

/** For one function: removed triggers, then its configuration and code, then new triggers. */
export async function planFunction(options: PlanOptions, wanted: FunctionDescription): Promise<Step[]> {
  const { api, deployment } = options;
  const urn = api.urn(wanted.app, wanted.name);
  const deployed = await api.getFunction(urn);
  const create = creationOf(options, urn, wanted);
  if (!deployed) {
    return [
      await creation(options, urn, wanted),
      ...asyncSteps(api, urn, wanted, undefined),
      ...wanted.triggers.map(create),
    ];
  }
  refuseForeign(options, wanted, deployed);
  refuseMove(options, wanted, deployed);
  const marking = markDescription(ownerOf(deployment), wanted, readMark(deployed.description));
  const triggers = planTriggers(options, urn, wanted, await api.listTriggers(urn), marking.secretsChanged);
  const config = configStep(options, deployed, wanted, marking);
  const code = options.configOnly ? undefined : await codeStep(options, deployed, wanted);
  const present = wanted.onFailure === undefined ? undefined : await api.asyncConfig(urn);
  return [
    ...triggers.before,
    ...[config, code].filter((step) => step !== undefined),
    ...asyncSteps(api, urn, wanted, present),
    ...triggers.after,
  ];
}

function asyncSteps(
  api: FunctionGraph,
  urn: string,
  wanted: FunctionDescription,
  present: AsyncConfig | undefined,
): Step[] {
  const config = changedAsyncConfig(wanted, present);
  if (!config) return [];
  const what = `calls of ${wanted.name} that fail: told to ${wanted.onFailure}, ${wanted.retries} retries`;
  return [{ sign: '~', what, run: () => api.setAsyncConfig(urn, config) }];
}

function refuseMove(
  { moveGroup }: PlanOptions,
  wanted: FunctionDescription,
  { environment }: DeployedFunction,
): void {
  const move = moveGroup ? undefined : groupMove(wanted, environment);
  if (move !== undefined) throw new PlanError(move);
}

function refuseForeign(
  { deployment, force }: PlanOptions,
  wanted: FunctionDescription,
  deployed: DeployedFunction,
): void {
  if (deployed.runtime !== wanted.runtime) {
    throw new PlanError(
      `${wanted.name} runs on ${deployed.runtime} and can't be changed to ${wanted.runtime}: remove it first, or give it another name.`,
    );
  }
  if (force || isOurs(deployment, deployed.description)) return;
  throw new PlanError(
    `${wanted.name} exists already and is not of ${ownerOf(deployment)}: give the function another name, or take it over with --force.`,
  );
}

async function creation(
  { api, deployment, artifacts }: PlanOptions,
  urn: string,
  wanted: FunctionDescription,
): Promise<Step> {
  const zip = await readArtifact(artifacts, wanted);
  const owner = ownerOf(deployment);
  const { description } = markDescription(owner, wanted, undefined);
  // If the second call fails, this mark says that the secrets are still to be set.
  const unfinished = markDescription(owner, { ...wanted, encryptedEnvironment: {}, triggers: [] }, undefined);
  return {
    sign: '+',
    what: `function ${wanted.name} (${kilobytes(zip)})`,
    async run() {
      await api.createFunction(creationBody(wanted, unfinished.description, zip));
      await api.updateConfig(urn, updateBody(wanted, description));
    },
  };
}

function configStep(
  { api, force }: PlanOptions,
  deployed: DeployedFunction,
  wanted: FunctionDescription,
  marking: Marking,
): Step | undefined {
  const changed = changedSettings(deployed, wanted, marking);
  if (changed.length === 0 && !force) return undefined;
  return {
    sign: '~',
    what: `configuration of ${wanted.name}: ${changed.join(', ') || 'forced'}`,
    run: () => api.updateConfig(deployed.urn, updateBody(wanted, marking.description, deployed)),
  };
}

/** The names of the settings and variables that differ. */
function changedSettings(
  deployed: DeployedFunction,
  wanted: FunctionDescription,
  { description, secretsChanged }: Marking,
): string[] {
  const settings: [name: string, wanted: unknown, deployed: unknown][] = [
    ['handler', wanted.handler, deployed.handler],
    ['initializer', wanted.initializer, deployed.initializer],
    ['memory size', wanted.memorySize, deployed.memorySize],
    ['timeout', wanted.timeout, deployed.timeout],
    ['agency', wanted.agency, deployed.agency],
    ['VPC', wanted.vpc?.id, deployed.vpcId],
    ['subnet', wanted.vpc?.subnetId, deployed.subnetId],
    ['encrypted variables or passwords', secretsChanged || !hasSecrets(deployed, wanted), false],
  ];
  if (wanted.initializer) {
    settings.push(['initializer timeout', wanted.initializerTimeout, deployed.initializerTimeout]);
  }
  // Settings that the file doesn't have stay as they are.
  if (wanted.logs) {
    settings.push(['log stream', wanted.logs.streamId, deployed.logStreamId]);
    if (deployed.logsEnabled !== undefined) settings.push(['logs', true, deployed.logsEnabled]);
  }
  if (wanted.maxInstances !== undefined)
    settings.push(['instances', wanted.maxInstances, deployed.maxInstances]);
  if (wanted.concurrency !== undefined)
    settings.push(['concurrency', wanted.concurrency, deployed.concurrency]);
  if (!secretsChanged) settings.push(['description', description, deployed.description]);
  const names = settings.filter(([, a, b]) => a !== b).map(([name]) => name);
  return [...names, ...changedVariables(wanted.environment, deployed.environment)];
}

/** Whether the platform has encrypted variables of exactly these names, as far as it says. */
function hasSecrets(
  { secretNames }: DeployedFunction,
  { encryptedEnvironment }: FunctionDescription,
): boolean {
  return secretNames === undefined || isSameSet(secretNames, Object.keys(encryptedEnvironment));
}

function isSameSet(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name) => others.includes(name));
}

function changedVariables(
  wanted: Readonly<Record<string, string>>,
  deployed: Readonly<Record<string, string>>,
): string[] {
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(deployed)])].sort();
  return names.filter((name) => wanted[name] !== deployed[name]);
}

async function codeStep(
  { api, artifacts, force }: PlanOptions,
  deployed: DeployedFunction,
  wanted: FunctionDescription,
): Promise<Step | undefined> {
  const zip = await readArtifact(artifacts, wanted);
  const digest = createHash('sha512').update(zip).digest('hex');
  if (deployed.digest.toLowerCase() === digest && !force) return undefined;
  return {
    sign: '~',
    what: `code of ${wanted.name} (${kilobytes(zip)})`,
    run: () => api.updateCode(deployed.urn, codeBody(zip)),
  };
}

/** Functions of this service and stage that the file no longer names. */
async function orphans(api: FunctionGraph, deployment: Deployment): Promise<string[]> {
  const named = new Set(deployment.functions.map(({ app, name }) => api.urn(app, name)));
  const found = await api.listFunctions(deployment.app);
  return found
    .filter(({ urn, description }) => !named.has(urn) && isOurs(deployment, description))
    .map(({ urn }) => urn);
}

/** Triggers first: an API on a gateway outlives the function behind it. */
async function planRemovalOf(api: FunctionGraph, urn: string): Promise<Step[]> {
  const name = urn.slice(urn.lastIndexOf(':') + 1);
  const triggers = await api.listTriggers(urn);
  return [
    ...triggers.map((trigger) => deletionOf(api, urn, name, trigger, `${trigger.type} trigger`)),
    { sign: '-', what: `function ${name}`, run: () => api.deleteFunction(urn) },
  ];
}

export function ownerOf({ service, stage }: Pick<Deployment, 'service' | 'stage'>): string {
  return `${service}/${stage}`;
}

function isOurs(deployment: Deployment, description: string): boolean {
  return readMark(description)?.owner === ownerOf(deployment);
}

async function readArtifact(artifacts: Artifacts, { key }: FunctionDescription): Promise<Buffer> {
  const path = artifacts.get(key);
  if (path === undefined) throw new PlanError(`functions.${key} has no package; run npx osls package.`);
  return readFile(path);
}

function kilobytes(zip: Buffer): string {
  return `${Math.ceil(zip.length / 1_000)} kB`;
}
