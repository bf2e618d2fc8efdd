import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import { remaining } from '../../deadline.ts';
import { codeOf, Failure, messageOf } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import type { TokenLogin } from './config.ts';
import type { Token } from './tokens.ts';
import { withoutSecrets } from './without-secrets.ts';

const MAX_ANSWER_BYTES = 256 * 1024;
const MAX_QUOTED = 200;
/** Where neither the endpoint nor the token says how long it is good. */
const UNKNOWN_LIFETIME_MS = 300_000;
/** The server may give a token later: its request took too long, came too early, or one of too many. */
const LATER = [408, 425, 429];

/** The endpoint gives no token. `what` it does instead is for operators: callers need not read its words. */
export class TokenDenied extends Failure {
  readonly what: string;

  constructor(what: string) {
    const sentence = "the token endpoint gives no token for the function's client id, secret and scope";
    super('AUTHENTICATION_FAILED', sentence, { cause: new Error(`it ${what}`) });
    this.what = what;
  }
}

/** How far the way to the endpoint went: `answer` is one that doesn't count. */
export type Step = 'dns' | 'tcp' | 'tls' | 'http' | 'answer';

/** The endpoint gives no answer. */
export class TokenUnreachable extends Failure {
  readonly step: Step;
  readonly reason: string;

  constructor(step: Step, reason: string, cause?: unknown) {
    super('BROKER_UNREACHABLE', `the token endpoint can't be reached: ${reason}`, { cause });
    this.step = step;
    this.reason = reason;
  }
}

export interface TokenRequest {
  deadline: number;
  /** Resolves the endpoint's name. */
  lookup?: LookupFunction;
  /** Gets each step as it begins. */
  onStep?: (step: Step) => void;
}

interface Answer {
  status: number;
  text: string;
}

/**
 * Asks for a token with the client-credentials grant (RFC 6749, section 4.4), once. A redirection is not followed.
 * Throws TokenDenied or TokenUnreachable.
 */
export async function requestToken(login: TokenLogin, request: TokenRequest): Promise<Token> {
  const fetchedAt = Date.now();
  const { status, text } = await ask(login, request);
  if (isForLater(status)) throw new TokenUnreachable('answer', `it answers ${status}`);
  const answer = jsonOf(text);
  const value = answer?.access_token;
  if (![200, 201].includes(status) || typeof value !== 'string') {
    throw new TokenDenied(refusalOf(status, answer, login));
  }
  if (!/^bearer$/i.test(String(answer?.token_type ?? 'bearer'))) {
    throw new TokenDenied('gives a token of another type than Bearer');
  }
  // RFC 6750, section 2.1. Anything else could end the message in which it is sent.
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(value)) {
    throw new TokenDenied('gives a token with characters that no token has');
  }
  return {
    value: new Secret(value),
    fetchedAt,
    expiresAt: fetchedAt + lifetimeOf(value, answer?.expires_in),
  };
}

function isForLater(status: number): boolean {
  return status >= 500 || LATER.includes(status);
}

/** What a token says of itself, if it is a JSON Web Token (RFC 7519). Nobody has verified it. */
export function claimsOf(token: string): Record<string, unknown> {
  return jsonOf(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) ?? {};
}

/** In milliseconds. Claims count from when the token was issued, so that no clock has to be right. */
function lifetimeOf(token: string, expiresIn: unknown): number {
  const { exp, iat } = claimsOf(token);
  const begin = typeof iat === 'number' ? iat : Date.now() / 1000;
  const seconds = [
    typeof expiresIn === 'string' && /^\d+$/.test(expiresIn) ? Number(expiresIn) : expiresIn,
    typeof exp === 'number' ? exp - begin : undefined,
  ].flatMap((value) => (typeof value === 'number' && Number.isFinite(value) ? [value] : []));
  return seconds.length === 0 ? UNKNOWN_LIFETIME_MS : Math.max(0, Math.min(...seconds) * 1000);
}

