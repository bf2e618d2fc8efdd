import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { certificatesIn, describeCertificates } from '../build/certificates.ts';
import { artefactName } from '../build.ts';
import { FunctionGraph } from './api/functiongraph.ts';
import { Gateways } from './api/gateways.ts';
import { KafkaInstances } from './api/kafka-instances.ts';
import { LogTank } from './api/log-tank.ts';
import { missingCertificate } from './certificate-check.ts';
import { type Cloud, connectCloud } from './cloud.ts';
import { cloudFindings } from './cloud-check.ts';
import type { Deployment, FunctionDescription } from './description.ts';
import { functionSettingProblems } from './function-settings.ts';
import { describeDeployed } from './info.ts';
import { followLogs } from './logs.ts';
import { variableAt } from './origin.ts';
import type { Options, Output, Serverless } from './osls.ts';
import { packageFunctions } from './package.ts';
import {
  type Artifacts,
  ownerOf,
  type PlanOptions,
  planDeployment,
  planFunction,
  planRemoval,
  settleStage,
} from './plan.ts';
import type { Step } from './plan-triggers.ts';
import { type ReadDescription, readDescription } from './read-description.ts';
import type { ServerlessFile } from './serverless-file.ts';
import { withStage } from './stage.ts';
import { terraformOf } from './terraform.ts';
import { validate } from './validate.ts';

/** Added to a function's own time, for the platform to start it. */
const INVOCATION_RESERVE_MS = 30_000;

/** plugin.cjs calls these by name. */
type Command = 'package' | 'checkReady' | 'deploy' | 'deployFunction' | 'remove' | 'info' | 'invoke' | 'logs';

interface Connection {
  api: FunctionGraph;
  cloud: Cloud;
}

/** The commands of osls; plugin.cjs calls them in its life cycle. */
export class FunctionGraphCommands {
  readonly #serverless: Serverless;
  readonly #options: Options;
  readonly #output: Output;
  #artifacts: Artifacts | undefined;
  #connection: Connection | undefined;
  #isReady = false;

  constructor(serverless: Serverless, options: Options, output: Output) {
    this.#serverless = serverless;
    this.#options = options;
    this.#output = output;
  }

  run(command: Command): Promise<void> {
    return this.#explain(() => this[command]());
  }

  async package(): Promise<void> {
    const isDeployed = this.#serverless.processedInput.commands[0] === 'deploy';
    // First, so that nobody waits for a build that can't be deployed.
    if (isDeployed) await this.checkReady();
    const { deployment, skipped } = this.#read();
    this.#reject(validate(deployment).problems);
    const { serviceDir, service } = this.#serverless;
    const folders = {
      outdir: this.#packageDirectory(),
      certificates: resolve(serviceDir, service.provider.certificates ?? 'certificates'),
    };
    const { artifacts, built, problems } = await this.#progress('Building', () =>
      packageFunctions(deployment, folders),
    );
    this.#reject(problems);
    this.#artifacts = artifacts;
    for (const [key, zip] of artifacts) {
      const settings = this.#serverless.service.functions[key];
      // osls would zip the whole project otherwise.
      if (settings) settings.package = { artifact: zip };
    }
    for (const line of describeCertificates(await certificatesIn(folders.certificates))) {
      this.#output.log.notice(`certificate: ${line}`);
    }
    for (const { name, zip, bytes } of built)
      this.#output.log.notice(`${name}: ${zip} (${Math.ceil(bytes.zip / 1_000)} kB)`);
    if (!isDeployed) {
      for (const gap of await missingCertificates(deployment, artifacts)) this.#output.log.warning(gap);
    }
    if (this.#options.terraform) await this.#writeTerraform(deployment, artifacts);
    this.#sayWhatIsLeftOut(skipped);
  }

