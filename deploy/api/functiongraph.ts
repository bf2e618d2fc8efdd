import { setTimeout as wait } from 'node:timers/promises';
import type { DeployedTrigger } from '../trigger-data.ts';
import { ApiClient, ApiError, type ClientOptions } from './client.ts';
import { type DeployedFunction, deployedFunction } from './deployed-function.ts';
import { type JsonObject, list, number, object, text } from './records.ts';

/** For asynchronous calls: those of timers and Kafka triggers. */
export interface AsyncConfig {
  /** After an error of the function. */
  retries: number;
  /** Seconds that a call may wait. */
  ageS: number;
  onFailure: Destination | undefined;
  onSuccess: Destination | undefined;
}

export interface Destination {
  destination: string;
  /** JSON text. */
  param: string;
}

export interface Invocation {
  requestId: string;
  /** False if the function threw, timed out or couldn't be loaded. */
  ok: boolean;
  result: unknown;
  /** The last lines of its log. */
  log: string;
}

const ROOT = '/v2/{project_id}/fgs';
/** Three minutes with these pauses: the platform takes so long to change or delete a trigger. */
const MAX_LOOKS = 50;
const FIRST_PAUSE_MS = 250;
/** 16 times the first pause: 4 s. */
const MAX_PAUSE_FACTOR = 16;
const PAGE_SIZE = 100;
/** 100 pages: far more functions than an account may have. */
const MAX_PAGES = 100;

/** The calls of FunctionGraph's REST API (version 2) that a deployment needs. */
export class FunctionGraph {
  readonly #client: ApiClient;
  readonly #projectId: string;
  readonly #region: string;
  readonly #firstPauseMs: number;

  constructor(options: Omit<ClientOptions, 'service'> & { projectId: string }) {
    // Tests lower both pauses by the one option.
    this.#firstPauseMs = options.retryDelayMs ?? FIRST_PAUSE_MS;
    this.#client = new ApiClient({ ...options, service: 'functiongraph' });
    this.#projectId = options.projectId;
    this.#region = options.region;
  }

  urn(app: string, name: string): string {
    return `urn:fss:${this.#region}:${this.#projectId}:function:${app}:${name}`;
  }

