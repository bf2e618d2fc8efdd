import { setTimeout as wait } from 'node:timers/promises';
import { type CloudService, endpointOf, type Place } from './regions.ts';
import { type AccessKey, signatureHeaders } from './sign.ts';

/** An access key that signs requests, or a token of IAM. */
export type Credentials = AccessKey | { token: string };

export interface ClientOptions extends Place {
  service: CloudService;
  credentials: Credentials;
  /** Sent as `X-Project-Id`, and in paths as `{project_id}`. */
  projectId?: string | undefined;
  /** Milliseconds before the second attempt, doubled each time; tests lower it. */
  retryDelayMs?: number;
  /** What each attempt may take. */
  timeoutMs?: number;
}

export interface ApiRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  query?: Readonly<Record<string, string>>;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  timeoutMs?: number;
  /** A POST that changes nothing: it may be sent again after a lost answer. */
  repeatable?: boolean;
}

export interface ApiResponse {
  /** Parsed JSON; undefined for an empty answer. */
  body: unknown;
  headers: Headers;
}

/** A refusal of a service, with its own code and message. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;

  constructor(request: ApiRequest, status: number, code: string, message: string) {
    super(
      `${request.method} ${request.path} answered ${status} ${code}: ${message}${remedy(status, code, message)}`,
    );
    this.status = status;
    this.code = code;
  }
}

const MAX_ATTEMPTS = 5;
const MAX_DELAY_MS = 8_000;
const MAX_RETRY_AFTER_MS = 30_000;
const DEFAULT_TIMEOUT_MS = 60_000;

/** Sends JSON requests to one service of one region, and repeats them after faults that pass. */
export class ApiClient {
  readonly #options: ClientOptions;
  readonly #origin: string;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#origin = endpointOf(options.service, options);
  }

  /** Resolves with the answer's body. Rejects as `send` does. */
  async call(request: ApiRequest): Promise<unknown> {
    return (await this.send(request)).body;
  }

  /** Rejects with an ApiError for a refusal, and with another error if there was no answer. */
  async send(asked: ApiRequest): Promise<ApiResponse> {
    const request = {
      ...asked,
      path: asked.path.replace('{project_id}', this.#options.projectId ?? ''),
    };
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#attempt(request);
      if (outcome.ok) return outcome.response;
      if (attempt === MAX_ATTEMPTS || !outcome.repeatable) throw outcome.error;
      await wait(outcome.retryAfterMs ?? this.#delay(attempt));
    }
  }

  async #attempt(request: ApiRequest): Promise<Outcome> {
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(request);
      text = await response.text();
    } catch (error) {
      return { ok: false, error: this.#unanswered(request, error), repeatable: isRepeatable(request) };
    }
    const body = parse(text);
    if (response.ok) return { ok: true, response: { body, headers: response.headers } };
    const { status } = response;
    const error = new ApiError(request, status, ...reason(body, text));
    // 429 and 503 say that nothing was done; after another 5xx nobody knows.
    const repeatable = status === 429 || status === 503 || (status >= 500 && isRepeatable(request));
    return { ok: false, error, repeatable, retryAfterMs: retryAfter(response.headers) };
  }

  #fetch({ method, path, query = {}, body, headers = {}, timeoutMs }: ApiRequest): Promise<Response> {
    const url = new URL(`${this.#origin}${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.append(name, value);
    const text = body === undefined ? '' : JSON.stringify(body);
    const ownHeaders: Record<string, string> = { 'content-type': 'application/json', ...headers };
    const { projectId, credentials } = this.#options;
    if (projectId !== undefined) ownHeaders['x-project-id'] = projectId;
    const toSign = {
      method,
      path: url.pathname,
      query: Object.entries(query),
      // `fetch` sends the host by itself.
      headers: { ...ownHeaders, host: url.host },
      body: text,
    };
    const authentication =
      'token' in credentials
        ? { 'x-auth-token': credentials.token }
        : signatureHeaders(toSign, credentials, new Date());
    return fetch(url, {
      method,
      headers: { ...ownHeaders, ...authentication },
      ...(body === undefined ? {} : { body: text }),
      // A signature is for one host: it must not follow a redirect to another.
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs ?? this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS),
    });
  }

  #unanswered(request: ApiRequest, error: unknown): Error {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error ? cause.message : String(cause);
    return new Error(`${request.method} ${this.#origin}${request.path} got no answer: ${why}`, {
      cause: error,
    });
  }

  /** Half fixed, half random, so that several deployments don't repeat in step. */
  #delay(attempt: number): number {
    const full = Math.min(MAX_DELAY_MS, (this.#options.retryDelayMs ?? 500) * 2 ** (attempt - 1));
    return full / 2 + (Math.random() * full) / 2;
  }
}

type Outcome =
  | { ok: true; response: ApiResponse }
  | { ok: false; error: Error; repeatable: boolean; retryAfterMs?: number | undefined };

function isRepeatable({ method, repeatable }: ApiRequest): boolean {
  return method !== 'POST' || repeatable === true;
}

function parse(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** FunctionGraph and DMS have `error_code` and `error_msg`, IAM nests them in `error`, LTS has `errorCode`. */
function reason(body: unknown, text: string): [code: string, message: string] {
  const outer = fields(body);
  const inner = typeof outer.error === 'object' ? fields(outer.error) : outer;
  const code = inner.error_code ?? inner.errorCode ?? inner.code;
  const message = inner.error_msg ?? inner.errorMessage ?? inner.message ?? text.slice(0, 200);
  return [String(code ?? 'without an error code'), String(message)];
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function retryAfter(headers: Headers): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, MAX_RETRY_AFTER_MS) : undefined;
}

/** Remedies, which FunctionGraph's own messages leave out. */
const REMEDIES: Readonly<Record<string, string>> = {
  'FSS.1114':
    "a KAFKA trigger works only where the function's vpc and subnetId are the instance's own: over peering or a VPC endpoint use the timer's pull",
  'FSS.1121':
    'the agency needs DMS ReadOnlyAccess beside VPC Administrator; a new agency works after about 10 minutes',
  'FSS.1122':
    'the agency needs DMS ReadOnlyAccess beside VPC Administrator; a new agency works after about 10 minutes',
};

function remedy(status: number, code: string, message: string): string {
  if (REMEDIES[code]) return ` (${REMEDIES[code]})`;
  if (status === 401 && /expire|date|time/i.test(message)) return ' (is the clock of this machine right?)';
  if (status === 401) return ' (are the access key and the secret key those of this cloud?)';
  if (status === 403) return ' (the user of the access key lacks the permission for this call)';
  return '';
}
