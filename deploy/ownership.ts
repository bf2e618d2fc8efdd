import { randomBytes, scryptSync } from 'node:crypto';
import type { FunctionDescription, Trigger } from './description.ts';

/**
 * The end of a deployed function's description: `[kafka-functions/dev 1f0c2b9a-5d01ee]`. It names the function's owner.
 * By its digest a deployment sees that an encrypted value has changed; the platform doesn't show these.
 */
export interface Mark {
  /** `service/stage`. */
  owner: string;
  salt: string;
  digest: string;
}

const MARK = /\s*\[([A-Za-z][\w-]*\/[A-Za-z0-9-]+) ([0-9a-f]{8})-([0-9a-f]{6})\]$/;

export function readMark(description: string): Mark | undefined {
  const [, owner, salt, digest] = MARK.exec(description) ?? [];
  return owner && salt && digest ? { owner, salt, digest } : undefined;
}

export function withoutMark(description: string): string {
  return description.replace(MARK, '');
}

export interface Marking {
  /** The description to deploy. */
  description: string;
  /** Whether encrypted variables or a trigger's password differ from the deployed ones. */
  secretsChanged: boolean;
}

/** Marks a description. The deployed mark is kept as long as the secrets are the same. */
export function markDescription(
  owner: string,
  wanted: FunctionDescription,
  present: Mark | undefined,
): Marking {
  const kept = present !== undefined && secretDigest(wanted, present.salt) === present.digest;
  const salt = kept ? present.salt : randomBytes(4).toString('hex');
  const digest = kept ? present.digest : secretDigest(wanted, salt);
  return { description: `${wanted.description} [${owner} ${salt}-${digest}]`.trim(), secretsChanged: !kept };
}

/**
 * 24 bits of a slow hash: enough to notice a change, too few to tell the password from the many others with the same
 * bits.
 */
function secretDigest({ encryptedEnvironment, triggers }: FunctionDescription, salt: string): string {
  const variables = Object.entries(encryptedEnvironment).sort(([a], [b]) => (a < b ? -1 : 1));
  const passwords = triggers.map(passwordOf).filter((password) => password !== undefined);
  return scryptSync(JSON.stringify([variables, passwords]), salt, 3).toString('hex');
}

function passwordOf(trigger: Trigger): string | undefined {
  return trigger.type === 'KAFKA' ? trigger.password : undefined;
}
