/** FunctionGraph's state and its REST calls on functions and triggers, as documented. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { type Runtime, startRuntime } from '../../../local/functiongraph/runtime.ts';
import {
  ASYNC_CONFIG,
  type Body,
  CREATE_FUNCTION,
  checkFields,
  checkVariables,
  invalid,
  UPDATE_CODE,
  UPDATE_CONFIG,
  UPDATE_INSTANCES,
} from './fields.ts';
import { Refusal } from './refusal.ts';
import { Triggers } from './triggers.ts';

export interface StoredFunction {
  name: string;
  config: Body;
  zip: Buffer;
  /** What happens to asynchronous calls that fail. */
  asyncConfig: Body | undefined;
  triggers: Triggers;
  log: string[];
  runtime: Runtime | undefined;
  directory: string | undefined;
}

export interface FunctionsOptions {
  region: string;
  projectId: string;
  /** How often a change of a trigger is looked at before it is there. */
  looks: number;
  /** The subnet of a DMS instance, where it is known. */
  subnetOf(instanceId: string): string | undefined;
}

/** What an update can't change, and what stays where an update leaves it out. */
const KEPT = ['package', 'type', 'code_type', 'code_filename', 'log_config', 'enable_lts_log', 'func_vpc'];
/** What the creation takes, and only an update is known to set. */
const ONLY_BY_UPDATE = ['func_vpc', 'initializer_handler', 'initializer_timeout', 'encrypted_user_data'];
const OPEN_TELEKOM_CLOUD = ['eu-de', 'eu-nl', 'eu-ch2'];
const MAX_PACKAGE_BYTES = 50 * 1024 * 1024;
/** One project's functions. */
export class Functions {
  readonly #functions = new Map<string, StoredFunction>();
  readonly #urnPrefix: string;
  readonly #options: FunctionsOptions;

  constructor(options: FunctionsOptions) {
    this.#options = options;
    this.#urnPrefix = `urn:fss:${options.region}:${options.projectId}:function:`;
  }