  #sayWhatIsLeftOut(skipped: ReadDescription['skipped']): void {
    const file = this.#rawFile();
    const needs = new Map<string, string[]>();
    for (const { path } of skipped) {
      const trigger = /^.*\.events\[\d+\]\.\w+/.exec(path)?.[0] ?? path;
      needs.set(trigger, [...(needs.get(trigger) ?? []), variableAt(file, path) ?? path]);
    }
    for (const [trigger, names] of needs) {
      this.#output.log.notice(`${trigger} is off, and left out until it has ${names.join(', ')}.`);
    }
  }

  async #writeTerraform(deployment: Deployment, artifacts: Artifacts): Promise<void> {
    const path = join(this.#packageDirectory(), 'functions.tf.json');
    const file = this.#rawFile();
    const terraform = terraformOf(withStage(deployment, new Map()), artifacts, (place) =>
      variableAt(file, place),
    );
    await writeFile(path, `${JSON.stringify(terraform, undefined, 2)}\n`);
    this.#output.log.notice(`Terraform: ${path}`);
  }

  /**
   * Before anything is built or sent: every setting has a value and passes the rules of the platform and of the
   * functions, there are credentials, and the cloud has what is asked for.
   */
  async checkReady(): Promise<void> {
    if (this.#isReady) return;
    const { deployment, missing } = this.#read();
    const { problems, warnings } = validate(deployment);
    const file = this.#rawFile();
    const unset = missing.map(({ path }) => {
      const name = variableAt(file, path);
      return `${path} has no value: ${name ? `set ${name} in the environment.` : 'give it one in serverless.yml.'}`;
    });
    // It makes no difference here which group the stage gets.
    const settled = withStage(deployment, new Map());
    this.#reject([...unset, ...problems, ...settled.functions.flatMap(functionSettingProblems)]);
    const { api, cloud } = await this.#connect(deployment);
    const instances = new KafkaInstances(cloud.clientOptions('dms'));
    const asked = await this.#progress('Asking', () => cloudFindings(deployment, api, instances));
    this.#reject(asked.problems);
    for (const warning of [...warnings, ...asked.warnings]) this.#output.log.warning(warning);
    this.#isReady = true;
  }

  async deploy(): Promise<void> {
    const plan = await this.#planOptions();
    const steps = await this.#progress('Comparing', () => planDeployment(plan));
    await this.#carryOut(steps);
    if (!this.#options['dry-run']) this.#output.writeText(await describeDeployed(plan.api, plan.deployment));
  }

  async deployFunction(): Promise<void> {
    const plan = await this.#planOptions();
    const description = this.#function(plan.deployment);
    await this.#carryOut(await this.#progress('Comparing', () => planFunction(plan, description)));
  }

  async remove(): Promise<void> {
    const { deployment } = this.#read();
    const { api } = await this.#connect(deployment);
    await this.#carryOut(await this.#progress('Looking', () => planRemoval(api, deployment)));
  }

  async info(): Promise<void> {
    const { deployment } = this.#read();
    const { api } = await this.#connect(deployment);
    this.#output.writeText(await describeDeployed(api, deployment));
  }

  async invoke(): Promise<void> {
    const { deployment } = this.#read();
    const { app, name, timeout } = this.#function(deployment);
    const event = await this.#event();
    const { api } = await this.#connect(deployment);
    const timeoutMs = timeout * 1_000 + INVOCATION_RESERVE_MS;
    const { ok, result, log, requestId } = await api.invoke(api.urn(app, name), event, timeoutMs);
    if (log) this.#output.log.notice(log.trimEnd());
    this.#output.writeText(JSON.stringify(result, undefined, 2));
    if (!ok) throw this.#error(`${name} failed (request ${requestId}); what it said is above.`);
  }

  async logs(): Promise<void> {
    const { deployment } = this.#read();
    const { app, name } = this.#function(deployment);
    const { api, cloud } = await this.#connect(deployment);
    const stream = await api.logStream(api.urn(app, name));
    if (!stream)
      throw this.#error(`${name} has no log stream: set provider.logs, or enable its logs in the console.`);
    const { tail = false, startTime, filter, interval } = this.#options;
    const lines = followLogs(new LogTank(cloud.clientOptions('lts')), stream, {
      tail,
      startTime,
      filter,
      interval,
      onPartial: () =>
        this.#output.log.warning('Not every line is here: the log service gave up. Try a later --startTime.'),
    });
    for await (const line of lines) this.#output.writeText(line);
  }

  async #planOptions(): Promise<PlanOptions> {
    const { deployment } = this.#read();
    const { api, cloud } = await this.#connect(deployment);
    const artifacts = this.#artifacts ?? this.#packagedBefore(deployment);
    this.#reject(await missingCertificates(deployment, artifacts));
    const {
      force = false,
      'update-config': configOnly = false,
      'move-group': moveGroup = false,
    } = this.#options;
    return {
      api,
      gateways: new Gateways(cloud.clientOptions('apig')),
      deployment: await this.#progress('Looking', () => settleStage(api, deployment)),
      artifacts,
      force,
      configOnly,
      moveGroup,
    };
  }

  /** `--package dist`: zips that were built before. */
  #packagedBefore({ functions }: Deployment): Artifacts {
    const zips = functions.map(
      ({ key, source }) => [key, join(this.#packageDirectory(), `${artefactName(source)}.zip`)] as const,
    );
    return new Map(zips.filter(([, zip]) => existsSync(zip)));
  }

  #packageDirectory(): string {
    return resolve(this.#serverless.serviceDir, this.#options.package ?? 'dist');
  }

  async #carryOut(steps: readonly Step[]): Promise<void> {
    const { log } = this.#output;
    if (steps.length === 0) log.notice('Nothing to change.');
    if (this.#options['dry-run']) {
      for (const { sign, what } of steps) log.notice(`${sign} ${what}`);
      if (steps.length > 0) log.notice(`${steps.length} changes; nothing was changed (--dry-run).`);
      return;
    }
    for (const [index, { sign, what, run }] of steps.entries()) {
      await this.#progress(`${index + 1}/${steps.length} ${sign} ${what}`, run);
      log.notice(`${sign} ${what}`);
    }
    for (const note of new Set(steps.map((step) => step.note))) if (note) log.notice(note);
  }

  async #connect(deployment: Deployment): Promise<Connection> {
    if (this.#connection) return this.#connection;
    const cloud = await connectCloud(deployment.region, deployment.projectId);
    this.#output.log.notice(
      `${ownerOf(deployment)} in ${cloud.region}, project ${cloud.projectId}, credentials from ${cloud.source}`,
    );
    this.#connection = { api: new FunctionGraph(cloud.clientOptions('functiongraph')), cloud };
    return this.#connection;
  }

  #read(): ReadDescription {
    const { service } = this.#serverless;
    const { provider } = service;
    const { stage = provider.stage ?? 'dev', region = provider.region } = this.#options;
    const functions = service.functions as ServerlessFile['functions'];
    return readDescription({
      service: service.service,
      stage,
      provider: { ...provider, ...(region === undefined ? {} : { region }) },
      functions,
    });
  }

  #rawFile(): string {
    const { serviceDir, configurationFilename = 'serverless.yml' } = this.#serverless;
    return readFileSync(join(serviceDir, configurationFilename), 'utf8');
  }

  #function({ functions }: Deployment): FunctionDescription {
    const name = this.#options.function;
    const found = functions.find(({ key }) => key === name);
    if (found) return found;
    throw this.#error(
      `There is no function "${name}" in serverless.yml; it has ${functions.map(({ key }) => key).join(', ')}.`,
    );
  }

  async #event(): Promise<unknown> {
    const { path, data, raw } = this.#options;
    if (path === undefined) return data === undefined ? {} : raw ? data : this.#parse('--data', data);
    const file = resolve(this.#serverless.serviceDir, path);
    if (!existsSync(file)) throw this.#error(`--path ${path}: there is no such file.`);
    const text = await readFile(file, 'utf8');
    return /\.ya?ml$/.test(path) ? parseYaml(text) : this.#parse(`--path ${path}`, text);
  }

  #parse(option: string, text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw this.#error(`${option} is not JSON: ${error instanceof Error ? error.message : error}`);
    }
  }

  async #progress<T>(message: string, work: () => Promise<T>): Promise<T> {
    const progress = this.#output.progress.create({ message });
    try {
      return await work();
    } finally {
      progress.remove();
    }
  }

  /** A mistake of the user or the cloud is told in a sentence; a defect of ours keeps its stack. */
  async #explain(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const isDefect = error instanceof TypeError || error instanceof ReferenceError;
      throw error instanceof Error && !isDefect ? this.#error(error.message) : error;
    }
  }

  #reject(problems: readonly string[]): void {
    if (problems.length > 0) throw this.#error(problems.join('\n'));
  }

  #error(message: string): Error {
    return new this.#serverless.classes.Error(message, 'FUNCTIONGRAPH');
  }
}

async function missingCertificates({ functions }: Deployment, artifacts: Artifacts): Promise<string[]> {
  const gaps = functions.map(async (description) => {
    const zip = artifacts.get(description.key);
    return zip === undefined ? undefined : missingCertificate(description, zip);
  });
  return (await Promise.all(gaps)).filter((gap) => gap !== undefined);
}