function ask(login: TokenLogin, { deadline, lookup, onStep = () => {} }: TokenRequest): Promise<Answer> {
  const { endpoint, scope, ca } = login;
  const url = new URL(endpoint);
  const body = `${new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) })}`;
  const isSecure = url.protocol === 'https:';
  let step: Step = 'dns';
  const begin = (next: Step) => {
    step = next;
    onStep(next);
  };
  begin(isIP(url.hostname.replace(/[[\]]/g, '')) ? 'tcp' : 'dns');
  return new Promise((resolve, reject) => {
    const request = (isSecure ? https : http).request(url, {
      method: 'POST',
      // Nothing stays open when the function is frozen.
      agent: false,
      headers: {
        authorization: `Basic ${Buffer.from(credentialsOf(login)).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': Buffer.byteLength(body),
        accept: 'application/json',
        'accept-encoding': 'identity',
      },
      ...(lookup && { lookup: telling(lookup, () => begin('tcp')) }),
      ...(isSecure && ca !== '' && { ca: [ca, ...rootCertificates] }),
    });
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      request.destroy();
    }, remaining(deadline));
    const fail = (error: unknown) => {
      clearTimeout(timer);
      if (error instanceof TokenDenied) return reject(error);
      const code = codeOf(error);
      const reason = `${steps[step]} (${code || 'it ended the connection'})`;
      // Not the error itself: that of Node's parser holds what it was reading, which may be a token.
      const cause = Object.assign(new Error(messageOf(error)), code !== '' && { code });
      reject(isLate ? lateAt(step) : new TokenUnreachable(step, reason, cause));
    };
    request.on('socket', (socket) => {
      socket.on('lookup', (error) => {
        if (!error) begin('tcp');
      });
      socket.on('connect', () => begin(isSecure ? 'tls' : 'http'));
      socket.on('secureConnect', () => begin('http'));
    });
    request.on('error', fail);
    request.on('response', (response) => {
      const { statusCode: status = 0 } = response;
      // Whatever page says so.
      const reading = isForLater(status) ? Promise.resolve('') : textOf(response);
      reading.then((text) => {
        clearTimeout(timer);
        resolve({ status, text });
        request.destroy();
      }, fail);
    });
    request.end(body);
  });
}

/** The socket's own event would come too early for a listener where the names are known. */
function telling(lookup: LookupFunction, onFound: () => void): LookupFunction {
  return (hostname, options, callback) =>
    lookup(hostname, options, (error, ...found) => {
      if (!error) onFound();
      callback(error, ...found);
    });
}

/** RFC 6749, section 2.3.1. */
function credentialsOf({ clientId, clientSecret }: TokenLogin): string {
  return `${formEncoded(clientId)}:${formEncoded(clientSecret.reveal())}`;
}

function formEncoded(text: string): string {
  return `${new URLSearchParams([['', text]])}`.slice(1);
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw new TokenDenied(`answers with more than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const steps = {
  dns: 'its name does not resolve',
  tcp: 'no connection',
  tls: 'no TLS',
  http: 'no answer',
  answer: 'no answer',
} as const satisfies Record<Step, string>;

/** For an attempt that ended with its time. */
export function lateAt(step: Step): TokenUnreachable {
  return new TokenUnreachable(step, `${steps[step]} in time`);
}

function jsonOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The server's own words (RFC 6749, section 5.2), without what it was sent. */
function refusalOf(status: number, answer: Record<string, unknown> | undefined, login: TokenLogin): string {
  const secret = login.clientSecret.reveal();
  const secrets = [secret, formEncoded(secret), credentialsOf(login)];
  const said = [answer?.error, answer?.error_description]
    .filter((words) => typeof words === 'string')
    .map((words) => withoutSecrets(words, secrets).slice(0, MAX_QUOTED));
  const missing = answer ? 'without an access_token' : 'with something that is not a JSON object';
  return `answers ${status}, ${said.length > 0 ? said.join(': ') : missing}`;
}
