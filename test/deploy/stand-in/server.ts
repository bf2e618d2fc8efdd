/**
 * A stand-in for the cloud on a free port: FunctionGraph, DMS for Kafka, Log Tank Service and IAM at one
 * address. It refuses what the documentation refuses, and runs what was deployed: by invocation, on its
 * gateway, when a test fires its timers, and for records that a test hands to its Kafka triggers.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Route, startGateway } from '../../../local/functiongraph/gateway.ts';
import type { InvocationResult } from '../../../local/functiongraph/runtime.ts';
import { startTimerTrigger } from '../../../local/functiongraph/timer.ts';
import type { Body } from './fields.ts';
import { Functions, type StoredFunction } from './functions.ts';
import { answerInstance, type StoredInstance } from './instances.ts';
import { Refusal } from './refusal.ts';
import { signatureFault } from './signature.ts';
import type { StoredTrigger } from './triggers.ts';

export interface StandInOptions {
  region?: string;
  /** How many functions a page of the list has at most. */
  pageSize?: number;
  /** How often a change of a trigger is looked at before it is there; default 2. */
  looks?: number;
}

/** What one request was: `PUT /v2/…/config`. */
export interface SeenRequest {
  method: string;
  path: string;
  query: string;
  headers: IncomingMessage['headers'];
  body: unknown;
  status: number;
}

/** What to answer to the next request that matches, once. */
export interface Fault {
  method: string;
  path: RegExp;
  /** A number answers with that status, `drop` closes the connection, `drop after` does the work first. */
  how: number | 'drop' | 'drop after';
  retryAfter?: number;
  /** The error code beside a status. */
  code?: string;
}

const FOUR_KB = 4_096;

export class StandIn {
  readonly region: string;
  readonly projectId = '0123456789abcdef0123456789abcdef';
  readonly accessKey = 'AKSTANDIN0000000000A';
  readonly secretKey = `${process.env.TEST_PASSWORD_PREFIX ?? ''}${randomUUID()}`;
  readonly functions: Functions;
  readonly instances = new Map<string, StoredInstance>();
  readonly requests: SeenRequest[] = [];
  readonly faults: Fault[] = [];
  /** What the region says of its runtimes; undefined: it does not say. */
  runtimes: string[] | undefined = ['Node.js16.17', 'Node.js18.15', 'Node.js20.15', 'Python3.9', 'http'];
  /** The last request that is still done: its answer, and every request behind it, are lost. */
  cutAfter: number | undefined;
  /** So many answers of the log service come before it has looked at everything. */
  partialAnswers = 0;
  readonly #pageSize: number;
  readonly #server = createServer((request, response) => void this.#handle(request, response));

  constructor({ region = 'eu-de', pageSize = 400, looks = 2 }: StandInOptions = {}) {
    this.region = region;
    this.#pageSize = pageSize;
    this.functions = new Functions({
      region,
      projectId: this.projectId,
      looks,
      subnetOf: (id) => this.instances.get(id)?.details.subnet_id as string | undefined,
    });
  }

