import { createHmac, timingSafeEqual } from 'node:crypto';
import { Failure } from '../../../src/errors.ts';
import type { HttpRequest } from '../../../src/http/message.ts';
import type { Header, ProducerRecord } from '../../../src/record.ts';
import { isReservedHeader, reservedHeaderProblem } from '../../../src/reserved-headers.ts';
import { withBody } from '../body.ts';
import type { ProduceConfig, WebhookConfig } from '../config.ts';
import { invalid } from '../invalid.ts';
import { headerBytes } from './header-text.ts';
import { allowedTopic, type Target } from './rest-proxy.ts';

/** The headers that prove a body. */
export const SIGNATURE_HEADERS = [
  'x-hub-signature-256',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
];

type Signature = NonNullable<WebhookConfig['signature']>;

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
  const { signature, ...rules } = config.webhook;
  if (signature?.scheme === 'standard') verifyStandard(request, signature);
  else if (signature) verifyGithub(request, signature);
  const { key, headers } = keyAndHeaders(request, rules);
  return withBody(request, { maxBytes: config.maxBodyBytes, deadline }, (value) => [
    { topic: allowedTopic(topic, config), key, value, headers },
  ]);
}

function keyAndHeaders(
  { query, headers }: HttpRequest,
  { keyHeader, copiesHeader }: Omit<WebhookConfig, 'signature'>,
): { key: Buffer | null; headers: Header[] } {
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

/** https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries */
function verifyGithub({ headers, body }: HttpRequest, { secret }: Signature): void {
  const given = /^sha256=([0-9a-f]{64})$/i.exec(headers['x-hub-signature-256'] ?? '')?.[1] ?? '';
  const expected = createHmac('sha256', secret.reveal()).update(body).digest();
  if (!isSame(expected, Buffer.from(given, 'hex'))) throw refused('X-Hub-Signature-256');
}

/** https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
function verifyStandard({ headers, body }: HttpRequest, { secret, toleranceS }: Signature): void {
  const {
    'webhook-id': id = '',
    'webhook-timestamp': timestamp = '',
    'webhook-signature': list = '',
  } = headers;
  const ageS = Math.abs(Date.now() / 1_000 - Number(timestamp));
  if (!/^\d{1,12}$/.test(timestamp) || ageS > toleranceS) {
    throw new Failure(
      'SIGNATURE_INVALID',
      `webhook-timestamp must be within ${toleranceS} s of now, in seconds since the epoch`,
      { headers: { 'www-authenticate': 'Webhook-Signature' } },
    );
  }
  const key = Buffer.from(secret.reveal().replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
  const signatures = list.split(' ').filter((entry) => entry.startsWith('v1,'));
  // While a secret is being replaced, there is a signature by each. All are compared, even after one that fits.
  const fits = signatures.map((entry) => isSame(expected, Buffer.from(entry.slice(3), 'base64')));
  if (id === '' || !fits.includes(true)) throw refused('Webhook-Signature');
}

function isSame(expected: Buffer, given: Buffer): boolean {
  return given.length === expected.length && timingSafeEqual(expected, given);
}

function refused(header: string): Failure {
  return new Failure('SIGNATURE_INVALID', `${header} does not fit the body and the secret of this webhook`, {
    // A 401 must name a scheme (RFC 9110, section 11.6.1), but webhook signatures have none.
    headers: { 'www-authenticate': header },
  });
}
