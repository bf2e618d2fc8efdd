/**
 * Checks AK/SK signatures from the documentation of API Gateway's signing, on the bytes of the request as they
 * came in. It shares no code with deploy/, so that a mistake there can't hide here.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const SKEW_MS = 15 * 60 * 1_000;

/** Why the request is refused; undefined when its signature is right. */
export function signatureFault(
  request: IncomingMessage,
  body: Buffer,
  secretOf: (accessKey: string) => string | undefined,
): string | undefined {
  const header = request.headers.authorization ?? '';
  const match =
    /^SDK-HMAC-SHA256 (?:Access=([^,]+)|Credential=([^,/]+)\/([^,]+\/sdk_request)), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (!match) return 'the Authorization header has the wrong form';
  const accessKey = match[1] ?? match[2] ?? '';
  /** The older form, which Terraform's provider has: date, region and service. */
  const [, , , scope, names = '', signature = ''] = match;
  const secret = secretOf(accessKey);
  if (secret === undefined) return 'Access key unknown';
  const signed = names.split(';');
  for (const needed of ['host', 'x-sdk-date', 'content-type']) {
    if (request.headers[needed] !== undefined && !signed.includes(needed)) return `${needed} is not signed`;
  }
  const sorted = [...signed].sort();
  if (sorted.join() !== signed.join()) return 'the signed headers are not sorted';
  const date = String(request.headers['x-sdk-date'] ?? '');
  if (Math.abs(parseDate(date) - Date.now()) > SKEW_MS || !date) return 'the signature has expired';
  const expected = sign(request, body, signed, date, secret, scope);
  return timingSafeEqual(Buffer.from(expected), Buffer.from(signature))
    ? undefined
    : 'verify aksk signature fail';
}

function sign(
  request: IncomingMessage,
  body: Buffer,
  signed: string[],
  date: string,
  secret: string,
  scope: string | undefined,
): string {
  const target = request.url ?? '/';
  const questionMark = target.indexOf('?');
  const path = questionMark < 0 ? target : target.slice(0, questionMark);
  const query = questionMark < 0 ? '' : target.slice(questionMark + 1);
  let canonical = `${request.method}\n${path.split('/').map(recode).join('/')}`;
  if (!path.endsWith('/')) canonical += '/';
  canonical += `\n${canonicalQuery(query)}\n`;
  for (const name of signed) canonical += `${name}:${String(request.headers[name] ?? '').trim()}\n`;
  canonical += `\n${signed.join(';')}\n${hex(body)}`;
  const parts = scope === undefined ? [date] : [date, scope];
  return createHmac('sha256', scope === undefined ? secret : scopedKey(secret, scope))
    .update(['SDK-HMAC-SHA256', ...parts, hex(canonical)].join('\n'))
    .digest('hex');
}

function scopedKey(secret: string, scope: string): Buffer {
  return scope
    .split('/')
    .reduce((key, part) => createHmac('sha256', key).update(part).digest(), Buffer.from(`SDK${secret}`));
}

function canonicalQuery(query: string): string {
  const pairs = [...new URLSearchParams(query)].map(([name, value]) => `${strict(name)}=${strict(value)}`);
  return pairs.sort().join('&');
}

function recode(segment: string): string {
  return strict(decodeURIComponent(segment));
}

/** Unreserved characters stay, every other byte is written as %XX. */
function strict(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    encoded += /[A-Za-z0-9_.~-]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

function parseDate(date: string): number {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function hex(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