  static async start(options: StandInOptions = {}): Promise<StandIn> {
    const standIn = new StandIn(options);
    standIn.#server.listen(0, '127.0.0.1');
    await once(standIn.#server, 'listening');
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What a deployment to it needs in its environment. */
  get environment(): Record<string, string> {
    const { url } = this;
    return {
      FUNCTIONGRAPH_ENDPOINT: url,
      DMS_ENDPOINT: url,
      LTS_ENDPOINT: url,
      IAM_ENDPOINT: url,
      APIG_ENDPOINT: url,
      OS_ACCESS_KEY: this.accessKey,
      OS_SECRET_KEY: this.secretKey,
    };
  }

  /** The requests that changed something and were not refused. */
  get changes(): string[] {
    const changed = this.requests.filter(
      ({ method, status, path }) => method !== 'GET' && status < 400 && !/invocations$|query$/.test(path),
    );
    return changed.map(({ method, path }) => `${method} ${path.replace(`/v2/${this.projectId}/fgs`, '')}`);
  }

  forget(): void {
    this.requests.length = 0;
  }

  /** A gateway with every API that is deployed now; the more particular path wins. */
  async openGateway(): Promise<{ url: string; close(): Promise<void> }> {
    const routes: Route[] = [];
    for (const stored of this.functions.all) {
      const runtime = await this.functions.runtime(stored);
      for (const { trigger_type_code: type, event_data: data } of stored.triggers.all) {
        if (type !== 'DEDICATEDGATEWAY') continue;
        const path = String(data.path);
        const method = data.req_method === 'ANY' ? {} : { method: String(data.req_method) };
        routes.push({ runtime, ...method, ...(data.match_mode === 'SWA' ? { prefix: path } : { path }) });
      }
    }
    routes.sort((a, b) => Number(b.path !== undefined) - Number(a.path !== undefined));
    return startGateway({ port: 0, routes, onLog: () => {} });
  }

  /** Lets an active timer fire now. */
  async fireTimer(name: string): Promise<InvocationResult> {
    const [stored, trigger] = this.#active('TIMER', ({ event_data: data }) => data.name === name);
    const runtime = await this.functions.runtime(stored);
    const userEvent = String(trigger.event_data.user_event ?? '');
    const timer = startTimerTrigger({ runtime, name, userEvent, everyMs: 2 ** 30 });
    try {
      return await timer.fire();
    } finally {
      timer.stop();
    }
  }

  /** Hands values of a topic to its active KAFKA trigger, as FunctionGraph's poller does. */
  async deliver(topic: string, messages: readonly string[]): Promise<InvocationResult> {
    const [stored, trigger] = this.#active('KAFKA', ({ event_data: data }) =>
      (data.topic_ids as string[]).includes(topic),
    );
    const runtime = await this.functions.runtime(stored);
    return runtime.invoke({
      event_version: 'v1.0',
      event_time: Math.floor(Date.now() / 1_000),
      trigger_type: 'KAFKA',
      region: this.region,
      instance_id: trigger.event_data.instance_id,
      records: [{ messages, topic_id: topic }],
    });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.functions.stop();
  }

  #active(type: string, matches: (trigger: StoredTrigger) => boolean): [StoredFunction, StoredTrigger] {
    for (const stored of this.functions.all) {
      const found = stored.triggers.all.find(
        (trigger) =>
          trigger.trigger_type_code === type && trigger.trigger_status === 'ACTIVE' && matches(trigger),
      );
      if (found) return [stored, found];
    }
    throw new Error(`No active ${type} trigger matches.`);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stand-in');
    const method = request.method ?? 'GET';
    const fault = this.#cutOff() ?? this.#takeFault(method, pathname);
    if (fault?.how === 'drop') {
      request.socket.destroy();
      return;
    }
    const parsed: unknown = body.length === 0 ? undefined : JSON.parse(body.toString());
    const seen: SeenRequest = {
      method,
      path: decodeURIComponent(pathname),
      query: searchParams.toString(),
      headers: request.headers,
      body: parsed,
      status: 0,
    };
    this.requests.push(seen);
    const answer = await this.#answer(request, body, seen, searchParams, fault);
    seen.status = answer.status;
    if (fault?.how === 'drop after') {
      request.socket.destroy();
      return;
    }
    for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
    response.statusCode = answer.status;
    if (answer.body === undefined) response.end();
    else response.setHeader('content-type', 'application/json').end(JSON.stringify(answer.body));
  }

