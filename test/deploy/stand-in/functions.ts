/** FunctionGraph's state and its REST calls on functions and triggers, as documented. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { type Runtime, startRuntime } from '../../../local/functiongraph/runtime.ts';
import {
  type Body,
  CREATE_FUNCTION,
  CREATE_TRIGGER,
  checkFields,
  checkVariables,
  EVENT_DATA,
  invalid,
  UPDATE_CODE,
  UPDATE_CONFIG,
  UPDATE_TRIGGER,
} from './fields.ts';
import { Refusal } from './refusal.ts';

export interface StoredTrigger {
  trigger_id: string;
  trigger_type_code: string;
  trigger_status: string;
  event_data: Body;
  created_time: string;
  last_updated_time: string;
}

export interface StoredFunction {
  name: string;
  config: Body;
  zip: Buffer;
  triggers: StoredTrigger[];
  log: string[];
  runtime: Runtime | undefined;
  directory: string | undefined;
}

const MAX_PACKAGE_BYTES = 50 * 1024 * 1024;
/** Only these can be disabled; Kafka's are unless it is said otherwise. */
const CAN_BE_DISABLED = ['TIMER', 'DDS', 'DMS', 'LTS', 'KAFKA', 'OPENSOURCEKAFKA'];
const TYPES = Object.keys(EVENT_DATA);

/** One project's functions. */
export class Functions {
  readonly #functions = new Map<string, StoredFunction>();
  readonly #urnPrefix: string;

  constructor(region: string, projectId: string) {
    this.#urnPrefix = `urn:fss:${region}:${projectId}:function:`;
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
    const { func_code: code, code_type, code_filename, ...config } = body;
    checkConfig(config);
    if (!code_filename) throw invalid('code_filename is missing');
    const zip = readZip({ func_code: code, code_type });
    const stored: StoredFunction = {
      name,
      config,
      zip,
      triggers: [],
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
    checkStrategy(body.strategy_config);
    stored.config = { ...body, type: stored.config.type };
    await unload(stored);
    return this.#show(stored);
  }

  async updateCode(urn: string, body: Body): Promise<Body> {
    const stored = this.find(urn);
    checkFields(body, UPDATE_CODE);
    stored.zip = readZip(body);
    await unload(stored);
    return this.#show(stored);
  }

  async remove(urn: string): Promise<void> {
    const stored = this.find(urn);
    await unload(stored);
    this.#functions.delete(`${stored.config.package}:${stored.name}`);
  }

  createTrigger(urn: string, body: Body): StoredTrigger {
    const stored = this.find(urn);
    checkFields(body, CREATE_TRIGGER);
    const type = String(body.trigger_type_code);
    const fields = EVENT_DATA[type];
    if (!fields) throw invalid(`trigger_type_code must be one of ${TYPES.join(', ')}`);
    const data = body.event_data as Body;
    checkFields(data, fields);
    checkTrigger(stored, type, data);
    const status = String(body.trigger_status ?? (type.endsWith('KAFKA') ? 'DISABLED' : 'ACTIVE'));
    checkStatus(type, status);
    const now = new Date().toISOString();
    const trigger: StoredTrigger = {
      trigger_id: randomUUID(),
      trigger_type_code: type,
      trigger_status: status,
      event_data: type === 'DEDICATEDGATEWAY' ? { sl_domain: 'group.apic.example.com', ...data } : data,
      created_time: now,
      last_updated_time: now,
    };
    stored.triggers.push(trigger);
    return trigger;
  }

  updateTrigger(urn: string, type: string, id: string, body: Body): StoredTrigger {
    checkFields(body, UPDATE_TRIGGER);
    const trigger = this.#trigger(urn, type, id);
    const status = String(body.trigger_status ?? trigger.trigger_status);
    checkStatus(type, status);
    trigger.trigger_status = status;
    return trigger;
  }

  removeTrigger(urn: string, type: string, id: string): void {
    const { triggers } = this.find(urn);
    triggers.splice(triggers.indexOf(this.#trigger(urn, type, id)), 1);
  }

  /** A password can't be read back. */
  listTriggers(urn: string): Body[] {
    return this.find(urn).triggers.map((trigger) => {
      const { kafka_password: _hidden, ...data } = trigger.event_data;
      return { ...trigger, event_data: data };
    });
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

  #trigger(urn: string, type: string, id: string): StoredTrigger {
    const found = this.find(urn).triggers.find(
      (trigger) => trigger.trigger_id === id && trigger.trigger_type_code === type,
    );
    if (!found) throw new Refusal(404, 'FSS.1051', 'Not found the trigger');
    return found;
  }

  #show({ name, config, zip }: StoredFunction): Body {
    const { log_config, ...rest } = config;
    const log = (log_config ?? {}) as Body;
    const encrypted = checkVariables('encrypted_user_data', config.encrypted_user_data);
    return {
      ...rest,
      func_urn: `${this.#urnPrefix}${config.package}:${name}:latest`,
      encrypted_user_data: JSON.stringify(
        Object.fromEntries(Object.keys(encrypted).map((key) => [key, '******'])),
      ),
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
  if (config.func_vpc && !config.xrole) throw new Refusal(400, 'FSS.1110', 'xrole is needed for a VPC');
  if (String(config.description ?? '').length > 512) throw invalid('description is too long');
}

/** Half of it is refused, since the documentation doesn't say what the other half becomes. */
function checkStrategy(strategy: unknown): void {
  if (strategy === undefined) return;
  const { concurrency, concurrent_num: atOnce } = strategy as Body;
  if (!Number.isInteger(concurrency) || !Number.isInteger(atOnce))
    throw invalid('strategy_config is incomplete');
}

function checkTrigger(stored: StoredFunction, type: string, data: Body): void {
  if (type.endsWith('KAFKA')) {
    if (!stored.config.func_vpc) throw new Refusal(400, 'FSS.1125', 'configure a VPC for the function first');
    const size = Number(data.batch_size);
    if (size < 1 || size > 1_000) throw invalid('batch_size must be from 1 to 1000');
  }
  const twin = stored.triggers.find(
    (trigger) =>
      trigger.trigger_type_code === type && data.name !== undefined && trigger.event_data.name === data.name,
  );
  if (twin) throw new Refusal(409, 'FSS.1127', `the trigger ${data.name} already exists`);
}

function checkStatus(type: string, status: string): void {
  if (!['ACTIVE', 'DISABLED'].includes(status)) throw invalid('trigger_status must be ACTIVE or DISABLED');
  if (status === 'DISABLED' && !CAN_BE_DISABLED.includes(type))
    throw invalid(`a ${type} trigger cannot be disabled`);
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