  get all(): StoredFunction[] {
    return [...this.#functions.values()];
  }

  create(body: Body): Body {
    checkFields(body, CREATE_FUNCTION);
    const name = String(body.func_name);
    const key = `${body.package}:${name}`;
    if (this.#functions.has(key))
      throw new Refusal(409, 'FSS.1061', `the function name ${name} already exists`);
    const { func_code: code, ...config } = body;
    for (const field of ['xrole', 'initializer_handler', 'app_xrole'])
      if (config[field] === '') throw invalid(`${field} must not be empty`);
    if (config.encrypted_user_data === '{}') throw invalid('encrypted_user_data must not be empty');
    checkConfig(config);
    if (!config.code_filename) throw invalid('code_filename is missing');
    const zip = readZip({ func_code: code, code_type: config.code_type });
    for (const field of ONLY_BY_UPDATE) delete config[field];
    const stored: StoredFunction = {
      name,
      config,
      zip,
      asyncConfig: undefined,
      triggers: new Triggers(this.#options.looks),
      log: [],
      runtime: undefined,
      directory: undefined,
    };
    this.#functions.set(key, stored);
    return this.#show(stored);
  }

  list(query: URLSearchParams, pageSize: number): Body {
    const first = Number(query.get('marker') ?? 0);
    const app = query.get('package_name');
    const matching = this.all.filter(({ config }) => app === null || config.package === app);
    const page = matching.slice(first, first + Math.min(pageSize, Number(query.get('maxitems') ?? 400)));
    const next = first + page.length;
    return {
      functions: page.map((stored) => this.#show(stored)),
      // The last page's marker is where the list ends.
      next_marker: next < matching.length ? next : first,
      count: page.length,
    };
  }

  show(urn: string): Body {
    return this.#show(this.find(urn));
  }

  async updateConfig(urn: string, body: Body): Promise<Body> {
    const stored = this.find(urn);
    checkFields(body, UPDATE_CONFIG);
    if (body.runtime !== stored.config.runtime) throw invalid('the runtime cannot be changed');
    checkConfig(body);
    this.#checkStrategy(body.strategy_config);
    if (body.enable_lts_log === true && !body.log_config) throw invalid('log_config is missing');
    const kept = KEPT.filter((field) => body[field] === undefined).map((field) => [
      field,
      stored.config[field],
    ]);
    // Everything else that an update leaves out is lost.
    stored.config = {
      strategy_config: stored.config.strategy_config,
      ...Object.fromEntries(kept),
      ...body,
    };
    await unload(stored);
    return this.#show(stored);
  }

  updateInstances(urn: string, body: Body): Body {
    checkFields(body, UPDATE_INSTANCES);
    const stored = this.find(urn);
    const { concurrent_num = 1 } = (stored.config.strategy_config ?? {}) as Body;
    stored.config.strategy_config = { concurrency: body.max_instance_num, concurrent_num };
    return this.#show(stored);
  }

  asyncConfig(urn: string): Body {
    const { asyncConfig } = this.find(urn);
    if (asyncConfig) return { func_urn: urn, ...asyncConfig };
    throw new Refusal(404, 'FSS.1151', 'Not found the asynchronous configuration');
  }

  updateAsyncConfig(urn: string, body: Body): Body {
    checkFields(body, ASYNC_CONFIG);
    const stored = this.find(urn);
    const retries = Number(body.max_async_retry_attempts ?? 1);
    if (retries > 3) throw invalid('max_async_retry_attempts must be from 0 to 3');
    stored.asyncConfig = body;
    return this.asyncConfig(urn);
  }

  async updateCode(urn: string, body: Body): Promise<Body> {
    const stored = this.find(urn);
    checkFields(body, UPDATE_CODE);
    const zip = readZip(body);
    if (zip.equals(stored.zip)) throw new Refusal(409, 'FSS.0409', 'the code is the same');
    stored.zip = zip;
    await unload(stored);
    return this.#show(stored);
  }

  async remove(urn: string): Promise<void> {
    const stored = this.find(urn);
    await unload(stored);
    this.#functions.delete(`${stored.config.package}:${stored.name}`);
  }

  createTrigger(urn: string, body: Body): Body {
    const { config, triggers } = this.find(urn);
    const type = String(body.trigger_type_code);
    const vpc = config.func_vpc as Body | undefined;
    if (type.endsWith('KAFKA') && !vpc)
      throw new Refusal(400, 'FSS.1125', 'configure a VPC for the function first');
    const subnet = this.#options.subnetOf(String((body.event_data as Body | undefined)?.instance_id));
    if (type === 'KAFKA' && subnet !== undefined && subnet !== vpc?.subnet_id)
      throw new Refusal(400, 'FSS.1114', 'the function and the instance must be in the same subnet');
    return triggers.create(body);
  }

  /** Where the function is missing, the platform has answers of its own. */
  triggersOf(urn: string, method: string): Triggers {
    try {
      return this.find(urn).triggers;
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 404) throw error;
      if (method === 'DELETE') throw new Refusal(401, 'FSS.0401', 'the function has no such trigger');
      throw new Refusal(500, 'FSS.0500', 'the trigger could not be read');
    }
  }

  find(urn: string): StoredFunction {
    if (!urn.startsWith(this.#urnPrefix)) throw invalid(`the URN ${urn} is of another project or region`);
    const [app, name, version = 'latest'] = urn.slice(this.#urnPrefix.length).split(':');
    const stored = this.#functions.get(`${app}:${name}`);
    if (stored && version === 'latest') return stored;
    throw new Refusal(404, 'FSS.1051', 'Not found the function');
  }

  /** The function's runtime, started from the zip that was uploaded. */
  async runtime(stored: StoredFunction): Promise<Runtime> {
    stored.runtime ??= await load(stored);
    return stored.runtime;
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map(unload));
  }

  /** Of half of it the other half becomes 0: no instances, and the function is off. */
  #checkStrategy(strategy: unknown): void {
    if (strategy === undefined) return;
    const body = strategy as Body;
    body.concurrency ??= 0;
    body.concurrent_num ??= 0;
    if (Number(body.concurrent_num) > 1 && OPEN_TELEKOM_CLOUD.includes(this.#options.region))
      throw invalid('configuring ConcurrentNum is not supported');
  }

  #show({ name, config, zip }: StoredFunction): Body {
    const { log_config, ...rest } = config;
    const log = (log_config ?? {}) as Body;
    const encrypted = checkVariables('encrypted_user_data', config.encrypted_user_data);
    return {
      ephemeral_storage: 512,
      mount_config: { mount_user: {}, func_mounts: [] },
      custom_image: { enabled: false, image: '' },
      enable_lts_log: false,
      depend_version_list: [],
      code_url: '',
      ...rest,
      func_vpc: rest.func_vpc ?? {},
      namespace: this.#options.projectId,
      func_urn: `${this.#urnPrefix}${config.package}:${name}:latest`,
      // Their names alone.
      encrypted_user_data: JSON.stringify(Object.fromEntries(Object.keys(encrypted).map((key) => [key, '']))),
      log_group_id: log.group_id ?? '',
      log_stream_id: log.stream_id ?? '',
      strategy_config: {
        concurrency: 400,
        concurrent_num: 1,
        ...(config.strategy_config as object | undefined),
      },
      code_size: zip.length,
      digest: createHash('sha512').update(zip).digest('hex'),
      version: 'latest',
      last_modified: new Date().toISOString(),
    };
  }
}

function checkConfig(config: Body): void {
  checkVariables('user_data', config.user_data);
  checkVariables('encrypted_user_data', config.encrypted_user_data);
  const timeout = Number(config.timeout);
  if (timeout < 3 || timeout > 900) throw invalid('timeout must be from 3 to 900');
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z0-9]$/.test(String(config.func_name)))
    throw invalid('func_name is invalid');
  // What an HTTP function is started with is a file, an event function's entry `file.export`.
  const handler = config.runtime === 'http' ? /^\w{3,}$/ : /^[\w/-]+\.\w+$/;
  if (!handler.test(String(config.handler))) throw invalid('handler is invalid');
  if (config.func_vpc && !config.xrole) throw new Refusal(400, 'FSS.1110', 'xrole is needed for a VPC');
  if (String(config.description ?? '').length > 512) throw invalid('description is too long');
}

function readZip(body: Body): Buffer {
  if (body.code_type !== 'zip') throw invalid('code_type must be zip here');
  const zip = Buffer.from(String((body.func_code as Body | undefined)?.file ?? ''), 'base64');
  if (zip.length > MAX_PACKAGE_BYTES) throw new Refusal(400, 'FSS.1071', 'the code exceeds the limit');
  if (zip.readUInt16BE(0) !== 0x504b) throw invalid('func_code.file is no zip');
  return zip;
}

async function load(stored: StoredFunction): Promise<Runtime> {
  const directory = await mkdtemp(join(tmpdir(), 'stand-in-'));
  for (const [path, content] of Object.entries(unzipSync(stored.zip))) {
    await mkdir(join(directory, path, '..'), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  stored.directory = directory;
  const { config } = stored;
  const initializer = config.initializer_handler ? String(config.initializer_handler) : undefined;
  return startRuntime({
    directory,
    handler: String(config.handler),
    initializer,
    functionName: stored.name,
    userData: checkVariables('user_data', config.user_data),
    encryptedUserData: checkVariables('encrypted_user_data', config.encrypted_user_data),
    timeoutMs: Number(config.timeout) * 1_000,
    initializerTimeoutMs: Number(config.initializer_timeout ?? 3) * 1_000,
    memoryMb: Number(config.memory_size),
    onLog: (line) => stored.log.push(line),
  });
}

/** The next call starts an instance with what was deployed since. */
async function unload(stored: StoredFunction): Promise<void> {
  await stored.runtime?.stop();
  stored.runtime = undefined;
  if (stored.directory) await rm(stored.directory, { recursive: true, force: true });
  stored.directory = undefined;
}