  /** The runtimes of this region; undefined if it doesn't say. */
  async listRuntimes(): Promise<string[] | undefined> {
    const types = list(await this.#gone(this.#call({ method: 'GET', path: '/runtimetypes' })));
    const names = types.map((type) => text(object(type).type)).filter((name) => name !== undefined);
    return names.length > 0 ? names : undefined;
  }

  /** Every function of an app. */
  async listFunctions(app: string): Promise<{ urn: string; name: string; description: string }[]> {
    const functions: { urn: string; name: string; description: string }[] = [];
    let marker = '0';
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = { package_name: app, marker, maxitems: String(PAGE_SIZE) };
      const body = object(await this.#call({ method: 'GET', path: '/functions', query }));
      const items = list(body.functions).map(object);
      for (const item of items) {
        const name = text(item.func_name) ?? '';
        functions.push({ urn: this.urn(app, name), name, description: text(item.description) ?? '' });
      }
      // Pages may be smaller than asked for: only the marker tells the last one.
      const next = number(body.next_marker) ?? 0;
      if (items.length === 0 || next <= Number(marker)) break;
      marker = String(next);
    }
    return functions;
  }

  /** Undefined if there is no such function. */
  async getFunction(urn: string): Promise<DeployedFunction | undefined> {
    try {
      const body = await this.#call({ method: 'GET', path: `/functions/${urn}:latest/config` });
      return deployedFunction(urn, object(body));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  async createFunction(body: JsonObject): Promise<void> {
    await this.#call({ method: 'POST', path: '/functions', body });
  }

  /** Succeeds also if the function already has this code, for example after a lost answer. */
  async updateCode(urn: string, body: JsonObject): Promise<void> {
    try {
      await this.#call({ method: 'PUT', path: `/functions/${urn}:latest/code`, body });
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'FSS.0409') throw error;
    }
  }

  async updateConfig(urn: string, body: JsonObject): Promise<void> {
    await this.#call({ method: 'PUT', path: `/functions/${urn}:latest/config`, body });
  }

  /** Undefined if the platform's defaults apply. */
  async asyncConfig(urn: string): Promise<AsyncConfig | undefined> {
    const call = this.#call({ method: 'GET', path: `/functions/${urn}/async-invoke-config` });
    const answer = await this.#gone(call);
    if (answer === undefined) return undefined;
    const body = object(answer);
    const { on_failure, on_success } = object(body.destination_config);
    return {
      retries: number(body.max_async_retry_attempts) ?? 1,
      ageS: number(body.max_async_event_age_in_seconds) ?? 3_600,
      onFailure: destination(on_failure),
      onSuccess: destination(on_success),
    };
  }

  async setAsyncConfig(urn: string, { retries, ageS, onFailure, onSuccess }: AsyncConfig): Promise<void> {
    const body = {
      max_async_retry_attempts: retries,
      max_async_event_age_in_seconds: ageS,
      destination_config: {
        ...(onFailure ? { on_failure: onFailure } : {}),
        ...(onSuccess ? { on_success: onSuccess } : {}),
      },
    };
    await this.#call({ method: 'PUT', path: `/functions/${urn}/async-invoke-config`, body });
  }

  /** With all its versions. Succeeds also if it is already gone. */
  async deleteFunction(urn: string): Promise<void> {
    await this.#gone(this.#call({ method: 'DELETE', path: `/functions/${urn}` }));
  }

  async listTriggers(urn: string): Promise<DeployedTrigger[]> {
    const items = list(await this.#call({ method: 'GET', path: `/triggers/${urn}:latest` }));
    return items.map(object).map((item) => ({
      id: text(item.trigger_id) ?? '',
      type: text(item.trigger_type_code) ?? '',
      status: text(item.trigger_status) ?? '',
      eventData: object(item.event_data),
    }));
  }

  /** The platform creates Kafka triggers disabled, whatever is asked for: so they are then switched on. */
  async createTrigger(urn: string, type: string, status: string, eventData: JsonObject): Promise<void> {
    const body = { trigger_type_code: type, trigger_status: status, event_data: eventData };
    const answer = object(await this.#call({ method: 'POST', path: `/triggers/${urn}:latest`, body }));
    const named = { type, id: text(answer.trigger_id) ?? '' };
    const created = await this.#look(urn, named, (present) => present !== undefined, 'be there');
    if (created && created.status !== status) await this.setTriggerStatus(urn, created, status);
  }

  /** Resolves when the trigger has the status. Rejects if that takes more than three minutes. */
  async setTriggerStatus(urn: string, trigger: DeployedTrigger, status: string): Promise<void> {
    const path = `/triggers/${urn}:latest/${trigger.type}/${trigger.id}`;
    await this.#call({ method: 'PUT', path, body: { trigger_status: status } });
    await this.#look(urn, trigger, (present) => present?.status === status, `be ${status}`);
  }

  /** Resolves when the trigger is gone. Until then no other can take its place. */
  async deleteTrigger(urn: string, trigger: DeployedTrigger): Promise<void> {
    const path = `/triggers/${urn}:latest/${trigger.type}/${trigger.id}`;
    await this.#gone(this.#call({ method: 'DELETE', path }));
    await this.#look(urn, trigger, (present) => present === undefined, 'be gone');
  }

  async #look(
    urn: string,
    { type, id }: Pick<DeployedTrigger, 'type' | 'id'>,
    isThere: (present: DeployedTrigger | undefined) => boolean,
    what: string,
  ): Promise<DeployedTrigger | undefined> {
    for (let look = 0; look < MAX_LOOKS; look++) {
      if (look > 0) await wait(this.#firstPauseMs * Math.min(MAX_PAUSE_FACTOR, 2 ** (look - 1)));
      const triggers = await this.#gone(this.listTriggers(urn));
      const present = triggers?.find((trigger) => trigger.id === id);
      if (isThere(present)) return present;
    }
    throw new Error(
      `The ${type} trigger of ${urn} should ${what} by now; look at it in the console, then deploy again.`,
    );
  }

  /** Calls a function and waits for its answer; `timeoutMs` bounds the wait. */
  async invoke(urn: string, event: unknown, timeoutMs: number): Promise<Invocation> {
    const { body, headers } = await this.#client.send({
      method: 'POST',
      path: `${ROOT}/functions/${urn}:latest/invocations`,
      body: event,
      headers: { 'x-cff-log-type': 'tail', 'x-cff-request-version': 'v1' },
      timeoutMs,
    });
    const answer = object(body);
    const encoded = headers.get('x-cff-function-log') ?? '';
    return {
      requestId: text(answer.request_id) ?? headers.get('x-cff-request-id') ?? '',
      ok: headers.get('x-is-func-err') !== 'true' && (number(answer.status) ?? 200) < 400,
      result: parseResult(answer.result),
      log: text(answer.log) ?? Buffer.from(encoded, 'base64').toString('utf8'),
    };
  }

  /** Where the function's log goes. */
  async logStream(urn: string): Promise<{ groupId: string; streamId: string } | undefined> {
    const body = object(await this.#call({ method: 'GET', path: `/functions/${urn}:latest/lts-log-detail` }));
    const groupId = text(body.group_id);
    const streamId = text(body.stream_id);
    return groupId && streamId ? { groupId, streamId } : undefined;
  }

  #call(request: Parameters<ApiClient['call']>[0]): Promise<unknown> {
    return this.#client.call({ ...request, path: ROOT + request.path });
  }

  /** Undefined if the object of the call is gone. */
  async #gone<T>(call: Promise<T>): Promise<T | undefined> {
    try {
      return await call;
    } catch (error) {
      if (error instanceof ApiError && isGone(error)) return undefined;
      throw error;
    }
  }
}

/** If the function of a trigger is missing, the platform answers with 401 or 500. */
function isGone({ status, code }: ApiError): boolean {
  return status === 404 || (status === 401 && code === 'FSS.0401') || (status === 500 && code === 'FSS.0500');
}

function destination(value: unknown): Destination | undefined {
  const { destination: kind, param } = object(value);
  const name = text(kind);
  return name === undefined ? undefined : { destination: name, param: text(param) ?? '{}' };
}

/** The answer of a function comes as JSON text. */
function parseResult(result: unknown): unknown {
  if (typeof result !== 'string') return result;
  try {
    return JSON.parse(result);
  } catch {
    return result;
  }
}
