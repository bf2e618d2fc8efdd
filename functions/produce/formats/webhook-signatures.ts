/** How senders sign their webhooks, one entry a scheme. Each signature is an HMAC-SHA256 over a prefix and the body. */

export interface SignatureScheme {
  /** The headers that prove a body, as the sender writes their names. The first one holds the signature. */
  headers: readonly [string, ...string[]];
  /** What the secret must look like, where the sender says so. */
  secretRule?: { pattern: RegExp; problem: string };
  /** The key of the HMAC; without this, the secret's own text. */
  keyOf?(secret: string): Buffer;
  /** Reads what a request claims; `header` is empty for a name (in lower case) that it lacks. */
  read(header: (name: string) => string): Claim;
  /** The text that the sender wants back before it sends anything; undefined where the body is a webhook. */
  challengeIn?(body: Buffer): string | undefined;
}

export interface Claim {
  /** What is signed before the body. */
  prefix: string;
  /** When it was signed, in seconds since the epoch, as sent. Absent where the sender signs no time. */
  timestamp?: string;
  /** Those of the right version; several while the sender replaces its secret. */
  signatures: Buffer[];
}

const MAX_CHALLENGE_BYTES = 4_096;

/** By the values of `WEBHOOK_SCHEME`. */
export const signatureSchemes = {
  /** https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries */
  github: {
    headers: ['X-Hub-Signature-256'],
    read: (header) => ({
      prefix: '',
      signatures: hex(/^sha256=(.*)$/i.exec(header('x-hub-signature-256'))?.[1]),
    }),
  },
  /**
   * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
   * Svix, where the scheme comes from, sends `svix-…` for `webhook-…`.
   */
  standard: {
    headers: [
      'Webhook-Signature',
      'Webhook-Id',
      'Webhook-Timestamp',
      'Svix-Signature',
      'Svix-Id',
      'Svix-Timestamp',
    ],
    secretRule: {
      pattern: /^(whsec_)?([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{2,3}={0,2})?$/,
      problem: 'must be base64 with WEBHOOK_SCHEME=standard, with or without whsec_',
    },
    keyOf: (secret) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64'),
    read(header) {
      const sender = header('webhook-signature') === '' ? 'svix' : 'webhook';
      const id = header(`${sender}-id`);
      const timestamp = header(`${sender}-timestamp`);
      // Gateways join a repeated header by commas.
      const entries = header(`${sender}-signature`).matchAll(/(?<![^ ,])v1,([^ ,]+)/g);
      const signatures = [...entries].flatMap(([, text]) => base64(text));
      // With a dot in the id, the beginning of a body could pass for the time.
      const isId = id !== '' && !id.includes('.');
      return { prefix: `${id}.${timestamp}.`, timestamp, signatures: isId ? signatures : [] };
    },
  },
  /** https://docs.stripe.com/webhooks#verify-manually. The secret is used as it is, with `whsec_`. */
  stripe: {
    headers: ['Stripe-Signature'],
    read(header) {
      const parts = header('stripe-signature')
        .split(',')
        .map((part) => part.trim());
      const timestamp = parts.find((part) => part.startsWith('t='))?.slice('t='.length) ?? '';
      const signatures = parts.flatMap((part) => hex(/^v1=(.*)$/.exec(part)?.[1]));
      return { prefix: `${timestamp}.`, timestamp, signatures };
    },
  },
  /** https://docs.slack.dev/authentication/verifying-requests-from-slack */
  slack: {
    headers: ['X-Slack-Signature', 'X-Slack-Request-Timestamp'],
    read(header) {
      const timestamp = header('x-slack-request-timestamp');
      const signatures = hex(/^v0=(.*)$/.exec(header('x-slack-signature'))?.[1]);
      return { prefix: `v0:${timestamp}:`, timestamp, signatures };
    },
    /** https://docs.slack.dev/reference/events/url_verification */
    challengeIn(body) {
      if (body.length > MAX_CHALLENGE_BYTES) return undefined;
      try {
        const { type, challenge } = JSON.parse(body.toString());
        return type === 'url_verification' && typeof challenge === 'string' ? challenge : undefined;
      } catch {
        return undefined;
      }
    },
  },
  /** https://shopify.dev/docs/apps/build/webhooks/verify-deliveries */
  shopify: {
    headers: ['X-Shopify-Hmac-Sha256'],
    read: (header) => ({ prefix: '', signatures: base64(header('x-shopify-hmac-sha256')) }),
  },
} as const satisfies Record<string, SignatureScheme>;

export type SchemeName = keyof typeof signatureSchemes;

export const webhookSchemes = Object.keys(signatureSchemes) as SchemeName[];

function hex(digits = ''): Buffer[] {
  return /^[0-9a-f]{64}$/i.test(digits) ? [Buffer.from(digits, 'hex')] : [];
}

/** Strictly, because Node's decoder skips unknown characters. */
function base64(text = ''): Buffer[] {
  return /^[A-Za-z0-9+/]{43}=$/.test(text) ? [Buffer.from(text, 'base64')] : [];
}
