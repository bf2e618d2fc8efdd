/** The prefix of a dead letter's headers about its origin and its error, in Kafka Connect's names. */
export const ERROR_HEADER_PREFIX = '__connect.errors.';
/** The prefix of headers that tell a repeated request from a new one. */
export const IDEMPOTENCY_PREFIX = 'idempotency-';
export const IDEMPOTENCY_KEY_HEADER = `${IDEMPOTENCY_PREFIX}key`;
/** `<caller's name or ->/<index>/<SHA-256 of the body, the first 32 hex digits>` */
export const IDEMPOTENCY_SCOPE_HEADER = `${IDEMPOTENCY_PREFIX}scope`;

/** For names in messages, which may be of any length. */
const MAX_NAME_LENGTH = 64;

/**
 * Whether a record header is reserved, in any case of letters. Replay and consumers believe these headers, so a
 * caller must not set them (CWE-441).
 */
export function isReservedHeader(name: string): boolean {
  const lowerCase = name.toLowerCase();
  return lowerCase.startsWith(ERROR_HEADER_PREFIX) || lowerCase.startsWith(IDEMPOTENCY_PREFIX);
}

/** The message for the caller. */
export function reservedHeaderProblem(name: string): string {
  const shown = JSON.stringify(name.slice(0, MAX_NAME_LENGTH));
  return `must not be ${shown}: names that begin with ${ERROR_HEADER_PREFIX} or ${IDEMPOTENCY_PREFIX} are reserved`;
}
