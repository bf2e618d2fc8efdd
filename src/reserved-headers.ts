/** Begins what a dead letter says of its origin and its error, in Kafka Connect's names. */
export const ERROR_HEADER_PREFIX = '__connect.errors.';
/** Begins what tells a repeated request from a new one. */
export const IDEMPOTENCY_PREFIX = 'idempotency-';

/** Of a name in a message: it is the caller's own, of any length. */
const MAX_NAME_LENGTH = 64;

/** Replay and consumers believe these record headers, so a caller must not set them (CWE-441). In any case. */
export function isReservedHeader(name: string): boolean {
  const lowerCase = name.toLowerCase();
  return lowerCase.startsWith(ERROR_HEADER_PREFIX) || lowerCase.startsWith(IDEMPOTENCY_PREFIX);
}

/** What a caller is told. */
export function reservedHeaderProblem(name: string): string {
  const shown = JSON.stringify(name.slice(0, MAX_NAME_LENGTH));
  return `must not be ${shown}: names that begin with ${ERROR_HEADER_PREFIX} or ${IDEMPOTENCY_PREFIX} are reserved`;
}