  #cutOff(): Pick<Fault, 'how' | 'code' | 'retryAfter'> | undefined {
    if (this.cutAfter === undefined) return undefined;
    this.cutAfter -= 1;
    if (this.cutAfter > 0) return undefined;
    return { how: this.cutAfter === 0 ? 'drop after' : 'drop' };
  }

  #takeFault(method: string, path: string): Fault | undefined {
    const at = this.faults.findIndex((fault) => fault.method === method && fault.path.test(path));
    return at < 0 ? undefined : this.faults.splice(at, 1)[0];
  }

  async #answer(
    request: IncomingMessage,
    body: Buffer,
    seen: SeenRequest,
    query: URLSearchParams,
    fault: Pick<Fault, 'how' | 'code' | 'retryAfter'> | undefined,
  ): Promise<Answer> {
    try {
      const wrong = signatureFault(request, body, (key) =>
        key === this.accessKey ? this.secretKey : undefined,
      );
      if (wrong) {
        throw new Refusal(401, 'APIG.0301', `Incorrect IAM authentication information: ${wrong}`);
      }
      if (typeof fault?.how === 'number') {
        const headers =
          fault.retryAfter === undefined ? undefined : { 'retry-after': String(fault.retryAfter) };
        const { code = 'APIG.0308' } = fault;
        const failed = { error_code: code, error_msg: 'The throttling threshold has been reached' };
        return { status: fault.how, body: failed, headers };
      }
      return await this.#route(seen, (seen.body ?? {}) as Body, query);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { status: error.status, body: { error_code: error.code, error_msg: error.message } };
    }
  }

  async #route({ method, path }: SeenRequest, body: Body, query: URLSearchParams): Promise<Answer> {
    if (method === 'GET' && path === '/v3/projects') {
      const projects = [{ id: this.projectId, name: this.region }];
      return { status: 200, body: { projects: projects.filter(({ name }) => name === query.get('name')) } };
    }
    if (method === 'GET' && path === '/v3/auth/catalog') return { status: 200, body: this.#catalog() };
    const project = `/v2/${this.projectId}`;
    if (!path.startsWith(`${project}/`)) throw new Refusal(403, 'APIG.0302', 'The project is not yours');
    const parts = path.slice(project.length + 1).split('/');
    const [area, kind, urn = '', action = '', id = ''] = parts;
    if (area === 'instances')
      return { status: 200, body: answerInstance(this.instances, kind ?? '', parts[2], query) };
    if (area === 'apigw' && parts[3] === 'api-groups')
      return { status: 200, body: { id: parts[4], sl_domain: `${parts[4]}.apic.example.com` } };
    if (area === 'groups') return { status: 200, body: this.#queryLogs(parts[3] ?? '', body) };
    if (area === 'fgs' && kind === 'runtimetypes') return this.#listRuntimes();
    if (area === 'fgs' && kind === 'functions') return this.#functionCall(method, urn, action, body, query);
    if (area === 'fgs' && kind === 'triggers') return this.#triggerCall(method, urn, action, id, body);
    throw new Refusal(404, 'APIG.0101', 'The API does not exist');
  }

  /** What Terraform's provider finds a service by: it makes FunctionGraph's address of a volume service's. */
  #catalog(): Body {
    const url = `${this.url}/v2/${this.projectId}`;
    const endpoint = { id: 'e', interface: 'public', region: this.region, region_id: this.region, url };
    const catalog = [{ id: 's', type: 'volumev2', name: 'evs', endpoints: [endpoint] }];
    return { catalog, links: { self: `${this.url}/v3/auth/catalog`, next: null, previous: null } };
  }

  async #functionCall(
    method: string,
    urn: string,
    action: string,
    body: Body,
    query: URLSearchParams,
  ): Promise<Answer> {
    const { functions } = this;
    const what = urn === 'reservedinstanceconfigs' ? urn : `${urn === '' ? '' : 'urn '}${action}`;
    switch (`${method} ${what}`.trim()) {
      case 'GET':
        return { status: 200, body: functions.list(query, this.#pageSize) };
      case 'POST':
        return { status: 200, body: functions.create(body) };
      case 'GET urn config':
        return { status: 200, body: functions.show(urn) };
      case 'PUT urn config':
        return { status: 200, body: await functions.updateConfig(urn, body) };
      case 'PUT urn code':
        return { status: 200, body: await functions.updateCode(urn, body) };
      case 'GET reservedinstanceconfigs':
        return { status: 200, body: { reserved_instances: [], page_info: {}, count: 0 } };
      case 'GET urn versions':
        return { status: 200, body: { versions: [functions.show(urn)], next_marker: 1, count: 1 } };
      case 'GET urn aliases':
        return { status: 200, body: [] };
      case 'PUT urn config-max-instance':
        return { status: 200, body: functions.updateInstances(urn, body) };
      case 'GET urn async-invoke-config':
        return { status: 200, body: functions.asyncConfig(urn) };
      case 'PUT urn async-invoke-config':
        return { status: 200, body: functions.updateAsyncConfig(urn, body) };
      case 'DELETE urn':
        await functions.remove(urn);
        return { status: 204 };
      case 'GET urn lts-log-detail':
        return { status: 200, body: logDetail(functions.find(urn)) };
      case 'POST urn invocations':
        return this.#invoke(functions.find(urn), body);
    }
    throw new Refusal(404, 'APIG.0101', 'The API does not exist');
  }

  #triggerCall(method: string, urn: string, type: string, id: string, body: Body): Answer {
    if (method === 'POST') return { status: 201, body: this.functions.createTrigger(urn, body) };
    const triggers = this.functions.triggersOf(urn, method);
    if (method === 'GET') return { status: 200, body: id ? triggers.show(type, id) : triggers.list() };
    if (method === 'PUT') return { status: 200, body: triggers.update(type, id, body) };
    triggers.remove(type, id);
    return { status: 204 };
  }

  #listRuntimes(): Answer {
    if (!this.runtimes) throw new Refusal(404, 'APIG.0101', 'The API does not exist');
    return { status: 200, body: this.runtimes.map((type) => ({ type, display_name: type })) };
  }

  async #invoke(stored: StoredFunction, event: Body): Promise<Answer> {
    const runtime = await this.functions.runtime(stored);
    const outcome = await runtime.invoke(event);
    const log = outcome.logs.join('\n').slice(-FOUR_KB);
    const result = JSON.stringify(outcome.ok ? outcome.result : outcome.error);
    const headers = { 'x-cff-request-id': outcome.requestId, 'x-is-func-err': String(!outcome.ok) };
    return { status: 200, headers, body: { request_id: outcome.requestId, result, log, status: 200 } };
  }

  /** With the scroll id of one answer the next one goes on from there. */
  #queryLogs(stream: string, body: Body): Body {
    const { line_num: after = '', scroll_id: scrolled = '', limit = 50, keywords, highlight = true } = body;
    const word = String(keywords ?? '');
    const log = this.functions.all.find(({ name }) => name === stream)?.log ?? [];
    const found = log
      .map((content, index) => ({ content, line_num: String(index).padStart(19, '0'), labels: {} }))
      .filter(({ content, line_num }) => content.includes(word) && line_num > String(scrolled || after));
    const logs = found.slice(0, Number(limit)).map(({ content, ...line }) => ({
      ...line,
      content: word && highlight ? content.replaceAll(word, `<HighLightTag>${word}</HighLightTag>`) : content,
    }));
    const isQueryComplete = this.partialAnswers <= 0;
    if (!isQueryComplete) {
      this.partialAnswers -= 1;
      logs.splice(1);
    }
    return { count: logs.length, logs, isQueryComplete, scroll_id: logs.at(-1)?.line_num ?? '' };
  }
}

/** Nothing is kept unless the function was told to, with a group and a stream. */
function logDetail({ name, config }: StoredFunction): Body {
  const { group_id, stream_id } = (config.log_config ?? {}) as Body;
  return config.enable_lts_log ? { group_id, stream_id: stream_id && name } : {};
}

interface Answer {
  status: number;
  body?: unknown;
  headers?: Record<string, string> | undefined;
}
