import { createHash, createHmac } from 'node:crypto';
import type { Secret } from '../secret.ts';

/** An access key of the store; a temporary one has a token. */
export interface AccessKey {
  id: string;
  secret: Secret;
  token: Secret | undefined;
}

export interface RequestToSign {
  method: string;
  /** As it is sent, percent-encoded. */
  path: string;
  /** As they are sent, with lower-case names; `host` among them. */
  headers: Readonly<Record<string, string>>;
  /** The SHA-256 of the body, in hex. */
  bodySha256: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** All headers of a request, with those of AWS Signature Version 4 for S3, where a path is encoded only once. */
export function signed(
  { method, path, headers, bodySha256 }: RequestToSign,
  { key, region, now }: { key: AccessKey; region: string; now: Date },
): Record<string, string> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const all: Record<string, string> = {
    ...headers,
    'x-amz-content-sha256': bodySha256,
    'x-amz-date': time,
    ...(key.token && { 'x-amz-security-token': key.token.reveal() }),
  };
  const names = Object.keys(all).sort();
  const signedHeaders = names.join(';');
  const canonical = [
    ...[method, path, ''],
    ...names.map((name) => `${name}:${all[name]?.trim()}`),
    ...['', signedHeaders, bodySha256],
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = [ALGORITHM, time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const signingKey = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    (secret, text) => hmac(secret, text),
    `AWS4${key.secret.reveal()}`,
  );
  const signature = hmac(signingKey, toSign).toString('hex');
  const authorization = `${ALGORITHM} Credential=${key.id}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  return { ...all, authorization };
}

/** The path of an object: RFC 3986, of which `encodeURIComponent` leaves out five reserved characters. */
export function encodedPath(name: string): string {
  const encoded = encodeURIComponent(name).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return encoded.replaceAll('%2F', '/');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
