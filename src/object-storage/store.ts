import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { backoffMs } from '../backoff.ts';
import { remaining, sleep } from '../deadline.ts';
import { causesOf, Failure } from '../errors.ts';
import type { Log } from '../log.ts';
import type { FileCompression, StorageConfig } from './config.ts';
import { type AccessKey, encodedPath, signed } from './sign.ts';
import { codeIn, verdictOf } from './store-answer.ts';

/** The name that the check asks for. It ends like no object of records. */
const PROBE = 'kafka-functions-check';
const MAX_ATTEMPTS = 10;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;
/** A connection on which nothing moves for so long is given up, and the request sent again. */
const SILENCE_MS = 10_000;
const MIN_SILENCE_MS = 1_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

const contentTypes = { gzip: 'application/gzip', none: 'application/x-ndjson' } as const;

/** An object's bytes, in chunks, and what a store needs to check them. */
export interface Content {
  chunks: readonly Buffer[];
  bytes: number;
  /** In hex. */
  sha256: string;
  /** In base64. */
  md5: string;
}

export interface ObjectToPut extends Content {
  name: string;
  compression: FileCompression;
  /** The offset behind the object, kept beside it. */
  to: number;
}

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

interface Request {
  method: 'GET' | 'HEAD' | 'PUT';
  name: string;
  headers: Readonly<Record<string, string>>;
  content?: Content;
}

/**
 * The bucket. Connections are kept until `close`, because the platform freezes what stays open between calls. Errors
 * name neither the address nor a header, because both may hold a secret.
 */
export class Store {
  readonly #config: StorageConfig;
  readonly #key: AccessKey;
  readonly #log: Log;
  readonly #agent: http.Agent;

  constructor(config: StorageConfig, key: AccessKey, log: Log) {
    this.#config = config;
    this.#key = key;
    this.#log = log;
    this.#agent = new (config.endpoint.startsWith('https:') ? https : http).Agent({ keepAlive: true });
  }

  close(): void {
    this.#agent.destroy();
  }

  /**
   * The SHA-256 that was kept beside an object; undefined where there is none, or where the key may not look: then the
   * object has to be written anyway. Throws a Failure.
   */
  async sha256Of(name: string, deadline: number): Promise<string | undefined> {
    const { status, headers } = await this.#persist({ method: 'HEAD', name, headers: {} }, deadline);
    const sha256 = headers['x-amz-meta-sha256'];
    return status === 200 && typeof sha256 === 'string' ? sha256 : undefined;
  }

  /** Writes an object. Throws a Failure. */
  async put({ name, compression, to, ...content }: ObjectToPut, deadline: number): Promise<void> {
    const headers = {
      'content-length': `${content.bytes}`,
      'content-md5': content.md5,
      'content-type': contentTypes[compression],
      'x-amz-meta-next-offset': `${to}`,
      'x-amz-meta-sha256': content.sha256,
    };
    const { status, text } = await this.#persist({ method: 'PUT', name, headers, content }, deadline);
    const code = codeIn(text);
    const verdict = verdictOf(status, code);
    if (typeof verdict === 'string') return;
    const { bucket } = this.#config;
    throw new Failure(
      'SINK_FAILED',
      `the store refused object ${name} of bucket ${bucket} (${status}${code === undefined ? '' : ` ${code}`}): ${verdict.remedy}`,
    );
  }

  /**
   * What the store answers to a question for an object that is not there, or to writing it. Rejects with the socket's
   * error.
   */
  async probe(
    method: 'GET' | 'PUT',
    deadline: number,
  ): Promise<{ status: number; code: string | undefined }> {
    const headers = method === 'PUT' ? { 'content-length': '0' } : {};
    const { status, text } = await this.#ask({ method, name: PROBE, headers }, deadline);
    return { status, code: codeIn(text) };
  }

  /** Asks again after failures that may pass. Throws a Failure where there is no answer. */
  async #persist(request: Request, deadline: number): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      let reason: string;
      try {
        const answer = await this.#ask(request, deadline);
        const code = codeIn(answer.text);
        if (verdictOf(answer.status, code) !== 'again') return answer;
        reason = `${answer.status}${code === undefined ? '' : ` ${code}`}`;
      } catch (error) {
        reason = reasonOf(error);
      }
      const backoff = backoffMs(attempt, FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
      if (attempt === MAX_ATTEMPTS || Date.now() + backoff >= deadline) {
        const { method, name, content } = request;
        const size = content ? ` of ${content.bytes} bytes` : '';
        throw new Failure(
          'SINK_FAILED',
          `${method} of object ${name}${size} failed ${attempt} times, at last: ${reason}. The next pull goes on with it; if the store is well, look at CONSUME_SINK_URL, or give the function more time`,
        );
      }
      this.#log.debug('a request to the store is sent again', { object: request.name, attempt, reason });
      await sleep(backoff);
    }
  }

  /** Sends the request once. Rejects with the socket's error. */
  #ask({ method, name, headers, content }: Request, deadline: number): Promise<Answer> {
    const { endpoint, bucket, region, pathStyle } = this.#config;
    const { protocol, hostname, port, host } = new URL(endpoint);
    const prefix = pathStyle ? '' : `${bucket}.`;
    const path = `${pathStyle ? `/${bucket}` : ''}/${encodedPath(name)}`;
    const left = remaining(deadline);
    const client = protocol === 'https:' ? https : http;
    return new Promise((resolve, reject) => {
      const request = client.request({
        ...{ method, path, port, agent: this.#agent },
        hostname: prefix + hostname.replace(/[[\]]/g, ''),
        headers: signed(
          {
            method,
            path,
            headers: { ...headers, host: prefix + host },
            bodySha256: content?.sha256 ?? EMPTY_SHA256,
          },
          { key: this.#key, region, now: new Date() },
        ),
        signal: AbortSignal.timeout(left),
        timeout: Math.max(MIN_SILENCE_MS, Math.min(SILENCE_MS, left / 3)),
      });
      request.on('timeout', () => request.destroy(new Error('no answer')));
      request.on('error', reject);
      request.on('response', (response) => {
        const { statusCode: status = 0 } = response;
        textOf(response).then((text) => resolve({ status, headers: response.headers, text }), reject);
      });
      // A store that refuses may close the connection while the body is still on its way: its answer counts.
      if (content) pipeline(Readable.from(content.chunks), request).catch(() => {});
      else request.end();
    });
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes <= MAX_ANSWER_BYTES) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The code of the socket or time-out, because an error's message may hold the host. */
function reasonOf(error: unknown): string {
  for (const e of causesOf(error)) {
    if (e.name === 'AbortError' || e.name === 'TimeoutError') return 'no time was left';
    if ('code' in e && typeof e.code === 'string') return e.code;
    if (e.message === 'no answer') return e.message;
  }
  return 'the connection failed';
}
