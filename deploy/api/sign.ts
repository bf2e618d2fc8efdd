import { createHash, createHmac } from 'node:crypto';

/** An access key of the cloud; a temporary one has a `securityToken`. */
export interface AccessKey {
  accessKey: string;
  secretKey: string;
  securityToken?: string | undefined;
}

/** `path` as in the URL; `headers` with lower-case names, all of which are signed. */
export interface RequestToSign {
  method: string;
  path: string;
  query: readonly (readonly [name: string, value: string])[];
  headers: Readonly<Record<string, string>>;
  body: string;
}

const ALGORITHM = 'SDK-HMAC-SHA256';

/**
 * The headers that authenticate a request: `authorization`, `x-sdk-date`, and the token of a temporary key.
 * The algorithm is API Gateway's "AK/SK signing": a canonical request, hashed, in a string to sign.
 */
export function signatureHeaders(request: RequestToSign, key: AccessKey, now: Date): Record<string, string> {
  const added: Record<string, string> = { 'x-sdk-date': basicTime(now) };
  if (key.securityToken !== undefined) added['x-security-token'] = key.securityToken;
  const headers = Object.entries({ ...request.headers, ...added }).sort(byName);
  const names = headers.map(([name]) => name).join(';');
  const canonical = [
    request.method,
    canonicalPath(request.path),
    [...request.query]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&'),
    ...headers.map(([name, value]) => `${name}:${value.trim()}`),
    '',
    names,
    sha256(request.body),
  ].join('\n');
  const toSign = [ALGORITHM, added['x-sdk-date'], sha256(canonical)].join('\n');
  const signature = createHmac('sha256', key.secretKey).update(toSign).digest('hex');
  const authorization = `${ALGORITHM} Access=${key.accessKey}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...added, authorization };
}

/** Percent-encoding by RFC 3986. `encodeURIComponent` leaves out five reserved characters. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Every segment encoded exactly once, and a slash at the end. */
function canonicalPath(path: string): string {
  const encoded = path
    .split('/')
    .map((segment) => encode(decodeURIComponent(segment)))
    .join('/');
  return encoded.endsWith('/') ? encoded : `${encoded}/`;
}

/** `20260131T235959Z`. */
function basicTime(time: Date): string {
  return time.toISOString().replace(/[-:]|\.\d+/g, '');
}

function byName([a]: [string, string], [b]: [string, string]): number {
  return a < b ? -1 : 1;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
