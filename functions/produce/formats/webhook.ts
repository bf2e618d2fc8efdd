import { createHmac, timingSafeEqual } from 'node:crypto';
import { Failure } from '../../../src/errors.ts';
import type { HttpRequest } from '../../../src/http/message.ts';
import type { Header, ProducerRecord } from '../../../src/record.ts';
import { isReservedHeader, reservedHeaderProblem } from '../../../src/reserved-headers.ts';
import { withBody } from '../body.ts';
import type { ProduceConfig, WebhookConfig } from '../config.ts';
import { invalid } from '../invalid.ts';
import { headerBytes } from './header-text.ts';
import { keyAt } from './key-pointer.ts';
import { allowedTopic, type Target } from './rest-proxy.ts';
import { signatureSchemes } from './webhook-signatures.ts';

type Signature = NonNullable<WebhookConfig['signature']>;

const KEY_IN_QUERY =
  'must not be in the query, because WEBHOOK_KEY_HEADER or WEBHOOK_KEY_POINTER says where it is: remove ?key=';

/** The headers that prove a body, of every scheme, in lower case. */
export const SIGNATURE_HEADERS = Object.values(signatureSchemes).flatMap(({ headers }) =>
  headers.map((name) => name.toLowerCase()),
);

/**
 * Turns a webhook into a record whose value is the body, byte for byte. Before the signature is verified, nothing
 * else is read or decompressed. Throws SIGNATURE_INVALID.
 */
export async function readWebhook(
  request: HttpRequest,
  { topic }: Target,
  config: ProduceConfig,
  deadline: number,
): Promise<ProducerRecord[]> {
  const { signature, keyPointer } = config.webhook;
  if (signature) verify(request, signature);
  const { key, headers } = keyAndHeaders(request, config.webhook);
  return withBody(request, { maxBytes: config.maxBodyBytes, deadline }, (value) => [
    {
      topic: allowedTopic(topic, config),
      key: key === null && keyPointer !== undefined ? keyAt(keyPointer, value) : key,
      value,
      headers,
    },
  ]);
}

/**
 * The text that the sender asks for before it sends webhooks to a URL; undefined where this is a webhook. Throws
 * SIGNATURE_INVALID, and as for a webhook where its topic is not allowed.
 */
export function readChallenge(
  request: HttpRequest,
  { topic }: Target,
  config: ProduceConfig,
): string | undefined {
  const { signature } = config.webhook;
  if (!signature?.scheme.challengeIn) return undefined;
  verify(request, signature);
  const challenge = signature.scheme.challengeIn(request.body);
  if (challenge !== undefined) allowedTopic(topic, config);
  return challenge;
}

function keyAndHeaders(
  { query, headers }: HttpRequest,
  { signature, keyHeader, keyPointer, copiesHeader }: WebhookConfig,
): { key: Buffer | null; headers: Header[] } {
  // Whoever has seen a signed webhook could send it again with another key.
  const hasKey = keyHeader !== undefined || keyPointer !== undefined;
  if (signature && hasKey && query.key !== undefined) throw invalid([{ path: 'key', message: KEY_IN_QUERY }]);
  const inHeader = headers[keyHeader ?? ''];
  const keyBytes = inHeader === undefined ? null : headerBytes(inHeader);
  const copied = Object.entries(headers).filter(([name]) => copiesHeader(name));
  const reserved = copied.flatMap(([name]) => (isReservedHeader(name) ? [name] : []));
  if (reserved.length > 0) {
    throw invalid(reserved.map((name) => ({ path: 'headers', message: reservedHeaderProblem(name) })));
  }
  return {
    key: query.key === undefined ? keyBytes : Buffer.from(query.key),
    headers: copied.map(([key, value]) => ({ key, value: headerBytes(value) })),
  };
}

/** Compares every signature with every secret, even after one that fits, so that the time tells nothing of them. */
function verify({ headers, body }: HttpRequest, { scheme, secrets, toleranceS }: Signature): void {
  const [name] = scheme.headers;
  const { prefix, timestamp, signatures } = scheme.read((header) => headers[header] ?? '');
  if (signatures.length === 0) throw refused(name, 'is missing or malformed');
  if (timestamp !== undefined && !isRecent(timestamp, toleranceS)) {
    throw refused(name, `needs a time within ${toleranceS} s of now, in seconds since the epoch`);
  }
  const { keyOf = Buffer.from } = scheme;
  const fits = secrets.flatMap((secret) => {
    const expected = createHmac('sha256', keyOf(secret.reveal())).update(prefix).update(body).digest();
    return signatures.map((given) => given.length === expected.length && timingSafeEqual(expected, given));
  });
  if (!fits.includes(true)) throw refused(name, 'does not fit the body and the secret of this webhook');
}

function isRecent(timestamp: string, toleranceS: number): boolean {
  return /^\d{1,12}$/.test(timestamp) && Math.abs(Date.now() / 1_000 - Number(timestamp)) <= toleranceS;
}

function refused(header: string, problem: string): Failure {
  return new Failure('SIGNATURE_INVALID', `${header} ${problem}`, {
    // A 401 must name a scheme (RFC 9110, section 11.6.1), but webhook signatures have none.
    headers: { 'www-authenticate': header },
  });
}
